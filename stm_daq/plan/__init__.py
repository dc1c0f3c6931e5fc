"""What is to be measured: the plan, its sites in order, its list of voltages, its estimate."""

from stm_daq.plan.estimate import Estimate, estimate, forbidden
from stm_daq.plan.load import load_plan
from stm_daq.plan.model import Grid, Plan, Sweep, Timing
from stm_daq.plan.sites import position, site_rows
from stm_daq.plan.voltages import list_voltages, return_steps

__all__ = [
    "Estimate",
    "Grid",
    "Plan",
    "Sweep",
    "Timing",
    "estimate",
    "forbidden",
    "list_voltages",
    "load_plan",
    "position",
    "return_steps",
    "site_rows",
]
