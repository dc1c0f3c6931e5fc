"""Power sweeps that look for two states: verdicts, switching powers, supercurrent map; each beside a
simpler way.

    python benchmarks/bistability.py [--figures docs/figures]

Verdicts are those of 200 labelled cases with a seed that nothing was tuned on. The rest are rehearsals of
the plans in `plans/` on the twin of `docs/stations/microwave_strip.yaml`, judged by the twin's own truth
and the solver of `stm_daq.physics.hotspot`.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from labelled_loops import Case, cases  # noqa: E402

import stm_daq  # noqa: E402
from sim.line import MicrowaveLine  # noqa: E402
from sim.samples.bistable import InoxFilm  # noqa: E402
from stm_daq import night  # noqa: E402
from stm_daq.analysis.hysteresis import analyse  # noqa: E402
from stm_daq.analysis.microwave.power_maps import places, supercurrent_map, switch_maps  # noqa: E402
from stm_daq.physics.hotspot import switching_drives  # noqa: E402
from stm_daq.rehearsal import Rehearsal  # noqa: E402
from stm_daq.report.microwave.loops import (  # noqa: E402
    correlation,
    figure_loops,
    figure_supercurrent,
    figure_switches,
)

STATION = ROOT / "docs/stations/microwave_strip.yaml"
SEED = 20_261_121
"""Of the labelled cases: not used while the analysis was written."""
ATTENUATION = 26.0
"""As in the station file, dB."""
POINTS = """    - ["-400 nm", "-300 nm"]
    - ["400 nm", "-300 nm"]
    - ["-400 nm", "300 nm"]
    - ["400 nm", "300 nm"]
"""
GRID = """    frame: {centre: ["0 nm", "0 nm"], size: ["1.5 um", "1.5 um"]}
    columns: 4
    rows: 4
"""


def naive(case: Case) -> str:
    """Judge by where the first cycle crosses half its range: what a quick look would do."""
    cycle = case.cycles[0]
    if not np.all(np.isfinite(cycle.down)):
        return "incomplete"
    half = (cycle.up.min() + cycle.up.max()) / 2
    up, down = cycle.up > half, cycle.down > half
    if up[-1] == down[-1]:
        return "latched"
    width = cycle.up_power[np.argmax(up != up[0])] - cycle.down_power[np.argmax(down != down[0])]
    step = cycle.up_power[1] - cycle.up_power[0]
    if width > 1.5 * step:
        return "bistable"
    jump = np.max(np.abs(np.diff(cycle.up)))
    return "sharp and reversible" if jump > 0.5 * np.ptp(cycle.up) else "smooth"


def verdicts() -> None:
    """Print how often verdicts are right, by kind."""
    made = cases(SEED)
    right: dict[str, list[tuple[bool, bool]]] = {}
    confused: Counter[tuple[str, str]] = Counter()
    for case in made:
        found = analyse(case.cycles).verdict
        right.setdefault(case.disturbance, []).append(
            (found == case.verdict, naive(case) == case.verdict)
        )
        if found != case.verdict:
            confused[case.verdict, found] += 1
    print(f"\n{'verdicts of 200 cases':32s}{'cases':>7s}{'analyse':>10s}{'naive':>8s}")
    for name, marks in sorted(right.items()):
        ours, theirs = np.mean(marks, axis=0)
        print(f"  {name:30s}{len(marks):7d}{ours:10.1%}{theirs:8.1%}")
    ours, theirs = np.mean([mark for marks in right.values() for mark in marks], axis=0)
    print(f"  {'all':30s}{len(made):7d}{ours:10.1%}{theirs:8.1%}")
    for (true, found), count in confused.items():
        print(f"    {count} x {true} taken for {found}")


def rehearsed(folder: Path, plan: str, changes: dict[str, str]) -> Any:
    """Rehearse a changed plan and open the run."""
    text = (ROOT / "plans" / plan).read_text()
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    path = folder / plan
    path.write_text(text)
    result = night.rehearse(
        night.prepare_night(path, STATION), folder / "runs", Rehearsal(epoch=1.8e9, seed=5)
    )
    assert result.ended.state == "finished", result.ended
    assert not result.violations, result.violations
    return stm_daq.open_run(result.folder)


def switches(folder: Path) -> Any:
    """Print how well switching powers agree with the solver; return the run with fine steps."""
    grid = {POINTS: GRID, "points:\n    frame": "grid:\n    frame", "every: 2": "every: 8"}
    fine = rehearsed(folder, "inox_bistability.yaml", grid)
    coarse = rehearsed(folder, "inox_bistability.yaml", {**grid, "fine: 8": "fine: 0"})
    print(
        f"\n{'switching powers, 4 x 4 x 2':32s}{'points':>8s}{'within':>9s}{'rms (dB)':>10s}{'step':>7s}"
    )
    for name, dataset in (("fine steps (plan)", fine), ("coarse steps only", coarse)):
        for which in ("up", "down"):
            off, good, steps, found = [], [], [], 0
            for miss, limit, step in compared(dataset, which):
                found += 1
                off.append(miss)
                good.append(abs(miss) <= limit)
                steps.append(step)
            print(
                f"  {name + ', ' + which:30s}{found:8d}{np.mean(good):9.1%}"
                f"{np.sqrt(np.mean(np.square(off))):10.3f}{np.median(steps):7.2f}"
            )
    return fine


def compared(dataset: Any, which: str) -> Iterator[tuple[float, float, float]]:
    """Yield (found - solver, what is allowed, step), dB, for every place and frequency."""
    film, line = InoxFilm(seed=5), MicrowaveLine(attenuation=ATTENUATION)
    loops = {(m.frequency, at): loop for m in switch_maps(dataset) for at, loop in m.loops.items()}
    for place in places(dataset):
        tc = float(dataset["true_critical_temperature"].values[place.index])
        length = float(dataset["true_thermal_length"].values[place.index])
        stage = float(dataset["stage_temperature"].values[place.index])
        drives = switching_drives(
            float(film.tip_above(tc).frequency(place.frequency)), stage / tc, length / film.distance,
            n=film.phonon_power,
        )  # fmt: skip
        unit = film.drive_of(line.power_at_tip(place.frequency, 0.0), tc)
        switch = getattr(loops[place.frequency, place.index], which)
        if switch is None:
            yield math.nan, 0.0, math.nan
            continue
        wanted = 20 * math.log10(getattr(drives, which) / unit)
        yield switch.power - wanted, switch.step + 2 * switch.std, switch.step


def supercurrent(folder: Path) -> Any:
    """Print how well the map of the loss of critical current follows the truth; return the run."""
    smallest = rehearsed(folder, "inox_supercurrent.yaml", {})
    top = rehearsed(folder, "inox_supercurrent.yaml", {'      above_down: "0.2 dB"\n': ""})
    print(f"\n{'supercurrent map, 12 x 20':42s}{'correlation with the truth':>28s}")
    for name, dataset in (("hot spot just above J_down (plan)", smallest), ("at the top", top)):
        found = supercurrent_map(dataset).loss
        print(f"  {name:40s}{correlation(found, dataset['true_supercurrent'].values):28.3f}")
    return smallest


def main() -> None:
    """Measure, print, and draw if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--figures", type=Path)
    figures = parser.parse_args().figures
    warnings.simplefilter("ignore")
    verdicts()
    with tempfile.TemporaryDirectory() as folder:
        fine = switches(Path(folder))
        currents = supercurrent(Path(folder))
        if figures is not None:
            draw(figures, fine, currents)


def draw(folder: Path, fine: Any, currents: Any) -> None:
    """Write the figures of docs/bistability.md."""
    from stm_daq.report.microwave import hot_spot

    folder.mkdir(parents=True, exist_ok=True)
    drawn = {
        "branches": hot_spot.figure_branches(),
        "phase_diagram": hot_spot.figure_phase_diagram(0.8, 0.25),
        "profiles": hot_spot.figure_profiles(),
        "loops": figure_loops(fine),
        "switches": figure_switches(fine),
        "supercurrent": figure_supercurrent(currents),
    }
    for name, figure in drawn.items():
        figure.savefig(folder / f"bistability_{name}.png", dpi=110)


if __name__ == "__main__":
    main()
