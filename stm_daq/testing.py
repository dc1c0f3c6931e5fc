"""pytest fixtures for a laboratory's own tests; see docs/lab_ci.md.

Written once into the laboratory's ``conftest.py``::

    pytest_plugins = ["stm_daq.testing"]

They are not a plugin that pytest finds by itself: then every test run on the computer would import
them, and their names would stand in the way of other projects'.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from stm_daq.night.dry_run import DryRun, dry_run
from stm_daq.night.sample import SAMPLE
from stm_daq.rehearsal import Rehearsal, TwinLike, make_twin, visa_library
from stm_daq.station.config import load_station
from stm_daq.station.loader import Station, open_station
from stm_daq.station.sessions import sessions_from
from stm_daq.station.streams import streams_from
from stm_daq.station.surroundings import surrounded_by

EPOCH = 1_795_000_000.0
"""When a virtual night begins (18 Nov 2026): always then, so that a test always does the same."""


class Rehearse(Protocol):
    """What the fixture `rehearse` returns."""

    def __call__(
        self, plan: Path | str, sites: int | None = SAMPLE, seed: int | None = None
    ) -> DryRun:
        """Rehearse a plan at a sample of its sites (None: all)."""
        ...


@pytest.fixture
def station_file(pytestconfig: pytest.Config) -> Path:
    """Path of the station: ``station.yaml`` beside the tests' configuration; override it at will."""
    return pytestconfig.rootpath / "station.yaml"


@pytest.fixture
def twin(station_file: Path) -> Iterator[TwinLike]:
    """Fresh twin of the station; whatever opens an instrument during the test opens its twin."""
    made = make_twin(load_station(station_file), Rehearsal(epoch=EPOCH))
    with ExitStack() as stack:
        stack.enter_context(made)
        stack.enter_context(visa_library(made.visa_library))
        stack.enter_context(streams_from(made.open_stream))
        stack.enter_context(sessions_from(made.open_session))
        stack.enter_context(surrounded_by(made))
        yield made


@pytest.fixture
def station(station_file: Path, twin: TwinLike) -> Iterator[Station]:
    """Return the station, opened on its twin, with all roles; closed after the test."""
    with open_station(load_station(station_file), twin.clock) as opened:
        yield opened


@pytest.fixture
def rehearse(station_file: Path, tmp_path: Path, pytestconfig: pytest.Config) -> Rehearse:
    """Return a function that rehearses a plan and tells what became of it.

    Paths are relative to the tests' configuration.
    """

    def start(plan: Path | str, sites: int | None = SAMPLE, seed: int | None = None) -> DryRun:
        path = pytestconfig.rootpath / plan
        return dry_run(path, station_file, tmp_path / "runs", Rehearsal(seed, epoch=EPOCH), sites)

    return start
