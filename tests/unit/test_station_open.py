"""Opening a station: in order, all or nothing, with limits that only narrow."""

import json
import logging
import warnings

import pytest
from qcodes.instrument import ChannelTuple, Instrument, InstrumentChannel
from qcodes.validators import Numbers

from stm_daq.clock import VirtualClock
from stm_daq.errors import BadInputError, CleanupError, InstrumentError
from stm_daq.station import roles
from stm_daq.station.loader import load_station, open_station
from stm_daq.station.safe_state import restore

CLOCK = VirtualClock()
EVENTS: list[str] = []


class Channel(InstrumentChannel):
    """One output."""

    def __init__(self, parent: Instrument, name: str) -> None:
        super().__init__(parent, name)
        self.add_parameter("v", set_cmd=None, vals=Numbers(-10, 10))


class Box(Instrument):
    """A small instrument that writes down what happens to it."""

    def __init__(self, name: str, address: str = "", trouble: str = "", read_time: float = 0.1):
        super().__init__(name)
        EVENTS.append(f"open {name}")
        if trouble == "open":
            raise OSError("nobody answers")
        self._trouble = trouble
        self._read_time = read_time
        channels = [Channel(self, f"ch{i}") for i in (1, 2)]
        self.add_submodule("channels", ChannelTuple(self, "channels", Channel, channels))
        self.add_parameter("volt", set_cmd=None, initial_value=0.0, vals=Numbers(-10, 10))
        self.add_parameter("level", get_cmd=self._read)

    def _read(self) -> float:
        CLOCK.sleep(self._read_time)
        if self._trouble == "read":
            raise TimeoutError("no reply")
        return 1.5

    def get_idn(self) -> dict[str, str | None]:
        return {"vendor": "test"}

    def close(self) -> None:
        EVENTS.append(f"close {self.name}")
        if self._trouble == "close":
            raise OSError("lost")
        super().close()


def _adapter_of(protocol: type) -> type:
    def build(self, instrument, limits, clock, divider=1.0):
        if divider <= 0:
            raise ValueError(f"a divider of {divider} makes no sense")
        self.instrument, self.limits, self.clock, self.divider = instrument, limits, clock, divider

    methods = {name: lambda self: None for name in vars(protocol) if not name.startswith("_")}
    return type(f"{protocol.__name__}Adapter", (), {"__init__": build, **methods})


Stm, Bias, LockIn, Preamplifier = (
    _adapter_of(p)
    for p in (roles.StmController, roles.BiasSource, roles.LockIn, roles.Preamplifier)
)

STATION = f"""
instruments:
  a: {{type: {__name__}.Box, address: there}}
  b: {{type: {__name__}.Box}}
  c: {{type: {__name__}.Box}}
roles:
  stm: {{instrument: a, adapter: {__name__}.Stm}}
  bias: {{instrument: b, adapter: {__name__}.Bias, divider: 0.01}}
  lockin: {{instrument: c, adapter: {__name__}.LockIn}}
  preamplifier: {{instrument: c, adapter: {__name__}.Preamplifier}}
limits:
  bias: {{min: "-10 mV", max: "10 mV", slew: "200 mV/s", step: "1 mV"}}
  setpoint_current: {{min: "1 pA", max: "2 nA"}}
  x: {{min: "-1 um", max: "1 um"}}
  y: {{min: "-1 um", max: "1 um"}}
  z: {{min: "-250 nm", max: "250 nm"}}
"""
A, B, C = (f"{name}: {{type: {__name__}.Box" for name in "abc")


@pytest.fixture
def load(tmp_path):
    EVENTS.clear()

    def load_changed(*changes: tuple[str, str]):
        text = STATION
        for old, new in changes:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        path = tmp_path / "station.yaml"
        path.write_text(text, encoding="utf-8")
        return load_station(path)

    yield load_changed
    assert not [name for name in "abc" if Instrument.exist(name)]


def test_instruments_open_in_the_order_of_the_file_and_close_in_reverse(load):
    config = load()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with open_station(config, CLOCK) as station:
            assert station.bias.divider == 0.01
            assert station.bias.instrument is Instrument.find_instrument("b")
            assert station.bias.limits == config.limits == station.limits
            assert station.stm.clock is CLOCK
            assert station.thermometer is None
            assert station.microwave is None
    opened = ["open a", "open b", "open c"]
    assert [*opened, "close c", "close b", "close a"] == EVENTS


def test_stations_can_follow_one_another(load):
    boxes = []
    for _ in range(3):
        with open_station(load(), CLOCK) as station:
            box = station.bias.instrument
            assert box.volt() == 0.0  # nothing is left of the station before
            box.volt(1.0)
            boxes.append(box)
        assert not Instrument.exist("b")
    assert len({id(box) for box in boxes}) == 3
    assert EVENTS.count("open b") == 3


def test_a_failure_closes_what_was_open(load):
    config = load((C, f"{C}, address: 'GPIB::9', init: {{trouble: open}}"))
    with pytest.raises(InstrumentError, match=r"station.yaml:5:3: cannot open c .*GPIB::9.*nobody"):
        open_station(config, CLOCK)
    assert EVENTS[-2:] == ["close b", "close a"]


@pytest.mark.parametrize(
    "settings",
    [
        "init: {trubble: open}",
        "parameters: {vlt: {label: x}}",
    ],
)
def test_bad_settings_of_an_instrument_leave_nothing_open(load, settings):
    with pytest.raises(InstrumentError, match=r"station.yaml:5:3: cannot open c"):
        open_station(load((C, f"{C}, {settings}")), CLOCK)


def test_a_failing_close_does_not_keep_the_others_open(load):
    station = open_station(load((B, f"{B}, init: {{trouble: close}}")), CLOCK)
    with pytest.raises(CleanupError, match="close b: lost"):
        station.close()
    assert EVENTS[-3:] == ["close c", "close b", "close a"]
    station.close()  # a second time does nothing


def test_a_name_in_use_is_left_alone(load):
    other = Box("b")
    try:
        with pytest.raises(InstrumentError, match="'b' is open already"):
            open_station(load(), CLOCK)
        assert Instrument.find_instrument("b") is other
    finally:
        other.close()


def test_limits_narrow_and_the_driver_still_has_its_say(load):
    settings = (
        "parameters: {volt: {limits: [-20, 1]}}",
        "parameters: {volt: {limits: [-2, 1]}, 'channels[0].v': {limits: [0, 1]}}",
    )
    with pytest.raises(BadInputError) as caught:
        open_station(load((B, f"{B}, {settings[0]}")), CLOCK)
    assert caught.value.problems[0].line == 4
    assert "limits can only be narrowed" in str(caught.value)
    with open_station(load((B, f"{B}, {settings[1]}")), CLOCK) as station:
        box = station.bias.instrument
        for value in (-2, 1):
            box.volt(value)
        box.channels[1].v(9)
        for set_wrongly in (lambda: box.volt(1.01), lambda: box.channels[0].v(1.5)):
            with pytest.raises(ValueError, match="must be between"):
                set_wrongly()


def test_limits_of_a_channel_list_hold_for_every_channel(load):
    with open_station(load((C, f"{C}, channels: {{v: {{limits: [0, 1]}}}}")), CLOCK) as station:
        for channel in station.lockin.instrument.channels:
            with pytest.raises(ValueError, match="must be between"):
                channel.v(2)


def test_drivers_and_adapters_that_do_not_fit_are_all_named_before_anything_is_opened(load):
    config = load(
        (A, "a: {type: no.such.Driver"),
        (B, f"b: {{type: {__name__}.Bux"),
        ("Bias, divider: 0.01", "Bias, dividr: 0.01"),
        (f"{__name__}.LockIn", f"{__name__}.Stm"),
    )
    with pytest.raises(BadInputError) as caught:
        open_station(config, CLOCK)
    found = [(p.line, p.text) for p in caught.value.problems]
    says = ["cannot import 'no.such.Driver'", "did you mean 'Box'?", "did you mean 'divider'?",
            "does not fulfil the role 'lockin': it lacks configure"]  # fmt: skip
    assert [line for line, _ in found] == [3, 4, 8, 9]
    assert all(text in problem for text, (_, problem) in zip(says, found, strict=True))
    assert EVENTS == []


def test_an_option_that_the_adapter_refuses(load):
    with pytest.raises(BadInputError, match=r"station.yaml:8:3: .* -1 makes no sense"):
        open_station(load(("divider: 0.01", "divider: -1")), CLOCK)
    assert EVENTS[-1] == "close a"


def test_a_snapshot_is_plain_json_and_survives_failing_and_slow_instruments(load):
    config = load((A, f"{A}, init: {{trouble: read}}"), (B, f"{B}, init: {{read_time: 60}}"))
    with open_station(config, CLOCK) as station:
        snapshot = station.snapshot(budget=10)
        assert json.loads(json.dumps(snapshot)) == snapshot
    assert snapshot["instruments"]["b"]["parameters"]["level"]["value"] == 1.5
    assert "no reply" in snapshot["unread"]["a_level"]
    assert any(name.startswith("c_") for name in snapshot["unread"])
    assert snapshot["instruments"]["c"]["parameters"]["level"]["value"] is None


def test_restore_tries_every_step(caplog):
    done: list[str] = []

    def fail() -> None:
        raise TimeoutError("no reply")

    steps = [("one", lambda: done.append("1")), ("two", fail), ("three", lambda: done.append("3"))]
    with caplog.at_level(logging.CRITICAL):
        failures = restore(steps)
    assert done == ["1", "3"]
    assert [(name, str(error)) for name, error in failures] == [("two", "no reply")]
