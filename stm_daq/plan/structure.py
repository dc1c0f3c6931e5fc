"""Which keys of a plan file go together: one of several, all or none."""

from __future__ import annotations

from collections.abc import Iterator

from stm_daq.plan.axes import NAMES
from stm_daq.plan.moments import moment
from stm_daq.plan.schema import BiasBlock, GridBlock, PlanFile, PowerSweepBlock, SweepBlock
from stm_daq.plan.schema_axes import AxisBlock, BiasAxis, CurrentAxis, FrequencyAxis
from stm_daq.yaml_model import Block
from stm_daq.yaml_source import KeyPath

type Misfit = tuple[KeyPath, str]
type SpacedAxis = CurrentAxis | BiasAxis | FrequencyAxis


def misfits(file: PlanFile) -> Iterator[Misfit]:
    """Yield where a file leaves a choice open, or says two things at once."""
    yield from _one_of(file.sites, ("grid", "line", "points"), ("sites",))
    if file.sites.grid is not None:
        yield from _grid(file.sites.grid)
    yield from _sweep(file.sweep)
    if file.finish_before is not None:
        try:
            moment(file.finish_before, 0.0)
        except ValueError as error:
            yield ("finish_before",), str(error)
    names: list[str] = []
    for number, axis in enumerate(file.axes or ()):
        path: KeyPath = ("axes", number)
        yield from _axis(axis, path)
        name = axis_name(axis)
        if name in names:
            yield path, f"'{name}' is an axis already"
        names.append(name)


def axis_name(axis: AxisBlock) -> str:
    """Return the dimension of an axis in the dataset; "" if it says nothing."""
    if axis.parameter is not None:
        return axis.parameter.name.replace(".", "_")
    given = [name for name in NAMES if getattr(axis, name) is not None]
    return NAMES[given[0]] if given else ""


def _given(block: Block, keys: tuple[str, ...]) -> list[str]:
    return [key for key in keys if getattr(block, key) is not None]


def _one_of(block: Block, keys: tuple[str, ...], path: KeyPath) -> Iterator[Misfit]:
    given = _given(block, keys)
    if len(given) != 1:
        found = " and ".join(given) if given else "none of them"
        yield path, f"needs exactly one of {', '.join(keys)}; here is {found}"


def _grid(grid: GridBlock) -> Iterator[Misfit]:
    path: KeyPath = ("sites", "grid")
    with_topograph, without = ("topograph", "every"), ("columns", "rows")
    given = _given(grid, with_topograph), _given(grid, without)
    if given not in ((list(with_topograph), []), ([], list(without))):
        yield path, "needs topograph and every (sites on its pixels), or columns and rows (without)"
    if grid.polygon is not None and len(grid.polygon) < 3:
        yield (*path, "polygon"), "needs at least three corners"


def _sweep(sweep: SweepBlock) -> Iterator[Misfit]:
    path: KeyPath = ("sweep",)
    yield from _one_of(sweep, ("bias", "z", "microwave_power", "power_sweep"), path)
    if sweep.power_sweep is not None:
        yield from _power_sweep(sweep, sweep.power_sweep)
    if sweep.bias is not None:
        yield from _bias(sweep.bias)
    if sweep.bias is None and sweep.z_offset:
        yield (*path, "z_offset"), "belongs to a sweep of the bias"
    stepped = sweep.microwave_power is not None or sweep.power_sweep is not None
    if stepped and sweep.kind != "points":
        yield (*path, "kind"), "a microwave source is stepped by the program: write kind: points"
    if sweep.z is not None and sweep.kind != "points":
        yield (*path, "kind"), "the program moves the tip step by step: write kind: points"
    if sweep.kind == "controller" and sweep.bias is not None and sweep.bias.segments is not None:
        yield (*path, "bias", "segments"), "need kind: dac or points"


def _power_sweep(sweep: SweepBlock, cycles: PowerSweepBlock) -> Iterator[Misfit]:
    path: KeyPath = ("sweep", "power_sweep")
    if not cycles.start < cycles.end:
        yield (*path, "start"), "begins cold, so start must be below end"
    if sweep.average > 1:
        yield ("sweep", "average"), "cycles are not averaged: write more `cycles`"
    if cycles.fine and cycles.cycles < 2:
        yield (*path, "fine"), "fine steps follow a coarse cycle: write at least `cycles: 2`"
    above = None if cycles.transport is None else cycles.transport.above_down
    if above is not None and cycles.cycles < 2:
        text = "follows a first cycle: write at least `cycles: 2`"
        yield (*path, "transport", "above_down"), text
    if cycles.slow > 1 and cycles.cycles < 2:
        yield (*path, "slow"), "the rate test compares two cycles: write at least `cycles: 2`"


def _bias(bias: BiasBlock) -> Iterator[Misfit]:
    path: KeyPath = ("sweep", "bias")
    given = _given(bias, ("end", "points")), _given(bias, ("segments",))
    if given not in ((["end", "points"], []), ([], ["segments"])):
        yield path, "needs end and points, or segments"


def _axis(axis: AxisBlock, path: KeyPath) -> Iterator[Misfit]:
    yield from _one_of(axis, (*NAMES, "parameter"), path)
    for key in ("setpoint_current", "setpoint_bias", "microwave_frequency"):
        spaced = getattr(axis, key)
        if spaced is not None:
            yield from _spaced(spaced, (*path, key))
    if axis.setpoint_bias is not None and 0.0 in (axis.setpoint_bias.values or ()):
        yield (*path, "setpoint_bias"), "without bias the feedback would crash the tip"


def _spaced(axis: SpacedAxis, path: KeyPath) -> Iterator[Misfit]:
    ends = ("start", "end", "count")
    given = _given(axis, ("values",)), _given(axis, ends)
    if given not in ((["values"], []), ([], list(ends))):
        yield path, "needs values, or start, end and count"
    elif axis.start is not None and axis.end is not None and axis.start * axis.end <= 0:
        yield path, "start and end need the same sign, and neither may be zero"
