"""Any PyMeasure class as a QCoDeS instrument: what becomes of its properties."""

from __future__ import annotations

from typing import Any

import pytest
from pymeasure.instruments import Channel, Instrument, SCPIMixin, validators

from drivers.pymeasure import PymeasureInstrument

ADDRESS = "TCPIP0::192.168.8.23::inst0::INSTR"


class Output(Channel):
    """A channel."""

    level = Channel.control(
        "LEV{ch}?", "LEV{ch} %g", "Control the level in V.",
        validator=validators.truncated_range, values=[-1, 1],
    )  # fmt: skip


class Everything(SCPIMixin, Instrument):
    """A PyMeasure instrument with every kind of property."""

    def __init__(self, adapter: Any, name: str = "everything", **kwargs: Any) -> None:
        self.heard: list[str] = []
        super().__init__(adapter, name, **kwargs)

    def write(self, command: str, **kwargs: Any) -> None:
        """Record; nothing is sent."""
        self.heard.append(command)

    def values(self, command: str, **kwargs: Any) -> list[Any]:
        """Answer 0.5 to everything."""
        self.heard.append(command)
        return [0.5]

    outputs = Instrument.MultiChannelCreator(Output, ["A", "B"])
    clipped = Instrument.control(
        "CLIP?", "CLIP %g", "Control the amplitude in volts.",
        validator=validators.truncated_range, values=[0.0, 2.0],
    )  # fmt: skip
    strict = Instrument.control(
        "STR?", "STR %g", "Control the frequency in Hz.",
        validator=validators.strict_range, values=[1, 1e5], dynamic=True,
    )  # fmt: skip
    turned = Instrument.control(
        "TURN?", "TURN %g", "Control the phase in degrees.",
        validator=validators.modular_range_bidirectional, values=[-180, 180],
    )  # fmt: skip
    stepped = Instrument.control(
        "STEP?", "STEP %g", "Control the range.",
        validator=validators.truncated_discrete_set, values=[1, 10, 100],
    )  # fmt: skip
    named = Instrument.control(
        "NAME?", "NAME %d", "Control the filter.",
        validator=validators.strict_discrete_set, values={"slow": 0, "fast": 1}, map_values=True,
    )  # fmt: skip
    free = Instrument.control("FREE?", "FREE %g", "Control something without a validator.")
    measured = Instrument.measurement("MEAS?", "Measure the current in A.")
    written = Instrument.setting("SET %g", "Set what cannot be read.",
                                 validator=validators.strict_range, values=[0, 1])  # fmt: skip
    blind = Instrument.setting("BLIND %g", "Set what nobody knows.")

    @property
    def by_hand(self) -> float:
        """Get a number in V."""
        return 3.0


@pytest.fixture
def made(twin: Any) -> Any:
    def make(**changes: Any) -> PymeasureInstrument:
        address = "TCPIP0::192.168.8.21::inst0::INSTR"
        return PymeasureInstrument("every", address, f"{__name__}.Everything", **changes)

    return make


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the wrapper import this very module."""
    import sys
    from types import ModuleType

    module = ModuleType(__name__)
    module.Everything = Everything  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, __name__, module)


def test_properties_become_parameters(made: Any) -> None:
    every = made()
    units = {"clipped": "V", "strict": "Hz", "turned": "°", "measured": "A", "by_hand": "V"}
    assert {name: every.parameters[name].unit for name in units} == units
    assert every.clipped.label == "Clipped"
    assert every.measured() == 0.5
    assert every.by_hand() == 3.0
    assert "blind" not in every.parameters
    assert set(every.submodules) == {"ch_A", "ch_B"}


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("clipped", 1.5, 2.5),
        ("strict", 10.0, 0.5),
        ("turned", -90.0, 270.0),
        ("stepped", 10, 11),
        ("named", "fast", "quick"),
        ("written", 0.5, 1.5),
    ],
)
def test_what_a_validator_would_bend_is_refused(made: Any, name: str, good: Any, bad: Any) -> None:
    every = made()
    every.parameters[name](good)
    count = len(every.device.heard)
    with pytest.raises((ValueError, TypeError)):
        every.parameters[name](bad)
    assert len(every.device.heard) == count


def test_channels_are_submodules(made: Any) -> None:
    every = made()
    module = every.submodules["ch_A"]
    module.level(0.25)
    assert every.device.heard[-1] == "LEVA 0.25"
    assert module.level.unit == "V"
    with pytest.raises(ValueError, match="between -1"):
        module.level(1.5)


def test_a_property_without_limits_can_only_be_read(made: Any) -> None:
    every = made()
    assert every.free() == 0.5
    assert not every.free.settable


def test_station_yaml_tells_and_narrows_limits(made: Any) -> None:
    every = made(limits={"free": [0, 3], "clipped": [0, 1]}, units={"free": "K"})
    every.free(2.5)
    assert every.free.unit == "K"
    with pytest.raises(ValueError, match="between 0"):
        every.clipped(1.5)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"limits": {"clipped": [0, 3]}}, "wider than 0 to 2"),
        ({"limits": {"stepped": [0, 3]}}, "fixed values"),
        ({"units": {"clippd": "V"}}, "no property 'clippd'"),
    ],
)
def test_mistakes_in_station_yaml_are_told(made: Any, changes: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        made(**changes)


def test_a_class_that_is_not_there(twin: Any) -> None:
    with pytest.raises(ValueError, match="cannot import the PyMeasure class"):
        PymeasureInstrument("none", ADDRESS, "pymeasure.instruments.anapico.Nothing")


def test_values_of_this_very_instrument_count(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Everything.__init__

    def narrow(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.strict_values = [1, 1e3]

    monkeypatch.setattr(Everything, "__init__", narrow)
    with pytest.raises(ValueError, match="between 1"):
        made().strict(1e4)


def test_a_snapshot_reads_settings_but_measures_nothing(made: Any) -> None:
    every = made()
    every.device.heard.clear()
    snapshot = every.snapshot(update=True)
    assert snapshot["parameters"]["clipped"]["value"] == 0.5
    assert snapshot["parameters"]["clipped"]["unit"] == "V"
    assert "MEAS?" not in every.device.heard
    assert not [word for word in every.device.heard if "?" not in word]


@pytest.mark.parametrize(
    "driver",
    [
        "pymeasure.instruments.srs.SR830",
        "pymeasure.instruments.yokogawa.YokogawaGS200",
        "pymeasure.instruments.keithley.Keithley2400",
        "pymeasure.instruments.lakeshore.LakeShore331",
        "pymeasure.instruments.signalrecovery.DSP7265",
        "pymeasure.instruments.hp.HP33120A",
    ],
)
def test_classes_of_pymeasure_itself_can_be_wrapped(house: Any, driver: str) -> None:
    wrapped = PymeasureInstrument("wrapped", "TCPIP0::192.168.8.23::inst0::INSTR", driver)
    places = [wrapped, *wrapped.submodules.values()]
    settable = [p for place in places for p in place.parameters.values() if p.settable]
    assert settable
    assert all(p.validators for p in settable)
