"""The topograph between the spectra: strips that are scanned as the sites go on."""

from __future__ import annotations

from collections.abc import Callable

from stm_daq.clock import Clock
from stm_daq.plan import Group, Sites, strip
from stm_daq.records import Record, TopographRows
from stm_daq.station.roles import StmController


class TopographScan:
    """Scans the topograph of a map row by row; can begin again at any row.

    Parameters
    ----------
    sites : Sites
    stm : StmController
    clock : Clock
    emit : callable
    """

    def __init__(
        self, sites: Sites, stm: StmController, clock: Clock, emit: Callable[[Record], None]
    ) -> None:
        self._sites = sites
        self._stm = stm
        self._clock = clock
        self._emit = emit
        self._first = 0

    def prepare(self, first_row: int = 0, shift: tuple[float, float] = (0.0, 0.0)) -> None:
        """Set up the part of the frame from `first_row` on.

        Parameters
        ----------
        first_row : int
            Controllers scan a frame from its first row; so the frame becomes the strip that is left.
        shift : (float, float)
            By which the frame is moved because the sample has drifted, m.
        """
        topograph = self._sites.topograph
        if topograph is None or first_row >= topograph.shape[0]:
            return
        rows, columns = topograph.shape
        frame = strip(self._sites.frame, rows, first_row, shift)
        self._stm.prepare_scan(frame, columns, rows - first_row, topograph.line_time)
        self._first = first_row

    def scan(self, group: Group, step: int) -> None:
        """Scan the rows of a group and tell of them."""
        self._stm.scan_rows(group.rows)
        begin = group.first_row - self._first
        z = self._stm.scan_data()[begin : begin + group.rows]
        self._emit(TopographRows(self._clock.wall(), group.first_row, z, step))

    def stop(self) -> None:
        """End the scan; the tip stays where it is, with feedback."""
        if self._sites.topograph is not None:
            self._stm.stop_scan()
