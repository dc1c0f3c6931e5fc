"""What is to be measured: the plan, its outer axes, its sites in order, its sweep, its estimate."""

from stm_daq.plan.axes import OuterAxis, Step, step_count, steps
from stm_daq.plan.build_care import WANTED
from stm_daq.plan.care import Care, Drift, Guard, TipChange
from stm_daq.plan.estimate import Estimate, estimate
from stm_daq.plan.forbidden import forbidden, problem
from stm_daq.plan.load import load_plan
from stm_daq.plan.model import Plan, Sweep, Timing
from stm_daq.plan.moments import moment
from stm_daq.plan.sites import Group, Sites, Topograph, grid, groups, line, points, strip
from stm_daq.plan.travel import Travel
from stm_daq.plan.voltages import list_voltages, return_steps

__all__ = [
    "WANTED",
    "Care",
    "Drift",
    "Estimate",
    "Group",
    "Guard",
    "OuterAxis",
    "Plan",
    "Sites",
    "Step",
    "Sweep",
    "Timing",
    "TipChange",
    "Topograph",
    "Travel",
    "estimate",
    "forbidden",
    "grid",
    "groups",
    "line",
    "list_voltages",
    "load_plan",
    "moment",
    "points",
    "problem",
    "return_steps",
    "step_count",
    "steps",
    "strip",
]
