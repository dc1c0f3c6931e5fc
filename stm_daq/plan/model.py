"""A plan as the program uses it: frozen, complete, in SI."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from stm_daq.alert_settings import PlanAlertsBlock
from stm_daq.errors import Problem
from stm_daq.plan.axes import OuterAxis
from stm_daq.plan.care import Care
from stm_daq.plan.power_sweep import PowerSweep
from stm_daq.plan.sites import Sites
from stm_daq.plan.travel import Travel
from stm_daq.records import Array
from stm_daq.yaml_source import YamlSource

type SweepKind = Literal["dac", "controller", "points"]
type SweptName = Literal["bias", "z", "microwave_power", "power_sweep"]


@dataclass(frozen=True, slots=True)
class Sweep:
    """One spectrum: something is swept while current and conductance are recorded."""

    bias: Array
    """Bias of every point in the order of measurement, the way back included, V, shape (n,)."""
    dwell: float
    """Seconds at each point."""
    modulation_peak: float
    """Wanted peak amplitude at the junction, V."""
    modulation_frequency: float
    """Hz."""
    time_constant: float
    """Of the lock-in, s."""
    kind: SweepKind = "dac"
    """Who sweeps: a list of the bias source, the STM controller, or the program point by point."""
    directions: int = 1
    """2 if the second half of the points goes back over those of the first."""
    averages: int = 1
    """Sweeps that are averaged while the feedback is held."""
    z_offset: float = 0.0
    """How far the tip is moved after the hold (positive: away from the sample), m."""
    modulation_only_in_sweep: bool = False
    swept_name: SweptName = "bias"
    swept: Array = field(default_factory=lambda: np.empty(0))
    """Value of what is swept at every point, shape (n,), if that is not the bias: z relative to
    where the feedback was held (m), or microwave power (dBm); of a power sweep the number of the
    point."""
    microwave_frequency: float | None = None
    """Hz; None if the plan does not set it here."""
    power_sweep: PowerSweep | None = None
    """If the microwave power is swept in cycles."""

    @property
    def swept_unit(self) -> str:
        """Unit of what is swept."""
        units = {"bias": "V", "z": "m", "microwave_power": "dBm", "power_sweep": ""}
        return units[self.swept_name]


@dataclass(frozen=True, slots=True)
class Timing:
    """Waiting times, s."""

    settle: float
    """With feedback, after the move and before z is read."""
    initial_settle: float
    """Feedback held, before the first point."""
    recover: float
    """With feedback, after the sweep."""
    z_average: float = 0.0
    """Time over which height and current are averaged before the hold; 0: one reading."""
    end_settle: float = 0.0
    """Feedback held, after the last point."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured."""

    name: str
    sample: str
    setpoint_bias: float
    """V."""
    setpoint_current: float
    """A."""
    travel: Travel | None
    """Under which the tip moves sideways; None: under the set-point of the sites."""
    expected_temperature: float | None
    """Of the stage, K; None if the plan does not say."""
    temperature_tolerance: float | None
    axes: tuple[OuterAxis, ...]
    """What is changed between maps, slowest first."""
    sites: Sites
    sweep: Sweep
    timing: Timing
    fit_model: str
    """Name of the model; "none": spectra are not fitted during the run."""
    care: Care
    finish_before: str
    """As written, such as "08:00"; see :func:`stm_daq.plan.moment`. Empty: no deadline."""
    alerts: PlanAlertsBlock | None
    """Rules that replace the station's; None if the plan has none."""
    warnings: tuple[Problem, ...]
    """What is allowed but doubtful, with positions in the file."""
    source: YamlSource = field(repr=False)
    """The file, for messages that point into it."""

    @property
    def is_fitted(self) -> bool:
        """Whether spectra are fitted: dI/dV against the bias, unless the plan wants no model."""
        return self.sweep.swept_name == "bias" and self.fit_model != "none"

    @property
    def path(self) -> Path:
        """Where the plan was read from."""
        return self.source.path

    @property
    def text(self) -> str:
        """The plan file, verbatim."""
        return self.source.text
