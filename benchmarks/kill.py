"""Kills rehearsals at random instants, goes on with them, and compares the maps bit for bit.

Every trial rehearses a small plan in a process of its own, kills it (SIGKILL), resumes it, kills the
resumed run again, and so on; at last it may finish. Its map must be that of an uninterrupted
rehearsal with the same seed, every journal that a kill leaves behind must be readable, and must hold
every spectrum of which an observer was told.

    python benchmarks/kill.py [--kills 500] [--plan plain|careful|steps|skips|all] [--seed 1]
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

import stm_daq
from stm_daq import night
from stm_daq.errors import StmDaqError
from stm_daq.records import Spectrum
from stm_daq.rehearsal import Rehearsal
from stm_daq.store import schema
from stm_daq.store.reading import reader, whole_rows

ROOT = Path(__file__).resolve().parents[1]
EPOCH = 1.8e9
SEED = 3
KILLS_PER_RUN = 4
PHASES = ("opening", "topograph", "sweep", "commit", "between")
TINY = (
    ("columns: 64, rows: 64", "columns: 16, rows: 16"),
    ("every: 2 ", "every: 4 "),
    ("points: 256", "points: 64"),
)
CAREFUL = """
drift: {every: "20 s", size: "40 nm", pixels: 32, line_time: "50 ms", largest: "8 nm"}
want: {gap: "3 ueV"}
adaptive: {most: 3}
again: {most: 1}
tip_change: {z: "1 nm", reaction: remeasure}
"""

STEPS = """
axes:
  - setpoint_current: {values: ["80 pA", "120 pA"], settle: "1 s"}
  - repeat: 2
again: {most: 1}
"""


def skips() -> str:
    """A guard skips all sites of the first minute."""
    first, last = (f"{datetime.fromtimestamp(EPOCH + s):%H:%M}" for s in (60, -60))
    guard = f'{{time_of_day: {{start: "{first}", end: "{last}"}}, action: skip}}'
    return f"\nguards:\n  - {guard}\nagain: {{most: 1}}\n" + CAREFUL.replace("again", "# again")


PLANS = {"plain": "", "careful": CAREFUL, "steps": STEPS, "skips": skips()}

# Where there is a fork server, a process costs a few milliseconds: it has imported everything.
_METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


@dataclass
class Tally:
    """What the kills did."""

    phases: Counter[str] = field(default_factory=Counter)
    """What was going on at the kill."""
    too_late: int = 0
    """Processes that had finished before they were killed."""
    acknowledged: int = 0
    lost: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    unequal: list[str] = field(default_factory=list)
    maps: int = 0

    @property
    def kills(self) -> int:
        return self.phases.total()

    @property
    def troubles(self) -> list[str]:
        return self.lost + self.unreadable + self.unequal


def write_plan(folder: Path, blocks: str = "") -> Path:
    """Write a plan of 4 x 4 spectra."""
    text = (ROOT / "plans/tin_demo.yaml").read_text(encoding="utf-8")
    for old, new in TINY:
        text = text.replace(old, new)
    path = folder / "plan.yaml"
    path.write_text(text + blocks, encoding="utf-8")
    return path


def child(plan: Path, runs: Path, diary: Path) -> None:
    """Rehearse a plan, or go on with the run in `runs`; write a line for all that happens."""
    with diary.open("ab", buffering=0) as out:

        def tell(line: str) -> None:
            out.write(f"{line}\n".encode())

        def acknowledge(record: object) -> None:
            if isinstance(record, Spectrum):
                tell(f"stored {record.site.index} {record.attempt}")

        tell("opening")
        _tell_phases(tell)
        folder = run_in(runs)
        if folder is None:
            prepared = night.prepare_night(plan, ROOT / "station.yaml", "needed")
            watched = prepared.watched_by([acknowledge])
            night.rehearse(watched, runs, Rehearsal(seed=SEED, epoch=EPOCH))
        else:
            prepared, unfinished = night.prepare_resume(folder)
            night.resume(prepared, unfinished, [acknowledge])
        tell("over")


def _tell_phases(tell: Callable[[str], None]) -> None:
    """Let the parts of a run say when they begin and end."""
    from stm_daq.sequencer.site import SiteMeasurement
    from stm_daq.sequencer.topograph import TopographScan
    from stm_daq.store.journal import Journal

    places: list[tuple[Any, str, str]] = [
        (TopographScan, "scan", "topograph"),
        (SiteMeasurement, "measure", "sweep"),
        (Journal, "write", "commit"),
    ]
    for owner, name, phase in places:
        setattr(owner, name, _told(getattr(owner, name), phase, tell))


def _told(method: Callable[..., Any], phase: str, tell: Callable[[str], None]) -> Any:
    def wrapped(*arguments: Any, **options: Any) -> Any:
        tell(phase)
        try:
            return method(*arguments, **options)
        finally:
            tell("between")

    return wrapped


def run_in(runs: Path) -> Path | None:
    """Return the folder of the run that has got as far as a journal."""
    found = sorted(runs.glob(f"*/{schema.FILE_NAME}"))
    return found[0].parent if found else None


def lines_of(diary: Path) -> list[str]:
    """Return the whole lines of a diary; what the kill cut off was never said."""
    if not diary.exists():
        return []
    return [line.decode() for line in diary.read_bytes().splitlines(True) if line.endswith(b"\n")]


class Killer:
    """Kills rehearsals of one plan and looks at what is left.

    Parameters
    ----------
    folder : Path
        For plans and runs.
    blocks : str
        Added to the plan.
    seed : int
        Of the instants.
    """

    def __init__(self, folder: Path, blocks: str, seed: int) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._plan = write_plan(folder, blocks)
        self._random = random.Random(seed)
        self._context: Any = multiprocessing.get_context(_METHOD)
        if _METHOD == "forkserver":
            self._context.set_forkserver_preload([__name__, *WARM])
        began = time.perf_counter()
        whole = folder / "whole"
        diary = folder / "whole.txt"
        self._start(whole, diary).join()
        self._seconds = time.perf_counter() - began
        self._lines = len(lines_of(diary))
        found = run_in(whole)
        if found is None or not _is_finished(whole):
            raise SystemExit("the uninterrupted rehearsal failed")
        self._whole = stm_daq.open_run(found).load()
        self.tally = Tally()

    def trial(self, number: int, kills: int = KILLS_PER_RUN) -> None:
        """Kill one run `kills` times, let it finish, and compare."""
        runs, diary = self._folder / f"runs{number}", self._folder / f"{number}.txt"
        for _ in range(kills):
            process = self._start(runs, diary)
            self._wait(diary)
            process.kill()
            process.join()
            if lines_of(diary)[-1:] == ["over\n"]:
                self.tally.too_late += 1
                break
            self._look(number, runs, lines_of(diary))
            if _is_finished(runs):
                break
        else:
            self._start(runs, diary).join()
        self._compare(number, runs, lines_of(diary))

    def _start(self, runs: Path, diary: Path) -> Any:
        process = self._context.Process(target=child, args=(self._plan, runs, diary))
        process.start()
        return process

    def _wait(self, diary: Path) -> None:
        """Wait for a random instant: of time, or in the middle of what happens next."""
        if self._random.random() < 0.2:
            time.sleep(self._random.uniform(0.0, self._seconds))
            return
        target = len(lines_of(diary)) + self._random.randrange(self._lines // 2)
        until = time.perf_counter() + 20 * self._seconds
        while len(found := lines_of(diary)) < target and time.perf_counter() < until:
            if found[-1:] == ["over\n"]:
                return
            time.sleep(0.0005)
        time.sleep(self._random.uniform(0.0, 0.01))

    def _look(self, number: int, runs: Path, diary: Sequence[str]) -> None:
        tally = self.tally
        phases = [line.strip() for line in diary if line.strip() in PHASES]
        tally.phases[phases[-1] if phases else "opening"] += 1
        told = _told_of(diary)
        folder = run_in(runs)
        if folder is None:
            if told:
                tally.lost.append(f"{number}: {len(told)} spectra, and no journal")
            return
        try:
            stored = _stored_in(folder)
        except (StmDaqError, ValueError) as error:
            tally.unreadable.append(f"{number}: {error}")
            return
        if missing := told - stored:
            tally.lost.append(f"{number}: {sorted(missing)}")

    def _compare(self, number: int, runs: Path, diary: Sequence[str]) -> None:
        self.tally.maps += 1
        self.tally.acknowledged += len(_told_of(diary))
        folder = run_in(runs)
        if folder is None:
            self.tally.unequal.append(f"{number}: no run")
            return
        found = stm_daq.open_run(folder).load()
        differing = [
            str(name)
            for name, values in self._whole.variables.items()
            if not _equal(values.values, found[name].values)
        ]
        if found.attrs["state"] != "finished" or differing:
            self.tally.unequal.append(f"{number}: {found.attrs['state']}, {differing}")


def _told_of(diary: Sequence[str]) -> set[tuple[int, int]]:
    words = [line.split() for line in diary if line.startswith("stored ")]
    return {(int(site), int(attempt)) for _, site, attempt in words}


def _stored_in(folder: Path) -> set[tuple[int, int]]:
    with reader(folder) as connection:
        if connection.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            raise ValueError("damaged")
        found = [schema.spectrum_of(row) for row in whole_rows(connection, "spectrum")]
    stm_daq.open_run(folder).load()
    return {(spectrum.site.index, spectrum.attempt) for spectrum in found}


def _is_finished(runs: Path) -> bool:
    folder = run_in(runs)
    return folder is not None and stm_daq.open_run(folder).attrs["state"] == "finished"


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    exact = one.dtype.kind != "f"
    return bool(np.array_equal(one, other) if exact else np.array_equal(one, other, equal_nan=True))


WARM = ("drivers.nanonis", "drivers.sr830", "drivers.qdac2", "sim.twin", "stm_daq.fitting.solver",
        "qcodes_contrib_drivers.drivers.QDevil.QDAC2", "xarray")  # fmt: skip


def main() -> int:
    """Print the table; return 1 if anything was lost."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--plan", choices=[*PLANS, "all"], default="all")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chosen = PLANS if options.plan == "all" else {options.plan: PLANS[options.plan]}
    header = ("plan", "kills", *(f"in {phase}" for phase in PHASES), "spectra acknowledged",
              "of them lost", "unreadable journals", "maps", "not equal")  # fmt: skip
    print("| " + " | ".join(header) + " |\n|" + " --- |" * len(header), flush=True)
    troubles: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, blocks in chosen.items():
            killer = Killer(Path(folder) / name, blocks, options.seed)
            tally = killer.tally
            for number in itertools.count():
                if tally.kills >= options.kills // len(chosen):
                    break
                killer.trial(number)
            cells = (name, tally.kills, *(tally.phases[phase] for phase in PHASES),
                     tally.acknowledged, len(tally.lost), len(tally.unreadable),
                     tally.maps, len(tally.unequal))  # fmt: skip
            print("| " + " | ".join(map(str, cells)) + " |", flush=True)
            troubles += [f"{name} {text}" for text in tally.troubles]
    print(*troubles, sep="\n")
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main())
