"""From a plan file to a :class:`stm_daq.plan.Plan`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stm_daq.errors import BadInputError, Problem
from stm_daq.plan.checks import findings
from stm_daq.plan.model import Grid, Plan, Sweep, Timing
from stm_daq.plan.schema import GridBlock, PlanFile, SweepBlock
from stm_daq.records import Frame
from stm_daq.yaml_model import ModelReader, dotted
from stm_daq.yaml_source import YamlSource, read_yaml


def load_plan(path: str | Path) -> Plan:
    """Read and check a plan; touches nothing but the file.

    Raises
    ------
    BadInputError
        Listing every mistake as ``file:line:column: what is wrong``.
    """
    source = read_yaml(path)
    reader = ModelReader(source)
    file = reader.read(PlanFile)
    problems, warnings = list(reader.problems), list[Problem]()
    for where, finding in findings(reader.values):
        problem = source.at_value(where, f"{dotted(where)}: {finding.text}")
        (problems if finding.is_error else warnings).append(problem)
    if problems or file is None:
        raise BadInputError.from_problems(problems)
    return _plan(file, source, tuple(warnings))


def _plan(file: PlanFile, source: YamlSource, warnings: tuple[Problem, ...]) -> Plan:
    stage, timing = file.temperature, file.timing
    return Plan(
        name=file.name,
        sample=file.sample,
        setpoint_bias=file.setpoint.bias,
        setpoint_current=file.setpoint.current,
        expected_temperature=stage.expect if stage else None,
        temperature_tolerance=stage.tolerance if stage else None,
        grid=_grid(file.sites.grid),
        sweep=_sweep(file.sweep),
        timing=Timing(timing.settle, timing.initial_settle, timing.recover),
        fit_model=file.fit.model,
        warnings=warnings,
        source=source,
    )


def _grid(grid: GridBlock) -> Grid:
    frame = Frame(*grid.frame.centre, *grid.frame.size, grid.frame.angle)
    shape = (grid.topograph.rows, grid.topograph.columns)
    return Grid(frame, shape, grid.every, grid.topograph.line_time)


def _sweep(sweep: SweepBlock) -> Sweep:
    return Sweep(
        bias=np.linspace(sweep.bias.start, sweep.bias.end, sweep.bias.points),
        dwell=sweep.bias.dwell,
        modulation_peak=sweep.modulation.peak,
        modulation_frequency=sweep.modulation.frequency,
        time_constant=sweep.lockin.time_constant,
    )
