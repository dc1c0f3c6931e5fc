"""What is to be measured: the plan, its outer axes, its sites in order, its sweep, its estimate."""

from stm_daq.plan.axes import OuterAxis, Step, step_count, steps
from stm_daq.plan.estimate import Estimate, estimate
from stm_daq.plan.forbidden import forbidden
from stm_daq.plan.load import load_plan
from stm_daq.plan.model import Plan, Sweep, Timing
from stm_daq.plan.sites import Group, Sites, Topograph, grid, groups, line, points, position
from stm_daq.plan.voltages import list_voltages, return_steps

__all__ = [
    "Estimate",
    "Group",
    "OuterAxis",
    "Plan",
    "Sites",
    "Step",
    "Sweep",
    "Timing",
    "Topograph",
    "estimate",
    "forbidden",
    "grid",
    "groups",
    "line",
    "list_voltages",
    "load_plan",
    "points",
    "position",
    "return_steps",
    "step_count",
    "steps",
]
