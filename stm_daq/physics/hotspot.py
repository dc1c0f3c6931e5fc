"""Microwave hot spot under a tip on a disordered superconducting film: the dimensionless core.

Model: D. B. Karki, R. S. Whitney, D. M. Basko, "Local bistability under microwave heating for
spatially mapping disordered superconductors" (2022). Electrons of the film are heated by the
near field of the tip and cooled by phonons and by conduction,

    n lam^2 (1/r) d/dr [r K(T) dT/dr] = Q(T, T_ph) - J^2 h(r) Re 1/sigma(omega, T).

Units: temperatures Tc; frequency k_B Tc/hbar; currents and drives j* = sqrt(sigma_N Sigma Tc^n), rms;
lengths z0, the distance between tip and film; powers Sigma Tc^n per volume. The drive J is the highest
current density, at r = 1.272 z0, and h = H(r)/H(1.272). `stm_daq.physics.hotspot_units` translates to SI.

This module gathers the public names; each is described where it is defined.
"""

from __future__ import annotations

from stm_daq.physics.hotspot_curve import (
    SteadyCurve,
    Switching,
    core_normal_drive,
    profiles,
    steady_curve,
    switching_drives,
)
from stm_daq.physics.hotspot_mesh import H_MAX, R_MAX, heating_profile
from stm_daq.physics.hotspot_profile import HotSpot, Profile, hot_spot
from stm_daq.physics.hotspot_sweep import Branch, PowerSweep, power_sweep, sweep_branch
from stm_daq.physics.hotspot_time import development
from stm_daq.physics.hotspot_uniform import (
    Extremum,
    UniformState,
    bistable_interval,
    cusp,
    maxwell_current,
    uniform_branches,
    uniform_extrema,
)
from stm_daq.physics.microwave_film import (
    GAP0,
    conductivity,
    gap,
    phonon_power,
    specific_heat,
    thermal_conductivity,
)

__all__ = [
    "GAP0",
    "H_MAX",
    "R_MAX",
    "Branch",
    "Extremum",
    "HotSpot",
    "PowerSweep",
    "Profile",
    "SteadyCurve",
    "Switching",
    "UniformState",
    "bistable_interval",
    "conductivity",
    "core_normal_drive",
    "cusp",
    "development",
    "gap",
    "heating_profile",
    "hot_spot",
    "maxwell_current",
    "phonon_power",
    "power_sweep",
    "profiles",
    "specific_heat",
    "steady_curve",
    "sweep_branch",
    "switching_drives",
    "thermal_conductivity",
    "uniform_branches",
    "uniform_extrema",
]
