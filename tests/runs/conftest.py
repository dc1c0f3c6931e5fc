"""Small plans, and rehearsals of them in this process or in one of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stm_daq import night
from stm_daq.records import Record
from stm_daq.rehearsal import Rehearsal

ROOT = Path(__file__).parents[2]
STATION = ROOT / "station.yaml"
EPOCH = 1.8e9


@pytest.fixture
def make_plan(tmp_path: Path) -> Callable[..., Path]:
    """Return a writer of demo plans with fewer pixels and points; 16 / 4 is 4 x 4 spectra."""

    def make(pixels: int = 16, every: int = 4, points: int = 64) -> Path:
        text = (ROOT / "plans/tin_demo.yaml").read_text()
        text = text.replace("columns: 64, rows: 64", f"columns: {pixels}, rows: {pixels}")
        text = text.replace("every: 2 ", f"every: {every} ")
        path = tmp_path / "small.yaml"
        path.write_text(text.replace("points: 256", f"points: {points}"))
        return path

    return make


@pytest.fixture
def plan(make_plan: Callable[..., Path]) -> Path:
    """Return the path of a plan with 4 x 4 spectra."""
    return make_plan()


@pytest.fixture
def rehearse(tmp_path: Path, plan: Path) -> Callable[..., night.NightResult]:
    """Return a function that rehearses the small plan in this process."""

    def start(
        *observers: Callable[[Record], None], runs: str = "runs", **settings: object
    ) -> night.NightResult:
        prepared = night.prepare_night(plan, STATION).watched_by(observers)
        rehearsal = Rehearsal(epoch=EPOCH, **settings)  # type: ignore[arg-type]
        return night.rehearse(prepared, tmp_path / runs, rehearsal)

    return start


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs ``stm-daq`` in a process of its own."""

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "stm_daq", *map(str, arguments)]
        return subprocess.run(
            line, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
        )

    return run
