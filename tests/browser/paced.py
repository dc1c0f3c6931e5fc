"""A rehearsal that waits at every site until somebody who watches it is ready.

    python -m tests.browser.paced PLAN PORT RUNS GO

Without it a rehearsal, a hundred times faster than a night, would be over before a slow browser has
drawn its first map.
"""

from __future__ import annotations

import sys
from pathlib import Path

from stm_daq import night
from stm_daq.clock import RealClock
from stm_daq.monitor.publisher import Publisher
from stm_daq.past import JournalPast
from stm_daq.records import Record, Spectrum
from stm_daq.rehearsal import Rehearsal

STATION = Path(__file__).parents[2] / "station.yaml"
PACE = 0.5
"""s a site, as long as the file GO is not there."""


def rehearse(plan: Path, port: int, runs: Path, go: Path) -> None:
    """Rehearse `plan`, published at `port`."""

    def wait(record: Record) -> None:
        if isinstance(record, Spectrum) and not go.exists():
            RealClock().sleep(PACE)

    with Publisher(port, runs=runs, open_past=JournalPast) as publisher:
        prepared = night.prepare_night(plan, STATION).watched_by([publisher.publish, wait])
        night.rehearse(prepared.attended_by([publisher.attend]), runs, Rehearsal(epoch=1.8e9))


if __name__ == "__main__":
    rehearse(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))
