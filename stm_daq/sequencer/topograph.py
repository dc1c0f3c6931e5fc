"""The topograph between the spectra: a strip before each row of sites, each a scan of its own."""

from __future__ import annotations

from collections.abc import Callable

from stm_daq.clock import Clock
from stm_daq.plan import Group, Sites, strip
from stm_daq.records import Record, TopographRows
from stm_daq.sequencer.sideways import Sideways
from stm_daq.station.roles import StmController


class TopographScan:
    """Scans the topograph of a map strip by strip.

    A strip is a whole scan to the controller, which never has to be paused while the tip visits
    sites, and begins in the same way whether or not the run was interrupted before.

    Parameters
    ----------
    sites : Sites
    stm : StmController
    sideways : Sideways
    clock : Clock
    emit : callable
    stopping : callable
        Whether the run is to stop.
    """

    def __init__(
        self,
        sites: Sites,
        stm: StmController,
        sideways: Sideways,
        clock: Clock,
        emit: Callable[[Record], None],
        stopping: Callable[[], bool],
    ) -> None:
        self._sites = sites
        self._stm = stm
        self._sideways = sideways
        self._clock = clock
        self._emit = emit
        self._stopping = stopping

    def scan(self, group: Group, step: int, shift: tuple[float, float] = (0.0, 0.0)) -> None:
        """Scan the rows of a group and tell of them, unless the run is to stop before they are done.

        Parameters
        ----------
        group : Group
        step : int
            Of the outer axes.
        shift : (float, float)
            How far the sample has drifted, m; the strip is moved by it.
        """
        topograph = self._sites.topograph
        assert topograph is not None
        rows, columns = topograph.shape
        last = group.first_row + group.rows
        frame = strip(self._sites.frame, rows, group.first_row, last, shift)
        pixels = group.rows, columns
        if not self._sideways.scan(frame, pixels, topograph.line_time, self._stopping):
            return
        z = self._stm.scan_data()
        self._emit(TopographRows(self._clock.wall(), group.first_row, z, step))

    def stop(self) -> None:
        """End the scan; the tip stays where it is, with feedback."""
        if self._sites.topograph is not None:
            self._stm.stop_scan()
