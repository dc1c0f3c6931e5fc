"""Largest deviations of the microwave hot spot from the reference set, and from a finer mesh.

Run ``python benchmarks/hotspot_accuracy.py``. The reference values (tests/data/bistability.json) were
computed by an independent solver; their own errors are about 1e-5 for the switching drives.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from stm_daq.physics import hotspot
from stm_daq.physics.hotspot_curve import SWITCHING

DATA = Path(__file__).parents[1] / "tests" / "data" / "bistability.json"


def say(name, error, tolerance):
    """Print a line of the table."""
    print(f"{name:42s} {error:9.1e}   {tolerance}")


def materials(reference):
    """Properties of the film."""
    w, t, real, imaginary, heating = np.array(reference["sigma"]["rows"]).T
    sigma = hotspot.conductivity(w, t)
    pairs = ((sigma.real, real), (sigma.imag, imaginary), ((1 / sigma).real, heating))
    say("conductivity, relative", max(np.max(np.abs(a / b - 1)) for a, b in pairs), "1e-6")
    rows = reference["Q"]["rows"]
    errors = [float(hotspot.phonon_power(te, tp, int(n))) / q - 1 for n, tp, te, q in rows]
    say("phonon power, relative", np.max(np.abs(errors)), "1e-5")
    k = hotspot.thermal_conductivity(reference["kappa"]["T"])
    say(
        "thermal conductivity, relative",
        np.max(np.abs(k / reference["kappa"]["K_over_KTc"] - 1)),
        "1e-8",
    )


def uniform(reference):
    """Uniform film."""
    ends, walls = [], []
    for row in reference["bistable_interval"]["rows"]:
        arguments = row["w"], row["Tph"], row["n"]
        if row["j1"] is not None:
            found = np.array(hotspot.bistable_interval(*arguments))
            ends.append(np.max(np.abs(found / (row["j1"], row["j2"]) - 1)))
        if "j_maxwell" in row:
            walls.append(abs(hotspot.maxwell_current(*arguments) / row["j_maxwell"] - 1))
    say("bistable interval, relative", max(ends), "1e-4")
    say("Maxwell current, relative", max(walls), "2e-4")
    rows = reference["cusp"]["rows"]
    say("cusp", max(abs(hotspot.cusp(r["Tph"], r["n"]) - r["w_cusp"]) for r in rows), "1e-3")


def spots(reference):
    """Profiles and switching drives."""
    highest, everywhere = [], []
    for row in reference["profiles"]:
        found = hotspot.profiles(row["J"], row["w"], row["Tph"], row["lam"], row["n"])
        for profile, solution in zip(found, row["solutions"], strict=True):
            highest.append(abs(profile.peak_temperature - solution["Tmax"]))
            highest.append(abs(profile.core_temperature - solution["T0"]))
            local = profile.temperature(reference["r_grid"])
            everywhere.append(np.max(np.abs(local - solution["T"])))
    say("profiles: T0, Tmax (Tc)", max(highest), "2e-4")
    say("profiles: T(r) (Tc)", max(everywhere), "1e-3")
    errors, moved = [], []
    for row in reference["folds"]:
        arguments = row["w"], row["Tph"], row["lam"], row["n"]
        if row["J_up"] is None:
            continue
        found = np.array(hotspot.switching_drives(*arguments))
        errors.append(np.abs(found / (row["J_down"], row["J_up"]) - 1))
        finer = np.array(hotspot.switching_drives(*arguments, nodes=2 * SWITCHING))
        moved.append(np.max(np.abs(found / finer - 1)))
    down, up = np.max(errors, axis=0)
    say("J_up, relative", up, "5e-4")
    say("J_down, relative", down, "5e-4")
    say("moved by a mesh refined by two, relative", max(moved), "5e-4")


def main():
    """Print the table."""
    reference = json.loads(DATA.read_text(encoding="utf-8"))
    print(f"{'':42s} {'largest':>9s}   tolerance")
    materials(reference)
    uniform(reference)
    spots(reference)


if __name__ == "__main__":
    main()
