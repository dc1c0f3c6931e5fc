"""The numbers of the papers beside those that this program finds in rehearsals of their experiments.

    python benchmarks/papers.py [--only NAME...] [--runs FOLDER] [--markdown docs/papers.md]

Reads `benchmarks/papers/*.yaml` (one for each experiment: plan, station, seed, recipe, and rows of the
paper's numbers), rehearses every plan, two at a time, and takes the findings of the recipe. A number that
is missed stays in the table; the exit code is that of a failure only if a run fails.

A row has `finding` (its key), `paper` (a number, or [lowest, highest]), and optionally `unit`,
`tolerance` ("10 %" of the paper's number, or a number in its unit), `where`, `remark`, and `truth` (what
the twin's world was made with; else the finding "true_<key>" is taken if the recipe states one).
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
PAPERS = ROOT / "benchmarks/papers"
EPOCH = 1.8e9
"""When rehearsals begin: the same every time."""
HEAD = ("quantity", "paper", "this run", "twin's truth", "verdict", "where")
INTRO = """# The papers, rehearsed

`make papers` rehearses the experiments of the papers on the twin and writes this page: the papers'
numbers beside those that the recipes of `stm-daq report` find, and the truth of the twin's world where
it is known. A number that is missed stays here, with why. The twin's worlds are made after the papers'
films; that their numbers come back says that measurement, fits and analyses are right, not that the
films are.

"""


@dataclass(frozen=True)
class Row:
    """One number of a paper."""

    title: str
    paper: str
    found: str
    truth: str
    verdict: str
    where: str
    remark: str

    @property
    def cells(self) -> tuple[str, ...]:
        return self.title, self.paper, self.found, self.truth, self.verdict, self.where


@dataclass(frozen=True)
class Experiment:
    """One experiment, rehearsed."""

    title: str
    paper: str
    command: str
    rows: tuple[Row, ...]
    wall: float
    cpu: float
    problem: str
    """Why the run failed; empty if it did not."""


def one(file: Path, runs: Path) -> dict[str, Any]:
    """Rehearse one experiment and return its findings (in a process of its own)."""
    import stm_daq
    from stm_daq import night
    from stm_daq.rehearsal import Rehearsal
    from stm_daq.report.contents import findings_of
    from stm_daq.report.findings import as_json

    paper = read(file)
    prepared = night.prepare_night(
        ROOT / paper["plan"], ROOT / paper.get("station", "station.yaml")
    )
    result = night.rehearse(prepared, runs, Rehearsal(seed=paper.get("seed"), epoch=EPOCH))
    if result.ended.state != "finished" or result.violations:
        raise SystemExit(f"{result.ended.state}: {result.ended.text} {result.violations}")
    measured = time.process_time()
    _, findings = findings_of(stm_daq.open_run(result.folder), paper.get("recipe", "auto"))
    return {"findings": as_json(findings), "cpu": time.process_time(),
            "analyses": time.process_time() - measured}  # fmt: skip


def read(file: Path) -> dict[str, Any]:
    """Read a file of `benchmarks/papers`."""
    from stm_daq.yaml_source import read_yaml

    return read_yaml(file).data


def rehearsed(file: Path, runs: Path) -> Experiment:
    """Rehearse an experiment in another process and judge its numbers."""
    paper, start = read(file), time.monotonic()
    command = [sys.executable, __file__, "--one", str(file), "--runs", str(runs / file.stem)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wall = time.monotonic() - start
    station = f" --station {paper['station']}" if "station" in paper else ""
    shown = f"stm-daq rehearse {paper['plan']}{station} --seed {paper.get('seed', 1)}"
    if done.returncode:
        problem = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return Experiment(paper["title"], paper["paper"], shown, (), wall, math.nan, problem)
    answer = json.loads(done.stdout.splitlines()[-1])
    found = {finding["key"]: finding for finding in answer["findings"]}
    rows = tuple(judged(row, found) for row in paper["rows"])
    print(f"  {file.stem}: {wall:.0f} s, {answer['cpu']:.0f} s of CPU, of which analyses "
          f"{answer['analyses']:.1f} s", flush=True)  # fmt: skip
    return Experiment(paper["title"], paper["paper"], shown, rows, wall, answer["cpu"], "")


def judged(row: dict[str, Any], found: dict[str, dict[str, Any]]) -> Row:
    """Compare a number of a paper with the finding of that name."""
    key, unit = row["finding"], row.get("unit", "")
    finding = found.get(key, {"title": key, "value": None, "std": None, "remark": "not stated"})
    truth = row.get("truth", found.get(f"true_{key}", {}).get("value"))
    remarks = [row.get("remark", "")]
    if finding["value"] is None:
        remarks.append(finding["remark"])
    if finding.get("unit", unit) != unit and unit:
        remarks.append(f"the finding is in {finding['unit']}")
    return Row(
        finding["title"],
        f"{_span(row['paper'])} {unit}".rstrip(),
        f"{_number(finding['value'], finding['std'])} {finding.get('unit', unit)}".rstrip(),
        "" if truth is None else _number(truth, None),
        _verdict(row, finding["value"], finding["std"], truth),
        str(row.get("where", "")),
        " ".join(text for text in remarks if text),
    )


def _span(paper: Any) -> str:
    return " to ".join(f"{p:g}" for p in paper) if isinstance(paper, list) else f"{paper:g}"


def _number(value: float | None, std: float | None) -> str:
    from stm_daq.report.numbers import plus_minus

    if value is None:
        return "–"
    return plus_minus(value, math.nan if std is None else std)


def _verdict(row: dict[str, Any], value: float | None, std: float | None, truth: Any) -> str:
    """Say whether a number agrees with the paper, and with the truth of the twin."""
    if value is None:
        return "MISSED: cannot be told"
    said = []
    miss = distance(row["paper"], value)
    allowed = tolerance(row)
    if allowed is not None:
        said.append("agrees" if miss <= allowed else f"MISSED by {miss:.2g}")
    if truth is not None and std:
        sigmas = abs(value - truth) / std
        said.append(f"truth {'found' if sigmas <= 2 else 'off'} ({sigmas:.1f} σ)")
    return "; ".join(said) or "–"


def distance(paper: Any, value: float) -> float:
    """Return how far a value is from the paper's number, or from its range."""
    low, high = paper if isinstance(paper, list) else (paper, paper)
    return max(low - value, value - high, 0.0)


def tolerance(row: dict[str, Any]) -> float | None:
    """Return what a number may be off, in its unit; None if the row does not say."""
    given = row.get("tolerance")
    if given is None:
        return None
    if isinstance(given, str) and given.strip().endswith("%"):
        paper = row["paper"]
        scale = sum(paper) / 2 if isinstance(paper, list) else paper
        return float(given.strip().removesuffix("%")) / 100 * abs(scale) * (1 + 1e-9)
    return float(given) + 1e-12


def table(experiments: list[Experiment]) -> str:
    """Return the table for a terminal."""
    rows = [row.cells for e in experiments for row in e.rows]
    widths = [max(len(c) for c in column) for column in zip(HEAD, *rows, strict=True)]
    lines = ["  ".join(h.ljust(w) for h, w in zip(HEAD, widths, strict=True))]
    for experiment in experiments:
        lines += ["", f"{experiment.title} ({experiment.paper})"]
        lines += [f"  FAILED: {experiment.problem}"] if experiment.problem else []
        for row in experiment.rows:
            lines.append("  ".join(c.ljust(w) for c, w in zip(row.cells, widths, strict=True)))
            lines += [f"    {row.remark}"] if row.remark else []
    return "\n".join(lines)


def markdown(experiments: list[Experiment], seconds: float) -> str:
    """Return the table as a page of the documentation."""
    lines = [
        INTRO + f"{date.today():%d %B %Y}, two shared cores, {seconds / 60:.1f} min in all.",
        "",
    ]
    for experiment in experiments:
        lines += [
            f"## {experiment.title}",
            "",
            experiment.paper,
            "",
            f"    {experiment.command}",
            "",
        ]
        if experiment.problem:
            lines += [f"The run failed: {experiment.problem}", ""]
            continue
        lines += [f"{experiment.wall:.0f} s, {experiment.cpu:.0f} s of CPU.", ""]
        lines += [f"| {' | '.join((*HEAD, 'remark'))} |", "| --- " * (len(HEAD) + 1) + "|"]
        lines += [f"| {' | '.join((*row.cells, row.remark))} |" for row in experiment.rows]
        lines.append("")
    return "\n".join(lines)


def main() -> int:
    """Rehearse, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME")
    parser.add_argument("--runs", type=Path, help="keep the runs here")
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one is not None:
        warnings.simplefilter("ignore")
        print(json.dumps(one(chosen.one, chosen.runs)))
        return 0
    files = sorted(f for f in PAPERS.glob("*.yaml") if not chosen.only or f.stem in chosen.only)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        runs = chosen.runs or Path(folder)
        experiments = list(pool.map(lambda file: rehearsed(file, runs), files))
    seconds = time.monotonic() - start
    print(f"{table(experiments)}\n\n{len(files)} experiments in {seconds / 60:.1f} min")
    if chosen.markdown is not None:
        chosen.markdown.write_text(markdown(experiments, seconds), encoding="utf-8")
    return 1 if any(experiment.problem for experiment in experiments) else 0


if __name__ == "__main__":
    sys.exit(main())
