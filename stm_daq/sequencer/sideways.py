"""The only way sideways: at a set-point at which the tip does not plough the surface."""

from __future__ import annotations

from collections.abc import Callable

from stm_daq.records import Frame
from stm_daq.sequencer.setpoint import Setpoint
from stm_daq.station.roles import StmController, never


class Sideways:
    """Moves the tip along the surface; nothing else in the sequencer does.

    If the plan has a set-point for travel, the tip is brought there first.

    Parameters
    ----------
    stm : StmController
    setpoint : Setpoint
    """

    def __init__(self, stm: StmController, setpoint: Setpoint) -> None:
        self._stm = stm
        self._setpoint = setpoint

    def move_to(self, x: float, y: float) -> None:
        """Move the tip to (x, y), m.

        Raises
        ------
        InstrumentError
            If it is not fit to move, or did not arrive.
        """
        self._setpoint.leave()
        self._stm.move_to(x, y)

    def scan(
        self,
        frame: Frame,
        pixels: tuple[int, int],
        line_time: float,
        stop: Callable[[], bool] = never,
    ) -> bool:
        """Scan the (rows, columns) of a whole frame; return whether `stop` let it be finished.

        Raises
        ------
        InstrumentError
            If the tip is not fit to move, or the scan failed.
        """
        self._setpoint.leave()
        rows, columns = pixels
        self._stm.prepare_scan(frame, columns, rows, line_time)
        return self._stm.scan_rows(rows, stop)
