"""Every reply may fail: a 3 x 3 map, again and again, each time with another message spoilt.

    python benchmarks/every_reply.py                    # every message, every kind of fault
    python benchmarks/every_reply.py --step 25          # every 25th message
    python benchmarks/every_reply.py --kinds lost late  # these faults only
    python benchmarks/every_reply.py --cases lost:17    # one case, its events shown

The station of station.yaml stays open; every run sets it up anew, as an operator would. Afterwards the
world itself is asked what the tip suffered, every instrument is asked something harmless, and the
spectra are compared with those of runs without a fault: what differs by more than noise must carry a
flag.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from sim.faults import KINDS
from sim.twin import Twin
from stm_daq import night
from stm_daq.clock import RealClock
from stm_daq.errors import InstrumentError, StmDaqError
from stm_daq.plan import Plan
from stm_daq.records import Event, Record, Spectrum, TopographRows
from stm_daq.rehearsal import Rehearsal, make_twin, visa_library
from stm_daq.sequencer.runner import Runner
from stm_daq.station.loader import Station, open_station
from stm_daq.station.streams import streams_from

ROOT = Path(__file__).parents[1]
PATIENCE = 3600.0
"""A run that takes so much longer (virtual s) hangs."""
REST = 60.0
"""After a run; whatever was late has arrived then, s."""
LASTING = 20.0
"""Of faults that last: longer than any time-out, some sites long, s."""
HEALTHY = 4
"""Runs without a fault that tell what noise is."""
NOISE, SHARE = 8.0, 0.05
"""A value is another one if it is off by so many standard deviations (of runs and sites) and this share
of its range: the lock-in samples up to 2 ms late, which shifts steep parts of a spectrum."""
CHANGES = {
    'drift_z: "2 pm/min"': 'drift_z: "0 pm/min"',
    'temperature: "0.5 K"': 'temperature: "0.5 K", drift: "0 K/hour", oscillation: "0 K"',
}
"""The world stays the same for weeks, so that runs can be compared."""


def small_plan() -> str:
    """Return the demo plan with 3 x 3 spectra of few points."""
    text = (ROOT / "plans/tin_demo.yaml").read_text(encoding="utf-8")
    for old, new in {
        "columns: 64, rows: 64": "columns: 48, rows: 48",
        "every: 2 ": "every: 16 ",
        "points: 256": "points: 48",
    }.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


@dataclass
class Outcome:
    """What became of one run."""

    state: str
    """"finished", "stopped", "failed", "refused" (nothing was measured) or "broken"."""
    text: str
    spectra: list[Spectrum] = field(default_factory=list)
    rows: dict[int, np.ndarray] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    faults: int = 0
    """Messages that were really spoilt, and states begun."""
    seconds: float = 0.0
    complaints: list[str] = field(default_factory=list)
    """What must not be."""


class Laboratory:
    """An open station on its twin, on which the small map is measured over and over."""

    def __init__(self, seed: int = 3) -> None:
        self._stack = ExitStack()
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        station = (ROOT / "station.yaml").read_text(encoding="utf-8")
        for old, new in CHANGES.items():
            assert old in station, old
            station = station.replace(old, new)
        (folder / "station.yaml").write_text(station, encoding="utf-8")
        (folder / "plan.yaml").write_text(small_plan(), encoding="utf-8")
        self._night = night.prepare_night(folder / "plan.yaml", folder / "station.yaml")
        self._seed = seed
        self._open()
        self._learn()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def plan(self) -> Plan:
        """What is measured."""
        return self._night.plan

    def reopen(self) -> None:
        """Begin anew with another twin."""
        self._inside.close()
        self._open()

    def _open(self) -> None:
        self._inside = self._stack.enter_context(ExitStack())
        twin = make_twin(self._night.config, Rehearsal(seed=self._seed, epoch=1.8e9))
        assert isinstance(twin, Twin)
        self.twin = self._inside.enter_context(twin)
        self._inside.enter_context(visa_library(twin.visa_library))
        self._inside.enter_context(streams_from(twin.open_stream))
        station = open_station(self._night.config, twin.clock)
        self.station: Station = self._inside.enter_context(station)
        self._violations = len(twin.violations())

    def _learn(self) -> None:
        """Measure without faults, to know the map, its noise and its number of messages."""
        first = self.run()
        before = self.twin.transactions()
        runs = [self.run() for _ in range(HEALTHY)]
        self.messages = (self.twin.transactions() - before) // HEALTHY
        self.seconds = first.seconds
        stacks = [self._stacked(run.spectra) for run in runs]
        self.reference = np.mean(stacks, axis=0)
        noise = NOISE * np.std(np.array(stacks) - self.reference, axis=(0, 1))
        points = len(self.plan.sweep.bias)
        for part in (slice(0, points), slice(points, 2 * points)):
            noise[part] += SHARE * np.ptp(self.reference[:, part])
        self._noise = noise
        rows = [np.concatenate([run.rows[row] for row in sorted(run.rows)]) for run in runs]
        self._rows = np.mean(rows, axis=0)
        self._rows_noise = NOISE * float(np.std(np.array(rows) - self._rows))
        assert all(run.state == "finished" and not run.complaints for run in runs), runs

    def _stacked(self, spectra: list[Spectrum]) -> np.ndarray:
        """Return current, dI/dV, z, set-point current and temperature, shape (sites, values)."""
        return np.array([_values(s) for s in sorted(spectra, key=lambda s: s.site.index)])

    def run(self, **fault: Any) -> Outcome:
        """Measure the map with a fault, and examine what is left.

        Parameters
        ----------
        fault
            As :meth:`sim.faults.Faults.add`; nothing: no fault.
        """
        clock = self.twin.clock
        records: list[Record] = []
        struck = len(self.twin.faults.history())
        if fault:
            self.twin.faults.add(**fault)
        began = clock.now()
        state, text = self._measure(records)
        outcome = Outcome(
            state=state,
            text=text,
            spectra=[record for record in records if isinstance(record, Spectrum)],
            rows={r.first_row: r.z for r in records if isinstance(r, TopographRows)},
            events=[record.text for record in records if isinstance(record, Event)],
            faults=len(self.twin.faults.history()) - struck,
            seconds=clock.now() - began,
        )
        outcome.complaints = list(self._complaints(outcome)) if fault else []
        self.twin.faults.clear()
        clock.sleep(REST)
        outcome.complaints += self._ill()
        if outcome.complaints or outcome.state not in ("finished", "refused"):
            self.reopen()
        return outcome

    def _measure(self, records: list[Record]) -> tuple[str, str]:
        state, text = "refused", ""
        try:
            runner = Runner(self.plan, self.station, self.twin.clock, records.append, 300.0)
            with runner.prepared():
                ended = runner.run()
                state, text = ended.state, ended.text
        except StmDaqError as error:
            return state if state != "finished" else "failed", str(error)
        except Exception as error:
            logging.getLogger(__name__).exception("broken")
            return "broken", repr(error)
        return state, text

    # -- what must not be ---------------------------------------------------------------------

    def _complaints(self, outcome: Outcome) -> Iterator[str]:
        violations = self.twin.violations()
        yield from (f"violation: {text}" for text in violations[self._violations :])
        self._violations = len(violations)
        if outcome.state == "broken":
            yield f"no typed error: {outcome.text}"
        if outcome.seconds > self.seconds + PATIENCE:
            yield f"hangs: {outcome.seconds:.0f} s instead of {self.seconds:.0f} s"
        yield from self._unsafe(outcome)
        yield from self._unflagged(outcome)

    def _unsafe(self, outcome: Outcome) -> Iterator[str]:
        """Look at the world: feedback closed at the set-point, or the tip withdrawn; power off."""
        world, tip = self.twin.world, self.twin.world.tip
        now = self.twin.clock.now()
        bias = float(world.bias(np.array([now]))[0])
        away = float(tip.distance(np.array([now]))[0]) > 1.5e-9
        closed = tip.feedback_on and abs(bias - self.plan.setpoint_bias) < 0.05e-3
        if not closed and not (not tip.feedback_on and away):
            yield f"unsafe: feedback {tip.feedback_on} at {1e3 * bias:.3g} mV ({outcome.text})"
        if world.microwave_power(now) > 0:
            yield "unsafe: microwaves on"

    def _unflagged(self, outcome: Outcome) -> Iterator[str]:
        """Compare with the runs without fault."""
        for spectrum in outcome.spectra:
            off = np.abs(_values(spectrum) - self.reference[spectrum.site.index])
            if not spectrum.flags and not np.all(off <= self._noise):
                part = _part(int(np.argmax(off / self._noise)), len(spectrum.bias))
                yield f"unflagged: site {spectrum.site.index}, {part}"
        for first, z in outcome.rows.items():
            off = np.abs(z - self._rows[first : first + len(z)])
            if np.any(off > self._rows_noise):
                yield f"unflagged: topograph from row {first}"
        if outcome.state == "finished":
            missing = self.plan.sites.count - len({s.site.index for s in outcome.spectra})
            if missing and not any("left out" in text for text in outcome.events):
                yield f"{missing} sites missing without a word"

    def _ill(self) -> list[str]:
        """Ask every instrument something harmless."""
        station = self.station
        questions = {
            "stm": station.stm.position,
            "bias": station.bias.voltage,
            "lockin": station.lockin.read_point,
            "thermometer": station.thermometer.read if station.thermometer else None,
            "microwave": station.microwave.is_on if station.microwave else None,
        }
        found = []
        for role, question in questions.items():
            try:
                if question is not None:
                    question()
            except InstrumentError as error:
                found.append(f"not healthy again: {role}: {error}")
            except Exception as error:  # noqa: BLE001 - what is raised here is the question
                found.append(f"not healthy again, and untyped: {role}: {error!r}")
        return found


def _values(s: Spectrum) -> np.ndarray:
    """Return all that a spectrum tells, as one row."""
    return np.concatenate([s.current, s.conductance, [s.z, s.setpoint_current, s.temperature]])


def _part(index: int, points: int) -> str:
    if index < 2 * points:
        return f"{('current', 'dI/dV')[index // points]} of point {index % points}"
    return ("z", "set-point current", "temperature")[index - 2 * points]


def fault_of(kind: str, message: int) -> dict[str, Any]:
    """Return the fault that begins with a message of the run, from 1."""
    return {"kind": kind, "count": message, "lasting": LASTING}


def table(found: dict[tuple[str, int], Outcome]) -> str:
    """Return how the runs ended, by kind of fault."""
    states = ("finished", "stopped", "failed", "refused", "broken")
    lines = [f"{'fault':18}{'runs':>6}{'struck':>8}{'flagged':>9}"]
    lines[0] += "".join(f"{state:>10}" for state in states) + f"{'wrong':>8}"
    for kind in (kind for kind in KINDS if any(kind == k for k, _ in found)):
        runs = [outcome for (k, _), outcome in found.items() if k == kind]
        count = Counter(run.state for run in runs)
        flagged = sum(any(s.flags for s in run.spectra) for run in runs)
        lines.append(
            f"{kind:18}{len(runs):6d}{sum(r.faults > 0 for r in runs):8d}{flagged:9d}"
            + "".join(f"{count[state]:10d}" for state in states)
            + f"{sum(bool(run.complaints) for run in runs):8d}"
        )
    return "\n".join(lines)


def tell(kind: str, k: int, outcome: Outcome, everything: bool) -> None:
    """Print what must not be, or all that happened."""
    for complaint in outcome.complaints:
        print(f"{kind}:{k} ({outcome.state}) {complaint}", flush=True)
    if everything:
        print(outcome.state, outcome.text, *outcome.events, sep="\n  ")


def main() -> int:
    """Run the campaign and print its table; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--step", type=int, default=1, help="only every n-th message")
    parser.add_argument("--first", type=int, default=1, help="the first message")
    parser.add_argument("--cases", nargs="+", default=[], help="such as lost:17")
    parser.add_argument("--part", default="1/1", help="2/3: the second of three processes")
    parser.add_argument("--reasons", action="store_true", help="why runs did not finish")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    clock = RealClock()
    began = clock.now()
    found: dict[tuple[str, int], Outcome] = {}
    with Laboratory() as laboratory:
        print(f"{laboratory.messages} messages in {laboratory.seconds:.0f} virtual s", flush=True)
        messages = range(options.first, laboratory.messages + 1, options.step)
        cases = [(kind, k) for kind in options.kinds for k in messages]
        if options.cases:
            cases = [(kind, int(k)) for kind, _, k in (c.partition(":") for c in options.cases)]
        random.Random(1).shuffle(cases)  # what is interrupted is then a fair sample
        part, parts = (int(number) for number in options.part.split("/"))
        asked: list[int] = []  # a flag, because the runner keeps Ctrl-C for itself
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda which, _frame: asked.append(which))
        for kind, k in cases[part - 1 :: parts]:
            found[kind, k] = laboratory.run(**fault_of(kind, k))
            tell(kind, k, found[kind, k], bool(options.cases))
            if asked:
                break
    print(table(found))
    if options.reasons:
        why = Counter(
            (k[0], run.state, run.text[:110]) for k, run in found.items() if run.state != "finished"
        )
        for (kind, state, text), count in why.most_common():
            print(f"{count:4d} {kind} {state}: {text}")
    print(f"{len(found)} runs in {clock.now() - began:.0f} s")
    return int(any(outcome.complaints for outcome in found.values()))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
