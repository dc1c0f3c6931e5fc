"""Fit whole runs again, on the cores of this computer or on a cluster."""

from stm_daq.refit.cluster import cluster
from stm_daq.refit.run import Refit, find_runs, refit_run, settings_for

__all__ = [
    "Refit",
    "cluster",
    "find_runs",
    "refit_run",
    "settings_for",
]
