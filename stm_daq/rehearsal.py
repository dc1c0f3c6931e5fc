"""The twin that a rehearsal runs on, as station.yaml names it."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from stm_daq.clock import RealClock, VirtualClock
from stm_daq.errors import BadInputError, Problem
from stm_daq.records import Array
from stm_daq.station.config import StationConfig
from stm_daq.station.streams import ByteStream
from stm_daq.station.surroundings import Request


class ServedDevice(Protocol):
    """A device of the twin that other programs can reach."""

    @property
    def name(self) -> str:
        """Name in station.yaml."""
        ...

    @property
    def protocol(self) -> str:
        """What it speaks, such as "SCPI"."""
        ...

    @property
    def host(self) -> str: ...

    @property
    def ports(self) -> tuple[int, ...]: ...


class ServiceLike(Protocol):
    """A twin that is being served."""

    @property
    def table(self) -> Sequence[ServedDevice]:
        """All devices with their addresses."""
        ...


class TwinLike(Protocol):
    """What a rehearsal needs from the twin named in station.yaml (`simulation: type:`)."""

    clock: VirtualClock
    visa_library: str

    @staticmethod
    def check(
        simulation: Mapping[str, Any], instruments: Mapping[str, Mapping[str, Any]]
    ) -> Sequence[tuple[tuple[str, ...], str]]:
        """Return every mistake in the block (path in it, text); builds nothing."""
        ...

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

    def answer(self, request: Request) -> tuple[int, bytes]:
        """Ask a web service."""
        ...

    def folder(self, path: Path) -> Path:
        """Return where the twin of a folder is."""
        ...

    def serve(self, port: int, session: Path | None) -> AbstractContextManager[ServiceLike]:
        """Let other programs reach the devices over TCP; only of a twin made with a speed."""
        ...

    def open_session(self, host: str, port: int) -> Any:
        """Return the session of an instrument that a vendor's library would reach."""
        ...

    def truth(self) -> Mapping[str, float]:
        """Return what the world really was at the last hold."""
        ...

    def state(self) -> Mapping[str, Any]:
        """Return where the world stands, in plain JSON types."""
        ...

    def go_on_from(
        self, state: Mapping[str, Any], look: Callable[[], object], before: float
    ) -> None:
        """Let time pass until a state that :meth:`state` returned, and go on from there.

        Parameters
        ----------
        state : mapping
        look : callable
            The last that is asked of the station.
        before : float
            How long before that state, s.
        """
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

    def fixed(self) -> Rehearsal:
        """Return the same rehearsal with its beginning fixed, so that it can be made again."""
        return replace(self, epoch=RealClock().wall() if self.epoch is None else self.epoch)

    @property
    def origin(self) -> dict[str, Any]:
        """What is stored with the run, to make the same twin again; plain JSON types."""
        return {"seed": self.seed, "epoch": self.epoch, "measured": self.measured is not None}


def make_twin(config: StationConfig, rehearsal: Rehearsal, speed: float | None = None) -> TwinLike:
    """Build the twin of a station.

    Parameters
    ----------
    config : StationConfig
    rehearsal : Rehearsal
    speed : float, optional
        Virtual seconds per real second, for a twin that is to be served; by default time jumps.

    Raises
    ------
    BadInputError
        If the station has no `simulation:` block, or it cannot be used.
    """
    epoch = RealClock().wall() if rehearsal.epoch is None else rehearsal.epoch
    overrides = {
        key: value
        for key, value in {"seed": rehearsal.seed, "measured": rehearsal.measured}.items()
        if value is not None
    }
    problems = twin_problems(config)
    if problems:
        raise BadInputError.from_problems(problems)
    factory, options = _factory(config)
    twin: TwinLike = factory(options, config.instruments, epoch, overrides, speed)
    return twin


def twin_problems(config: StationConfig) -> list[Problem]:
    """Return everything that keeps the twin of a station from being built; builds nothing."""
    if not config.simulation:
        text = "no `simulation:` block, so there is nothing to rehearse on; see docs/station.md"
        return [Problem(str(config.path), 0, 0, text)]
    source = config.source
    try:
        factory, options = _factory(config)
    except (ImportError, AttributeError, KeyError, ValueError) as error:
        text = f"the twin cannot be imported ({error})"
        return [source.at_value(("simulation", "type"), text)]
    mistakes = factory.check(options, config.instruments)
    return [
        source.at_value(("simulation", *path), ".".join(["simulation", *path]) + f": {text}")
        for path, text in mistakes
    ]


def _factory(config: StationConfig) -> tuple[Any, dict[str, Any]]:
    """Return the class of the twin and the rest of its block."""
    options = dict(config.simulation or {})
    module_name, _, class_name = str(options.pop("type")).rpartition(".")
    return getattr(importlib.import_module(module_name), class_name), options


@contextmanager
def visa_library(library: str) -> Iterator[None]:
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
