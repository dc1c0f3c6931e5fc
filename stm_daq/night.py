"""Wires one run: plan, station (or its twin), journal, fit, publisher, runner, report."""

from __future__ import annotations

import importlib
import logging
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from stm_daq.clock import Clock, RealClock, VirtualClock
from stm_daq.errors import BadInputError
from stm_daq.plan import Estimate, Plan, estimate, load_plan
from stm_daq.records import (
    Array,
    Event,
    Fit,
    Record,
    RunEnded,
    RunStarted,
    Spectrum,
    Truth,
)
from stm_daq.sequencer.runner import Runner
from stm_daq.sequencer.stop import StopSwitch, stop_on_signals
from stm_daq.sequencer.sweep import DacSweep
from stm_daq.station.loader import Station, StationConfig, load_station, open_station
from stm_daq.station.streams import ByteStream, streams_from
from stm_daq.store.journal import Journal, new_run_folder

if TYPE_CHECKING:
    from stm_daq.fitting import OnlineFitter

type Observer = Callable[[Record], None]
type Derive = Callable[[Spectrum], Record]
"""Makes a further record of a spectrum, such as its fit."""

log = logging.getLogger(__name__)


class TwinLike(Protocol):
    """What a rehearsal needs from the twin named in station.yaml (`simulation: type:`)."""

    clock: VirtualClock
    visa_library: str

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def open_stream(self, host: str, port: int, timeout: float) -> ByteStream:
        """Connect to a device that speaks a byte stream."""
        ...

    def truth(self) -> Mapping[str, float]:
        """Return what the world really was at the last hold."""
        ...

    def transactions(self) -> int:
        """Return how many bus transactions there were."""
        ...

    def violations(self) -> list[str]:
        """Return the world's own record of misdeeds."""
        ...


@dataclass(frozen=True, slots=True)
class MeasuredSurface:
    """A measured topograph and measured spectra, as the sample of a rehearsal."""

    height: Array
    """m, shape (rows, columns), row 0 at the bottom."""
    size: tuple[float, float]
    """Extent in x and y, m."""
    spectra: tuple[tuple[float, Array, Array], ...]
    """(temperature in K, bias in V, conductance in S) of each spectrum."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """How a rehearsal differs from a run."""

    seed: int | None = None
    """Replaces the seed in station.yaml."""
    measured: MeasuredSurface | None = None
    """Replaces the sample in station.yaml by a measured one."""
    epoch: float | None = None
    """Wall time at which the virtual night begins; now if None."""


@dataclass(frozen=True, slots=True)
class NightResult:
    """What is left of a run."""

    folder: Path
    ended: RunEnded
    seconds: float
    """Duration in the run's own time (virtual in a rehearsal)."""
    transactions: int | None
    """Bus transactions (rehearsals only)."""
    violations: tuple[str, ...] = ()
    """What the twin's world saw go wrong (rehearsals only)."""


@dataclass(frozen=True)
class Night:
    """A checked plan on a checked station; nothing has been touched yet."""

    plan: Plan
    config: StationConfig
    estimate: Estimate
    observers: tuple[Observer, ...] = ()

    def watched_by(self, observers: Sequence[Observer]) -> Night:
        """Return the same night with these observers."""
        return replace(self, observers=tuple(observers))


def prepare_night(plan_path: Path, station_path: Path) -> Night:
    """Read and check plan and station; touches no instrument.

    Raises
    ------
    BadInputError
        Naming every mistake with file, line and column.
    """
    problems: list[str] = []
    plan = config = None
    try:
        plan = load_plan(plan_path)
    except BadInputError as error:
        problems.append(str(error))
    try:
        config = load_station(station_path)
    except BadInputError as error:
        problems.append(str(error))
    if plan is None or config is None:
        raise BadInputError("\n".join(problems))
    return Night(plan, config, estimate(plan, config.limits))


def rehearse(night: Night, runs: Path, rehearsal: Rehearsal) -> NightResult:
    """Run a plan on the twin of its station, in virtual time."""
    epoch = RealClock().wall() if rehearsal.epoch is None else rehearsal.epoch
    overrides = {
        key: value
        for key, value in {"seed": rehearsal.seed, "measured": rehearsal.measured}.items()
        if value is not None
    }
    twin = _make_twin(night.config, epoch, overrides)
    with twin, _visa_library(twin.visa_library), streams_from(twin.open_stream):
        ended, folder, seconds = _measure(night, runs, "rehearsal", twin.clock, twin)
        return NightResult(folder, ended, seconds, twin.transactions(), tuple(twin.violations()))


def run(night: Night, runs: Path) -> NightResult:
    """Run a plan on the microscope."""
    ended, folder, seconds = _measure(night, runs, "run", RealClock(), None)
    return NightResult(folder, ended, seconds, None)


def _measure(
    night: Night, runs: Path, kind: str, clock: Clock, twin: TwinLike | None
) -> tuple[RunEnded, Path, float]:
    from stm_daq.fitting import OnlineFitter

    plan, began = night.plan, clock.now()
    sweep = plan.sweep
    OnlineFitter(sweep.bias, sweep.modulation_peak, plan.fit_model).warm_up()
    stop = StopSwitch()
    with ExitStack() as stack:
        station = stack.enter_context(open_station(night.config, clock))
        records = _Records(clock)
        runner = Runner(
            plan, station, clock, records.emit, stop, expected_seconds=night.estimate.total
        )
        stack.enter_context(stop_on_signals(stop))
        runner.prepare()
        folder = new_run_folder(runs, plan.name, clock.wall())
        started = _run_started(night, kind, folder.name, clock.wall(), station, runner.sweep)
        journal = stack.enter_context(Journal.create(folder, started))
        fitter = OnlineFitter(
            sweep.bias, started.modulation, plan.fit_model, memory=runner.sweep.step_memory
        )
        derive: list[Derive] = [_OnlineFit(fitter)]
        if twin is not None:
            derive.append(_RecordTruth(twin))
        records.connect(journal, started, derive, night.observers)
        ended = runner.run()
    return ended, folder, clock.now() - began


class _Records:
    """Passes every record to the journal first, then to the observers, which cannot hurt the run.

    What is derived from a spectrum (its fit, the twin's truth) follows it at once, before the next
    site starts. Records made before the journal exists are kept and passed on later.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._early: list[Record] = []
        self._journal: Journal | None = None
        self._derive: list[Derive] = []
        self._observers: list[Observer] = []

    def connect(
        self,
        journal: Journal,
        started: RunStarted,
        derive: Sequence[Derive],
        observers: Sequence[Observer],
    ) -> None:
        self._journal = journal
        self._derive = list(derive)
        self._observers = list(observers)
        self._tell(started)
        for record in self._early:
            self.emit(record)

    def emit(self, record: Record) -> None:
        if self._journal is None:
            self._early.append(record)
            return
        self._journal.write(record)
        self._tell(record)
        if isinstance(record, Spectrum):
            derived = list(self._derived_from(record))
            self._journal.write(*derived)
            for other in derived:
                self._tell(other)

    def _derived_from(self, spectrum: Spectrum) -> Iterator[Record]:
        for derive in list(self._derive):
            try:
                yield derive(spectrum)
            except Exception as error:
                log.exception("%s failed and was disconnected", derive)
                self._derive.remove(derive)
                yield self._disconnected(derive, error)

    def _tell(self, record: Record) -> None:
        for observer in list(self._observers):
            try:
                observer(record)
            except Exception as error:
                log.exception("%s failed and was disconnected", observer)
                self._observers.remove(observer)
                self.emit(self._disconnected(observer, error))

    def _disconnected(self, what: object, error: Exception) -> Event:
        text = f"{what} failed and was disconnected: {error or repr(error)}"
        return Event(self._clock.wall(), "warning", text)


@dataclass(frozen=True)
class _OnlineFit:
    """Fits every spectrum before the next one starts."""

    fitter: OnlineFitter

    def __str__(self) -> str:
        return "the online fit"

    def __call__(self, spectrum: Spectrum) -> Fit:
        result = self.fitter.fit(spectrum.conductance)
        return Fit(
            site_index=spectrum.site.index,
            attempt=spectrum.attempt,
            model=result.model,
            values=result.values,
            std=result.std,
            reduced_chi_square=result.reduced_chi_square,
            ok=result.ok and not spectrum.flags,
            flags=spectrum.flags + result.flags,
        )


@dataclass(frozen=True)
class _RecordTruth:
    """Writes down what the twin's world really was, beside what was measured."""

    twin: TwinLike

    def __str__(self) -> str:
        return "the twin's record of truth"

    def __call__(self, spectrum: Spectrum) -> Truth:
        return Truth(spectrum.site.index, spectrum.attempt, dict(self.twin.truth()))


def _run_started(
    night: Night, kind: str, run_id: str, now: float, station: Station, sweep: DacSweep
) -> RunStarted:
    plan, grid = night.plan, night.plan.grid
    return RunStarted(
        run_id=run_id,
        kind=kind,
        time=now,
        name=plan.name,
        sample=plan.sample,
        plan_text=plan.text,
        station_text=night.config.text,
        frame=grid.frame,
        grid_shape=grid.shape,
        grid_x=grid.x,
        grid_y=grid.y,
        topograph_shape=grid.topograph_shape,
        bias=plan.sweep.bias,
        modulation=sweep.modulation,
        metadata={
            "step_memory": sweep.step_memory.tolist(),
            "versions": _versions(),
            "computer": platform.platform(),
            "setpoint": {"bias": plan.setpoint_bias, "current": plan.setpoint_current},
            "fit_model": plan.fit_model,
            "snapshot": station.snapshot(),
        },
    )


def _versions() -> dict[str, str]:
    packages = ("stm-daq", "qcodes", "qcodes-contrib-drivers", "pyvisa", "numpy", "scipy", "numba")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def _make_twin(config: StationConfig, epoch: float, overrides: Mapping[str, Any]) -> TwinLike:
    if not config.simulation:
        raise BadInputError(
            f"{config.path}: no `simulation:` block, so there is nothing to rehearse on"
        )
    module_name, _, class_name = str(config.simulation["type"]).rpartition(".")
    try:
        factory = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadInputError(
            f"{config.path}: simulation: type: {config.simulation['type']} cannot be imported ({error})"
        ) from None
    options = {key: value for key, value in config.simulation.items() if key != "type"}
    twin: TwinLike = factory(options, config.instruments, epoch, overrides)
    return twin


@contextmanager
def _visa_library(library: str) -> Iterator[None]:
    """Let PyVISA use `library` inside the block; this alone switches the station to the twin."""
    before = os.environ.get("PYVISA_LIBRARY")
    os.environ["PYVISA_LIBRARY"] = library
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYVISA_LIBRARY"]
        else:
            os.environ["PYVISA_LIBRARY"] = before
