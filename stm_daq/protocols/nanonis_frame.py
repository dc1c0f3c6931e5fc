"""Frames as Nanonis states them: over TCP and in files the angle counts clockwise.

Source: Nanonis TCP protocol, ``Scan.FrameSet`` ("positive angle means clockwise rotation"); the
recorded positions of real grids agree. A frame of ours turns counter-clockwise.
"""

from __future__ import annotations

type NanonisFrame = tuple[float, float, float, float, float]
"""Centre x, y, width, height (m), angle (degrees, clockwise)."""


def nanonis_frame(x: float, y: float, width: float, height: float, angle: float) -> NanonisFrame:
    """Return centre and size (m) and counter-clockwise angle (degrees) as Nanonis states them."""
    return x, y, width, height, other_way(angle)


def other_way(angle: float) -> float:
    """Return a clockwise angle as a counter-clockwise one, or the other way round; never -0."""
    return 0.0 - angle
