"""Who carries out the sweep of a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial

from stm_daq.clock import Clock
from stm_daq.errors import BadInputError
from stm_daq.plan import Plan, Sweep
from stm_daq.plan.power_sweep import PowerSweep
from stm_daq.sequencer.controller import ControllerSweep
from stm_daq.sequencer.height import TipHeight
from stm_daq.sequencer.points import PointSweep
from stm_daq.sequencer.power_cycles import PowerCycles
from stm_daq.sequencer.signals import JunctionSignals
from stm_daq.sequencer.sweep import DacSweep
from stm_daq.sequencer.sweeper import Sweeper
from stm_daq.station.list_source import require_list_source
from stm_daq.station.roles import MicrowaveSource, StationRoles
from stm_daq.station.safe_state import restore


def choose_sweeper(plan: Plan, station: StationRoles, height: TipHeight, clock: Clock) -> Sweeper:
    """Return what carries out the sweep of a plan on a station; touches nothing.

    Raises
    ------
    BadInputError
        If the station has nothing that could.
    """
    sweep = plan.sweep
    signals = JunctionSignals(sweep, station.lockin, station.preamplifier, clock)
    if sweep.kind == "dac":
        bias = require_list_source(station.bias)
        return DacSweep(
            sweep, station.limits, signals, bias=bias, lockin=station.lockin, clock=clock
        )
    if sweep.kind == "controller":
        spectroscopy = station.spectroscopy
        if spectroscopy is None:
            raise BadInputError(
                "the plan lets the controller sweep; the station has no `spectroscopy`"
            )
        return ControllerSweep(
            plan, spectroscopy, lockin=station.lockin, preamplifier=station.preamplifier
        )
    if sweep.power_sweep is not None:
        return _power_cycles(sweep, sweep.power_sweep, station, signals, clock)
    points = partial(PointSweep, sweep, signals, lockin=station.lockin, clock=clock)
    if sweep.swept_name == "microwave_power":
        source = station.microwave
        if source is None:
            raise BadInputError("the plan sweeps microwaves; the station has no `microwave`")
        return points(
            go_to=source.set_power,
            switched_on=partial(_microwaves, source),
            prepare=partial(_set_frequency, source, sweep.microwave_frequency),
            flags=source.flags,
        )
    go_to: Callable[[float], None] = station.bias.ramp_to
    if sweep.swept_name == "z":
        go_to = height.move_to
    return points(go_to=go_to, switched_on=nullcontext, prepare=_nothing, flags=_no_flags)


def _power_cycles(
    sweep: Sweep,
    cycles: PowerSweep,
    station: StationRoles,
    signals: JunctionSignals,
    clock: Clock,
) -> PowerCycles:
    if station.microwave is None:
        raise BadInputError("the plan sweeps microwaves; the station has no `microwave`")
    wanted = cycles.transport.probe or cycles.transport.points
    if wanted and station.transport is None:
        raise BadInputError("the plan measures the strip; the station has no `transport`")
    return PowerCycles(
        sweep,
        cycles,
        signals,
        lockin=station.lockin,
        source=station.microwave,
        transport=station.transport if wanted else None,
        clock=clock,
    )


@contextmanager
def _microwaves(source: MicrowaveSource) -> Iterator[None]:
    """Let the source be on inside the block, whatever happens there off afterwards."""
    try:
        source.on()
        yield
    except BaseException:
        restore([("switch the microwaves off", source.off)])
        raise
    source.off()


def _set_frequency(source: MicrowaveSource, hertz: float | None) -> None:
    if hertz is not None:
        source.set_frequency(hertz)


def _nothing() -> None:
    pass


def _no_flags() -> tuple[str, ...]:
    return ()
