"""The feedback comes back on every path: all combinations of failing steps are tried."""

import itertools

import pytest

from stm_daq.errors import CleanupError, InstrumentError
from stm_daq.sequencer.height import TipHeight
from stm_daq.sequencer.hold import close_loop, held_feedback

STEPS = ("abort_list", "ramp_to", "release", "withdraw")
COMBINATIONS = [c for n in range(5) for c in itertools.combinations(STEPS, n)]


class Recorder:
    """Plays controller and bias source; writes down what is asked, fails where told."""

    def __init__(self, failing=()):
        self.calls = []
        self.failing = set(failing)

    def _do(self, name):
        self.calls.append(name)
        if name in self.failing:
            raise InstrumentError(f"{name} failed")

    def hold(self):
        self._do("hold")

    def release(self):
        self._do("release")

    def withdraw(self):
        self._do("withdraw")

    def abort_list(self):
        self._do("abort_list")

    voltage = prepare_list = trigger_delay = start_list = lambda self: None  # it plays lists

    def ramp_to(self, volts):
        self.volts = volts
        self._do("ramp_to")


class Plain:
    """A bias source that plays no lists."""

    def __init__(self):
        self.calls = []

    def voltage(self):
        return 0.0

    def ramp_to(self, volts):
        self.calls.append("ramp_to")


def test_source_without_a_list_has_none_to_stop():
    controller, bias = Recorder(), Plain()
    close_loop(controller, bias, 4e-3)
    assert (bias.calls, controller.calls) == (["ramp_to"], ["release"])


def test_good_sweep_only_closes_the_loop():
    station = Recorder()
    with held_feedback(station, station, 4e-3):
        station.calls.append("sweep")
    assert station.calls == ["hold", "sweep", "release"]


@pytest.mark.parametrize("trouble", [InstrumentError, KeyboardInterrupt, ZeroDivisionError])
def test_trouble_brings_the_bias_back_before_the_loop_closes(trouble):
    station = Recorder()
    with pytest.raises(trouble), held_feedback(station, station, 4e-3):
        raise trouble("in the sweep")
    assert station.calls == ["hold", "abort_list", "ramp_to", "release"]
    assert station.volts == 4e-3


def test_hold_that_is_not_confirmed_closes_the_loop():
    station = Recorder(["hold"])
    with pytest.raises(InstrumentError, match="hold failed"), held_feedback(station, station, 4e-3):
        pytest.fail("the sweep must not start")
    assert station.calls[-1] == "release"


@pytest.mark.parametrize("failing", COMBINATIONS, ids="+".join)
def test_every_step_is_tried_whatever_fails(failing):
    station = Recorder(failing)
    failures, withdrawn, text = (), False, ""
    try:
        close_loop(station, station, 4e-3)
    except CleanupError as error:
        failures, withdrawn, text = error.failures, error.withdrawn, str(error)
    assert ("the tip was withdrawn" in text) == withdrawn
    assert station.calls[:2] == ["abort_list", "ramp_to"]
    if "ramp_to" in failing:
        assert "release" not in station.calls, "closing the loop at a wrong bias crashes the tip"
    danger = bool({"ramp_to", "release"} & set(failing))
    assert (station.calls[-1] == "withdraw") == danger
    assert withdrawn == (danger and "withdraw" not in failing)
    assert {str(error).split()[0] for _, error in failures} == set(failing) & set(station.calls)


def test_what_went_wrong_first_is_told_with_what_could_not_be_restored():
    station = Recorder(["ramp_to"])
    hold = held_feedback(station, station, 4e-3)
    with (
        pytest.raises(CleanupError, match=r"ramp_to failed.*began with: no reply from the lock-in"),
        hold,
    ):
        raise InstrumentError("no reply from the lock-in")


def test_failed_release_after_a_good_sweep_is_reported():
    station = Recorder(["release"])
    hold = held_feedback(station, station, 4e-3)
    with pytest.raises(CleanupError, match="close the feedback loop"), hold:
        pass
    assert station.calls[-1] == "withdraw"


class Lifted(Recorder):
    """A controller whose held tip can be moved."""

    def __init__(self, failing=()):
        super().__init__(failing)
        self.z = 7e-9

    def height_and_current(self):
        return self.z, 1e-10

    def move_z_to(self, z):
        self.z = z
        self._do("move_z_to")


def spoilt_sweep(station, height, *failing):
    height.move_to(1e-9)
    assert station.z == pytest.approx(8e-9)
    station.failing.update(failing)
    raise InstrumentError("in the sweep")


def test_the_height_is_brought_back_between_bias_and_loop():
    station = Lifted()
    height = TipHeight(station)
    hold = held_feedback(station, station, 4e-3, height)
    with pytest.raises(InstrumentError, match="in the sweep"), hold:
        spoilt_sweep(station, height)
    assert station.calls == ["hold", "move_z_to", "abort_list", "ramp_to", "move_z_to", "release"]
    assert station.z == pytest.approx(7e-9)


def test_after_a_move_that_failed_the_tip_is_not_moved_blindly():
    station = Lifted(["move_z_to"])
    height = TipHeight(station)
    hold = held_feedback(station, station, 4e-3, height)
    with pytest.raises(InstrumentError, match="move_z_to failed"), hold:
        height.move_to(1e-9)
    assert station.calls == ["hold", "move_z_to", "abort_list", "ramp_to", "release"]
    with pytest.raises(InstrumentError, match="not known"):
        height.move_to(0.0)


def test_a_height_that_does_not_come_back_is_told_and_the_loop_closed():
    station = Lifted()
    height = TipHeight(station)
    hold = held_feedback(station, station, 4e-3, height)
    with pytest.raises(CleanupError, match="bring the tip's height back") as told, hold:
        spoilt_sweep(station, height, "move_z_to")
    assert station.calls[-1] == "release"
    assert not told.value.withdrawn
