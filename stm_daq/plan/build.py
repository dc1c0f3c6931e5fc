"""From the blocks of a plan file to sites, sweep and outer axes."""

from __future__ import annotations

import numpy as np

from stm_daq.plan.axes import NAMES, AxisKind, OuterAxis
from stm_daq.plan.model import Sweep, SweptName
from stm_daq.plan.power_sweep import PowerSweep, Reference, Transport
from stm_daq.plan.schema import (
    BiasBlock,
    GridBlock,
    PowerSweepBlock,
    SitesBlock,
    SweepBlock,
)
from stm_daq.plan.schema_axes import AxisBlock
from stm_daq.plan.sites import Order, Sites, Topograph, grid, inside, line, points
from stm_daq.plan.structure import SpacedAxis
from stm_daq.records import Array, Frame


def build_sites(block: SitesBlock) -> Sites:
    """Make the sites of a plan."""
    if block.line is not None:
        return line(block.line.start, block.line.end, block.line.count, order=block.order)
    if block.points is not None:
        return points(block.points)
    assert block.grid is not None
    return _grid(block.grid, block.order)


def _grid(block: GridBlock, order: Order) -> Sites:
    frame = Frame(*block.frame.centre, *block.frame.size, block.frame.angle)
    if block.topograph is None:
        assert block.rows is not None
        assert block.columns is not None
        found = grid(frame, (block.rows, block.columns), order=order)
    else:
        assert block.every is not None
        pixels = (block.topograph.rows, block.topograph.columns)
        shape = (pixels[0] // block.every, pixels[1] // block.every)
        found = grid(frame, shape, Topograph(pixels, block.topograph.line_time), order=order)
    if block.polygon is not None:
        found.wanted[:] = inside(block.polygon, found.positions)
    return found


def build_sweep(block: SweepBlock, setpoint_bias: float) -> Sweep:
    """Make the sweep of a plan; without a word on the bias, that of the set-point is kept."""
    name: SweptName
    if block.bias is not None:
        values, back, dwell = bias_points(block.bias), block.bias.back, block.bias.dwell
        name, held, frequency = "bias", None, None
    elif block.z is not None:
        values = np.linspace(block.z.start, block.z.end, block.z.points)
        name, back, dwell, held = "z", block.z.back, block.z.dwell, block.z.bias
        frequency = None
    elif block.power_sweep is not None:
        return _power_sweep(block, block.power_sweep, setpoint_bias)
    else:
        power = block.microwave_power
        assert power is not None
        values = np.linspace(power.start, power.end, power.points)
        name, back, dwell, held = "microwave_power", power.back, power.dwell, power.bias
        frequency = power.frequency
    if back:
        values = np.concatenate([values, values[::-1]])
    bias = np.full(len(values), setpoint_bias if held is None else held)
    return Sweep(
        bias=values if name == "bias" else bias,
        dwell=dwell,
        modulation_peak=block.modulation.peak,
        modulation_frequency=block.modulation.frequency,
        time_constant=block.lockin.time_constant,
        kind=block.kind,
        directions=2 if back else 1,
        averages=block.average,
        z_offset=block.z_offset,
        modulation_only_in_sweep=block.modulation.only_in_sweep,
        swept_name=name,
        swept=np.empty(0) if name == "bias" else values,
        microwave_frequency=frequency,
    )


def _power_sweep(block: SweepBlock, cycles: PowerSweepBlock, setpoint_bias: float) -> Sweep:
    measured = cycles.transport
    transport = Transport()
    if measured is not None:
        largest = measured.critical_current
        transport = Transport(
            probe=measured.probe,
            largest=largest or 0.0,
            points=measured.points if largest else 0,
            threshold=measured.threshold,
            above_down=measured.above_down,
        )
    again = cycles.reference
    power_sweep = PowerSweep(
        start=cycles.start,
        end=cycles.end,
        points=cycles.points,
        cycles=cycles.cycles,
        fine=cycles.fine,
        frequencies=cycles.frequencies or (),
        rest=cycles.rest,
        tolerance=cycles.tolerance,
        slow=cycles.slow,
        transport=transport,
        reference=None if again is None else Reference(*again.place, again.every),
    )
    count = len(power_sweep.layout)
    return Sweep(
        bias=np.full(count, setpoint_bias if cycles.bias is None else cycles.bias),
        dwell=cycles.dwell,
        modulation_peak=block.modulation.peak,
        modulation_frequency=block.modulation.frequency,
        time_constant=block.lockin.time_constant,
        kind=block.kind,
        modulation_only_in_sweep=block.modulation.only_in_sweep,
        swept_name="power_sweep",
        swept=np.arange(float(count)),
        power_sweep=power_sweep,
    )


def bias_points(block: BiasBlock) -> Array:
    """Points of a bias sweep one way, V."""
    if block.segments is None:
        assert block.end is not None
        assert block.points is not None
        return np.linspace(block.start, block.end, block.points)
    parts, at = [np.array([block.start])], block.start
    for segment in block.segments:
        parts.append(np.linspace(at, segment.end, segment.points + 1)[1:])
        at = segment.end
    return np.concatenate(parts)


def build_axis(block: AxisBlock) -> OuterAxis:
    """Make one outer axis."""
    if block.temperature is not None:
        heat = block.temperature
        return OuterAxis(
            "temperature", NAMES["temperature"], "K", heat.values,
            tolerance=heat.tolerance, stable=heat.stable, deadline=heat.deadline,
        )  # fmt: skip
    if block.parameter is not None:
        given = block.parameter
        return OuterAxis(
            "parameter", given.name.replace(".", "_"), given.unit, given.values, given.name,
            tolerance=given.tolerance, stable=given.stable, settle=given.settle,
            deadline=given.deadline,
        )  # fmt: skip
    if block.repeat is not None:
        return OuterAxis("repeat", NAMES["repeat"], "", tuple(map(float, range(block.repeat))))
    kinds: tuple[tuple[AxisKind, str, SpacedAxis | None], ...] = (
        ("setpoint_current", "A", block.setpoint_current),
        ("setpoint_bias", "V", block.setpoint_bias),
        ("microwave_frequency", "Hz", block.microwave_frequency),
    )
    kind, unit, spaced = next(found for found in kinds if found[2] is not None)
    assert spaced is not None
    return OuterAxis(kind, NAMES[kind], unit, _values(spaced), settle=spaced.settle)


def _values(axis: SpacedAxis) -> tuple[float, ...]:
    if axis.values is not None:
        return axis.values
    assert axis.start is not None
    assert axis.end is not None
    assert axis.count is not None
    if axis.spacing == "linear":
        return tuple(np.linspace(axis.start, axis.end, axis.count).tolist())
    sign = 1.0 if axis.start > 0 else -1.0
    return tuple((sign * np.geomspace(abs(axis.start), abs(axis.end), axis.count)).tolist())
