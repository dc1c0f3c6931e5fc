"""Where spectra are taken, and in which order."""

from __future__ import annotations

import math

from stm_daq.plan.model import Grid
from stm_daq.records import Frame, Site


def site_rows(grid: Grid) -> list[list[Site]]:
    """Return the sites of a grid, row by row from the bottom, each row from the left.

    Before the sites of a row are measured, ``grid.every`` more rows of the topograph are scanned.
    """
    columns = grid.shape[1]
    return [
        [
            Site(row * columns + col, row, col, *position(grid.frame, x, y))
            for col, x in enumerate(grid.x.tolist())
        ]
        for row, y in enumerate(grid.y.tolist())
    ]


def position(frame: Frame, along: float, up: float) -> tuple[float, float]:
    """Convert a place in a frame to the controller's coordinates.

    Parameters
    ----------
    frame : Frame
    along, up : float
        Distance from the left and from the bottom edge of the frame, m.

    Returns
    -------
    x, y : float
        m; the frame is turned about its centre, counter-clockwise.
    """
    cosine, sine = math.cos(math.radians(frame.angle)), math.sin(math.radians(frame.angle))
    dx, dy = along - frame.width / 2, up - frame.height / 2
    return (
        frame.centre_x + cosine * dx - sine * dy,
        frame.centre_y + sine * dx + cosine * dy,
    )
