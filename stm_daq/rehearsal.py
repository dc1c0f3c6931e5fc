"""The twin that a rehearsal runs on, as station.yaml names it."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from stm_daq.clock import RealClock, VirtualClock
from stm_daq.errors import BadInputError
from stm_daq.records import Array
from stm_daq.station.config import StationConfig
from stm_daq.station.streams import ByteStream


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


def make_twin(config: StationConfig, rehearsal: Rehearsal) -> TwinLike:
    """Build the twin of a station.

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
