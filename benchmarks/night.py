"""How fast a night is rehearsed, and how many bus transactions a spectrum costs.

Runs the whole command `stm-daq rehearse` for each plan in a process of its own, as a user would, and
prints a table: python benchmarks/night.py [PLAN...]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import stm_daq

ROOT = Path(__file__).resolve().parents[1]
PLANS = [ROOT / "plans/tin_demo.yaml", ROOT / "plans/tin_overnight.yaml"]


def rehearse(plan: Path, runs: Path) -> dict[str, object]:
    """Rehearse one plan; return the command's JSON with the real seconds of the whole process."""
    command = [
        sys.executable,
        "-m",
        "stm_daq",
        "rehearse",
        str(plan),
        "--json",
        "--runs",
        str(runs),
    ]
    began = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{plan}: exit code {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout) | {"real": time.perf_counter() - began}


def agreement(run: Path) -> tuple[float, float, float]:
    """Return median |gap error| (%), share of good pixels (%), share of them within 4 std (%)."""
    data = stm_daq.open_run(run)
    ok = data["fit_ok"].values.astype(bool)
    errors = (data["gap"] - data["true_gap"]).values[ok]
    relative = np.abs(errors / data["true_gap"].values[ok])
    inside = [
        np.abs((data[name] - data[f"true_{name}"]) / data[f"{name}_std"]).values[ok] <= 4
        for name in ("gap", "temperature", "barrier")
    ]
    return 100 * np.median(relative), 100 * ok.mean(), 100 * np.mean(np.all(inside, axis=0))


def main() -> None:
    """Print the table."""
    plans = [Path(name) for name in sys.argv[1:]] or PLANS
    header = ("plan", "spectra", "real s", "virtual h", "virtual/real", "ms/spectrum",
              "transactions/spectrum", "with opening",
              "gap error %", "good %", "within 4 std %")  # fmt: skip
    print("| " + " | ".join(header) + " |")
    print("|" + " --- |" * len(header))
    with tempfile.TemporaryDirectory() as runs:
        for plan in plans:
            result = rehearse(plan, Path(runs))
            run = Path(str(result["run"]))
            spectra = int(np.isfinite(stm_daq.open_run(run)["time"].values).sum())
            real, virtual = float(result["real"]), float(result["seconds"])
            total = int(result["transactions"])
            cells = [
                plan.name, str(spectra), f"{real:.1f}", f"{virtual / 3600:.2f}",
                f"{virtual / real:.0f}", f"{1e3 * real / spectra:.2f}",
                f"{(total - int(result['transactions_opening'])) / spectra:.2f}",
                f"{total / spectra:.2f}",
                *(f"{value:.2f}" for value in agreement(run)),
            ]  # fmt: skip
            print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
