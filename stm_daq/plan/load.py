"""From a plan file to a :class:`stm_daq.plan.Plan`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from stm_daq.alert_settings import misfits_of_rules
from stm_daq.errors import BadInputError, Problem
from stm_daq.plan.build import build_axis, build_sites, build_sweep
from stm_daq.plan.build_care import build_care, misfits_of_care
from stm_daq.plan.checks import findings
from stm_daq.plan.model import Plan, Timing
from stm_daq.plan.schema import PlanFile
from stm_daq.plan.structure import misfits
from stm_daq.plan.travel import Travel
from stm_daq.yaml_model import ModelReader, dotted
from stm_daq.yaml_source import KeyPath, YamlSource, read_yaml


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
    for place, text in _all_misfits(file) if file is not None else ():
        problems.append(source.at_value(place, f"{dotted(place)}: {text}"))
    for where, finding in findings(reader.values):
        problem = source.at_value(where, f"{dotted(where)}: {finding.text}")
        (problems if finding.is_error else warnings).append(problem)
    if problems or file is None:
        raise BadInputError.from_problems(problems)
    return _plan(file, source, tuple(warnings))


def _all_misfits(file: PlanFile) -> Iterator[tuple[KeyPath, str]]:
    yield from misfits(file)
    yield from misfits_of_care(file)
    if file.alerts is not None:
        yield from misfits_of_rules(file.alerts.rules)


def _plan(file: PlanFile, source: YamlSource, warnings: tuple[Problem, ...]) -> Plan:
    stage, timing, travel = file.temperature, file.timing, file.setpoint.travel
    return Plan(
        name=file.name,
        sample=file.sample,
        setpoint_bias=file.setpoint.bias,
        setpoint_current=file.setpoint.current,
        travel=Travel(travel.bias, travel.current) if travel else None,
        expected_temperature=stage.expect if stage else None,
        temperature_tolerance=stage.tolerance if stage else None,
        axes=tuple(build_axis(axis) for axis in file.axes or ()),
        sites=build_sites(file.sites),
        sweep=build_sweep(file.sweep, file.setpoint.bias),
        timing=Timing(
            settle=timing.settle,
            initial_settle=timing.initial_settle,
            recover=timing.recover,
            z_average=timing.z_average,
            end_settle=timing.end_settle,
        ),
        fit_model=file.fit.model,
        care=build_care(file),
        finish_before=file.finish_before or "",
        alerts=file.alerts,
        warnings=warnings,
        source=source,
    )
