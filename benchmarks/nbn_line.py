"""The lines across NbN of docs/gallery/nbn_ald.md, rehearsed: python benchmarks/nbn_line.py

Prints the numbers of each film beside the twin's, with the CPU time of rehearsal and analyses, and draws
the figures of the gallery.
"""

from __future__ import annotations

import tempfile
import time
from io import BytesIO
from pathlib import Path

import stm_daq
from stm_daq import night
from stm_daq.rehearsal import Rehearsal
from stm_daq.report.recipes.nbn_line import chapters, findings

ROOT = Path(__file__).resolve().parents[1]
GALLERY = ROOT / "docs/gallery"
FILMS = ("25nm", "5nm", "4nm")
DRAWN = {"5nm": ("spectra", "mean", "histogram", "course")}
"""Figures by film, in the order of the recipe's chapters."""
COLOURS = 256
"""Of the figures: they are kept small."""


def rehearsed(film: str, runs: Path) -> Path:
    """Rehearse the plan of a film and return the run's folder."""
    plan, station = ROOT / f"plans/nbn_ald_{film}.yaml", ROOT / f"docs/stations/nbn_ald_{film}.yaml"
    prepared = night.prepare_night(plan, station)
    return night.rehearse(prepared, runs, Rehearsal(seed=1, epoch=1.8e9)).folder


def main() -> None:
    """Rehearse, print, draw."""
    from PIL import Image

    with tempfile.TemporaryDirectory() as runs:
        for film in FILMS:
            start = time.process_time()
            run = stm_daq.open_run(rehearsed(film, Path(runs) / film)).load()
            measured = time.process_time()
            found = {finding.key: finding for finding in findings(run)}
            ended = time.process_time()
            print(
                f"\n{film}: rehearsal {measured - start:.1f} s, numbers {ended - measured:.1f} s of CPU"
            )
            for key, finding in found.items():
                if key.startswith("true_"):
                    continue
                twin = f"{found[f'true_{key}'].value:10.5g}" if f"true_{key}" in found else ""
                number = f"{finding.value:11.5g} ± {finding.std:8.2g} {finding.unit:7}"
                print(f"  {finding.title:52} {number} {twin:10} {finding.remark}")
            for name, chapter in zip(DRAWN.get(film, ()), chapters(run), strict=False):
                buffer = BytesIO()
                chapter.draw().savefig(buffer, dpi=100)
                path = GALLERY / f"nbn_ald_{name}.png"
                Image.open(buffer).convert("RGB").quantize(COLOURS).save(path, optimize=True)
                print(f"  {path.name}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
