"""Runs to export: every value tells its place; some sites are missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stm_daq import open_run
from stm_daq.records import Axis, Frame, RunEnded, Site
from stm_daq.store.journal import Journal

AXES = (Axis("temperature", "K", (0.1, 0.5)), Axis("repeat", "", (0.0, 1.0, 2.0)))
SETPOINT = {"setpoint": {"bias": 4e-3, "current": 1e-10}}
MISSING = (5, 10, 11)


def placed(run, started, index):
    """Return the spectrum of a site at its true place in the (rotated) frame."""
    row, col = divmod(index, run.columns)
    x, y = started.frame.position(float(started.grid_x[col]), float(started.grid_y[row]))
    return run.spectrum(index, site=Site(index, row, col, x, y))


@pytest.fixture
def aborted(tmp_path, run):
    """Return the folder of an aborted 4 x 3 grid in a frame turned by 30 degrees.

    One site was skipped, two were never reached, one is flagged and was measured twice, one has no fit.
    Two of six lines of the topograph are missing.
    """
    started = run.started(metadata=SETPOINT)
    with Journal.create(tmp_path / "aborted", started) as journal:
        journal.write(run.topograph(0, 4))
        for index in (i for i in range(12) if i not in MISSING):
            spectrum = placed(run, started, index)
            journal.write(spectrum, run.truth(index))
            if index != 2:
                journal.write(run.fit(index))
        again = replace(placed(run, started, 1), attempt=1, flags=("overload",))
        journal.write(again, run.fit(1, 1, ok=False, flags=("bad",)))
        journal.write(RunEnded(1.764e9 + 200, "stopped"))
    return tmp_path / "aborted"


@pytest.fixture
def truth(aborted):
    """Return the dataset of that run."""
    return open_run(aborted)


def _grid(run, folder, **changes):
    started = run.started(metadata=SETPOINT, **changes)
    with Journal.create(folder, started) as journal:
        for index in range(4):
            journal.write(replace(placed(run, started, index), bias=started.bias))
            journal.write(run.fit(index))
    return folder


def _one_row(run, folder, kind, places):
    steps = np.hypot(*np.diff(np.array(places), axis=0).T) if len(places) > 1 else np.empty(0)
    low, high = np.min(places, axis=0), np.max(places, axis=0)
    frame = Frame(*((low + high) / 2).tolist(), *(high - low).tolist())
    started = run.started(
        frame=frame,
        grid_shape=(1, len(places)), grid_x=np.concatenate([[0.0], np.cumsum(steps)]), grid_y=np.zeros(1),
        topograph_shape=(0, 0), sites=kind,
    )  # fmt: skip
    with Journal.create(folder, started) as journal:
        for index in (i for i in range(len(places)) if i != 2):
            site = Site(index, 0, index, *places[index])
            journal.write(run.spectrum(index, site=site), run.fit(index))
    return folder


def _series(run, folder):
    started = run.started(axes=AXES, metadata=SETPOINT)
    with Journal.create(folder, started) as journal:
        for step in (0, 1, 2, 3, 5):
            journal.write(replace(run.topograph(0, 6), step=step))
            for index in range(12):
                spectrum = placed(run, started, index)
                site = replace(spectrum.site, index=12 * step + index, step=step)
                current = spectrum.current + 1e-6 * step
                journal.write(replace(spectrum, site=site, current=current))
                journal.write(replace(run.fit(index), site_index=12 * step + index))
    return folder


def _back(run, folder):
    both = np.concatenate([run.bias, run.bias[::-1]])
    trace = np.arange(2.0 * run.points)
    with Journal.create(folder, run.started(bias=both, directions=2)) as journal:
        for index in range(3):
            spectrum = run.spectrum(index, bias=both, current=trace + index, conductance=-trace)
            journal.write(spectrum, run.fit(index))
    return folder


def _heights(run, folder):
    heights = np.linspace(0.0, -2e-10, run.points)
    bias = np.full(run.points, 4e-3)
    return _grid(run, folder, bias=bias, swept_name="z", swept_unit="m", swept=heights)


def _empty(run, folder):
    Journal.create(folder, run.started()).close()
    return folder


SHAPES = {
    "grid": lambda run, folder: _grid(run, folder),
    "one step of a parameter, no topograph": lambda run, folder: _grid(
        run, folder, topograph_shape=(0, 0), axes=(Axis("magnet.field", "T", (0.5,)),)
    ),
    "one point": lambda run, folder: _one_row(run, folder, "points", [(1e-9, 2e-9)]),
    "line": lambda run, folder: _one_row(
        run, folder, "line", [(1e-9 * i, 2e-9 - 1e-9 * i) for i in range(4)]
    ),
    "points": lambda run, folder: _one_row(
        run, folder, "points", [(0.0, 0.0), (5e-9, 0.0), (5e-9, 1e-9), (0.0, 1e-9)]
    ),
    "outer axes": _series,
    "there and back": _back,
    "heights": _heights,
    "unequal steps": lambda run, folder: _grid(
        run, folder, bias=1e-3 * np.linspace(-1, 2, 16) ** 3
    ),
    "nothing yet": _empty,
}


@pytest.fixture(params=SHAPES)
def shaped(request, tmp_path, run):
    """Return the folder of a run of every shape; none of them has ended."""
    return SHAPES[request.param](run, tmp_path / "a_run")


@pytest.fixture
def shape(tmp_path, run):
    """Return a function that makes a run of the named shape and returns its folder."""
    return lambda name: SHAPES[name](run, tmp_path / "a_run")


@pytest.fixture
def shapes(tmp_path, run):
    """Return the folders of runs of all shapes."""
    return [make(run, tmp_path / name.replace(" ", "_")) for name, make in SHAPES.items()]
