"""Bringing a station to its safe state: the feedback closed, or the tip withdrawn; all sources off."""

from __future__ import annotations

from stm_daq.errors import CleanupError
from stm_daq.sequencer.hold import close_loop
from stm_daq.station.roles import StationRoles
from stm_daq.station.safe_state import Failure, Step, restore


def park(
    station: StationRoles, setpoint_bias: float, withdrawn: bool, *, heated: bool = False
) -> tuple[list[Failure], bool]:
    """Bring everything to its safe state; every step is tried, whatever the others did.

    Parameters
    ----------
    station : StationRoles
    setpoint_bias : float
        Under which the feedback may be closed, V.
    withdrawn : bool
        Whether the tip had to be withdrawn; it stays so.
    heated : bool
        Whether the run regulates the temperature; then the heater is switched off.

    Returns
    -------
    failures : list
        What did not work.
    withdrawn : bool
        Whether the tip is withdrawn now.
    """
    failures = list[Failure]()
    try:
        if not withdrawn:
            close_loop(station.stm, station.bias, setpoint_bias)
    except CleanupError as error:
        withdrawn = error.withdrawn
        failures.extend(error.failures)
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
    if heated and station.temperature_control is not None:
        steps.append(("switch the heater off", station.temperature_control.heater_off))
    return failures + restore(steps), withdrawn
