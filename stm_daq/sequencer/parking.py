"""Bringing a station to its safe state: the feedback closed, or the tip withdrawn; all sources off."""

from __future__ import annotations

from stm_daq.clock import Clock
from stm_daq.errors import CleanupError
from stm_daq.sequencer.hold import close_loop
from stm_daq.station.roles import StationRoles
from stm_daq.station.safe_state import Failure, Step, restore

PATIENCE = 120.0
"""What does not work is tried again for so long (s): a controller may refuse connections for a while."""
PAUSE = 5.0
"""Between two attempts, s."""


def park(
    station: StationRoles,
    setpoint_bias: float,
    withdrawn: bool,
    clock: Clock,
    *,
    setpoint_current: float | None = None,
    heated: bool = False,
) -> tuple[list[Failure], bool]:
    """Bring everything to its safe state; every step is tried, whatever the others did.

    Parameters
    ----------
    station : StationRoles
    setpoint_bias : float
        Under which the feedback may be closed, V.
    withdrawn : bool
        Whether the tip had to be withdrawn; it stays so.
    clock : Clock
    setpoint_current : float, optional
        At which the tip is to stay, A; see :func:`close_loop`.
    heated : bool
        Whether the run regulates the temperature; then the heater is switched off.

    Returns
    -------
    failures : list
        What did not work, to the end.
    withdrawn : bool
        Whether the tip is withdrawn now.
    """
    steps: list[Step] = [
        ("stop the topograph", station.stm.stop_scan),
        ("reduce the modulation", station.lockin.modulation_off),
    ]
    if station.spectroscopy is not None:
        steps.append(
            ("switch the controller's modulation off", station.spectroscopy.modulation_off)
        )
    if station.microwave is not None:
        steps.append(("switch the microwaves off", station.microwave.off))
    if station.transport is not None:
        steps.append(("switch the current through the strip off", station.transport.off))
    if heated and station.temperature_control is not None:
        steps.append(("switch the heater off", station.temperature_control.heater_off))
    began = clock.now()
    safe, loop = withdrawn, list[Failure]()
    while True:
        if not safe:
            safe, withdrawn, loop = _restore_loop(station, setpoint_bias, setpoint_current)
        others = restore(steps)
        if (safe and not others) or clock.now() - began > PATIENCE:
            return loop + others, withdrawn
        failed = {name for name, _ in others}
        steps = [step for step in steps if step[0] in failed]
        clock.sleep(PAUSE)


def _restore_loop(
    station: StationRoles, bias: float, current: float | None
) -> tuple[bool, bool, list[Failure]]:
    """Close the loop or withdraw; return whether the tip is safe, is withdrawn, and what failed."""
    try:
        close_loop(station.stm, station.bias, bias, current=current)
    except CleanupError as error:
        return error.withdrawn, error.withdrawn, list(error.failures)
    return True, False, []
