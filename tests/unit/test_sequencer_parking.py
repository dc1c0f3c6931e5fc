"""Parking: any subset of its steps may fail, for a while or for ever; the others are carried out."""

import itertools
from types import SimpleNamespace

import pytest

from stm_daq.clock import VirtualClock
from stm_daq.errors import InstrumentError
from stm_daq.sequencer.parking import PATIENCE, park

NAMES = {
    "abort_list": "stop the bias list",
    "ramp_to": "ramp the bias back",
    "release": "close the feedback loop",
    "withdraw": "withdraw the tip",
    "stop_scan": "stop the topograph",
    "modulation_off": "reduce the modulation",
    "off": "switch the microwaves off",
}
SUBSETS = [c for n in range(len(NAMES) + 1) for c in itertools.combinations(NAMES, n)]
ALWAYS = {"abort_list", "ramp_to", "stop_scan", "modulation_off", "off"}
"""Steps that depend on no other one."""


class Instruments:
    """Plays every role; writes down what is asked, and fails where told, until a time."""

    def __init__(self, clock, failing, until=float("inf")):
        self.clock, self.failing, self.until = clock, failing, until
        self.calls = []

    def __getattr__(self, name):
        if name not in NAMES:
            raise AttributeError(name)

        def act(*_):
            self.calls.append(name)
            if name in self.failing and self.clock.now() < self.until:
                raise InstrumentError(f"{name} failed")

        return act


def station_of(all_roles):
    class Source:
        voltage = prepare_list = trigger_delay = start_list = lambda self: None
        abort_list = staticmethod(lambda: all_roles.abort_list())
        ramp_to = staticmethod(lambda volts: all_roles.ramp_to(volts))

    return SimpleNamespace(
        stm=all_roles,
        bias=Source(),
        lockin=all_roles,
        microwave=all_roles,
        spectroscopy=None,
        transport=None,
        temperature_control=None,
    )


@pytest.mark.parametrize("failing", SUBSETS, ids=lambda c: "+".join(c) or "none")
def test_all_others_are_carried_out_and_all_failures_reported(failing):
    clock = VirtualClock()
    roles = Instruments(clock, failing)
    failures, withdrawn = park(station_of(roles), 4e-3, withdrawn=False, clock=clock)
    unsafe = bool({"ramp_to", "release"} & set(failing))
    tried = set(roles.calls)
    assert tried >= ALWAYS
    assert ("release" in tried) == ("ramp_to" not in failing)
    assert ("withdraw" in tried) == unsafe
    assert withdrawn == (unsafe and "withdraw" not in failing)
    assert {name for name, _ in failures} == {NAMES[step] for step in set(failing) & tried}
    assert clock.now() <= PATIENCE + 10.0


@pytest.mark.parametrize(
    "failing", [("release", "withdraw"), ("off",), ("stop_scan", "ramp_to", "withdraw")]
)
def test_what_works_again_after_a_while_is_no_failure(failing):
    clock = VirtualClock()
    roles = Instruments(clock, failing, until=30.0)
    failures, withdrawn = park(station_of(roles), 4e-3, withdrawn=False, clock=clock)
    assert failures == []
    assert not withdrawn
    assert 30.0 <= clock.now() < 60.0


def test_a_withdrawn_tip_stays_where_it_is():
    roles = Instruments(VirtualClock(), ())
    failures, withdrawn = park(station_of(roles), 4e-3, withdrawn=True, clock=roles.clock)
    assert (failures, withdrawn) == ([], True)
    assert not {"release", "ramp_to", "withdraw"} & set(roles.calls)
