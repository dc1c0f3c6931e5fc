"""The table of the papers: how a number is judged, and that every experiment names what exists."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path

import pytest

from stm_daq.report.recipes import NAMES

ROOT = Path(__file__).parents[2]
_SPEC = importlib.util.spec_from_file_location("papers_table", ROOT / "benchmarks/papers.py")
assert _SPEC is not None
assert _SPEC.loader is not None
papers = importlib.util.module_from_spec(_SPEC)
sys.modules["papers_table"] = papers  # dataclasses look their module up
_SPEC.loader.exec_module(papers)


def finding(value: float | None, std: float | None = None) -> dict[str, dict[str, object]]:
    return {
        "gap": {"title": "Gap", "value": value, "std": std, "unit": "meV", "remark": "too small"}
    }


@pytest.mark.parametrize(
    ("row", "value", "verdict"),
    [
        ({"paper": 0.6, "tolerance": "10 %"}, 0.66, "agrees"),
        ({"paper": 0.6, "tolerance": "10 %"}, 0.67, "MISSED by 0.07"),
        ({"paper": -0.6, "tolerance": 0.1}, -0.55, "agrees"),
        ({"paper": [0.5, 0.7], "tolerance": 0}, 0.6, "agrees"),
        ({"paper": [0.5, 0.7], "tolerance": 0}, 0.8, "MISSED by 0.1"),
        ({"paper": 0.6}, 5.0, "–"),
    ],
)
def test_verdicts(row: dict[str, object], value: float, verdict: str) -> None:
    assert papers.judged(row | {"finding": "gap"}, finding(value)).verdict == verdict


def test_the_truth_of_the_twin_is_judged_by_the_stated_uncertainty() -> None:
    row = {"finding": "gap", "paper": 0.6, "tolerance": 0.1, "truth": 0.60}
    assert "truth found (1.0 σ)" in papers.judged(row, finding(0.62, 0.02)).verdict
    assert "truth off (5.0 σ)" in papers.judged(row, finding(0.70, 0.02)).verdict


def test_what_is_not_found_stays_in_the_table_with_why() -> None:
    row = {"finding": "gap", "paper": 0.6, "tolerance": 0.1}
    told = papers.judged(row, finding(None))
    assert told.verdict.startswith("MISSED")
    assert "too small" in told.remark
    assert "not stated" in papers.judged(row, {}).remark


def test_a_failed_run_is_in_both_tables() -> None:
    row = papers.judged({"finding": "gap", "paper": 0.6}, finding(0.6))
    made = [
        papers.Experiment("Good", "Someone", "stm-daq rehearse", (row,), 3.0, 2.0, ""),
        papers.Experiment("Bad", "Someone", "stm-daq rehearse", (), 3.0, math.nan, "no tip"),
    ]
    assert "FAILED: no tip" in papers.table(made)
    assert "The run failed: no tip" in papers.markdown(made, 6.0)


@pytest.mark.parametrize("file", sorted(papers.PAPERS.glob("*.yaml")), ids=lambda f: f.stem)
def test_every_experiment_names_what_exists(file: Path) -> None:
    paper = papers.read(file)
    assert (ROOT / paper["plan"]).is_file()
    assert (ROOT / paper.get("station", "station.yaml")).is_file()
    assert paper["recipe"] in NAMES
    allowed = {"finding", "paper", "unit", "tolerance", "where", "remark", "truth"}
    for row in paper["rows"]:
        assert set(row) <= allowed
        assert {"finding", "paper"} <= set(row)
        papers.tolerance(row)
