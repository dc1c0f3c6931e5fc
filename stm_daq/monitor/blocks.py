"""Maps and spectra drawn with half-block characters: two pixels per character cell."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.style import Style
from rich.text import Text

from stm_daq.records import Array

_UPPER, _LOWER, _FULL = "▀", "▄", "█"
_MISSING = (96, 96, 96)
# viridis at equal steps: perceptually even, readable by the colour-blind
_COLOURS = np.array(
    [
        (68, 1, 84),
        (72, 40, 120),
        (62, 74, 137),
        (49, 104, 142),
        (38, 130, 142),
        (31, 158, 137),
        (53, 183, 121),
        (110, 206, 88),
        (181, 222, 43),
        (253, 231, 37),
    ]
)


def robust_range(values: Array) -> tuple[float, float]:
    """Return the 2nd and 98th percentile of the finite `values`; NaN without any."""
    finite = values[np.isfinite(values)]
    if len(finite) == 0:
        return math.nan, math.nan
    low, high = np.percentile(finite, [2, 98])
    return float(low), float(high)


def reduced(values: Array, rows: int, columns: int) -> Array:
    """Average a map over blocks so that it is at most `rows` x `columns`; NaN are left out."""
    step = max(1, math.ceil(values.shape[0] / rows), math.ceil(values.shape[1] / columns))
    if step == 1:
        return values
    blocks_y, blocks_x = (math.ceil(n / step) for n in values.shape)
    padded = np.full((blocks_y * step, blocks_x * step), np.nan)
    padded[: values.shape[0], : values.shape[1]] = values
    blocks = padded.reshape(blocks_y, step, blocks_x, step)
    known = np.isfinite(blocks)
    count = known.sum(axis=(1, 3))
    total = np.where(known, blocks, 0.0).sum(axis=(1, 3))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def heat_map(values: Array, rows: int = 64, columns: int = 64) -> Text:
    """Draw a map; row 0 (the bottom of the frame) is drawn lowest, NaN is grey.

    Parameters
    ----------
    values : array, shape (rows, columns)
    rows, columns : int
        Largest size in pixels; a character is one pixel wide and two high.
    """
    low, high = robust_range(values)
    pixels = _colours(reduced(values, rows, columns), low, high)[::-1]
    text = Text(no_wrap=True)
    for top in range(0, len(pixels), 2):
        if top:
            text.append("\n")
        bottom = pixels[top + 1] if top + 1 < len(pixels) else None
        for column, colour in enumerate(pixels[top]):
            below = None if bottom is None else _rgb(bottom[column])
            text.append(_UPPER, Style(color=_rgb(colour), bgcolor=below))
    return text


def spectrum_plot(bias: Array, values: Array, width: int = 48, height: int = 8) -> Text:
    """Draw values over bias, bias growing to the right, between their lowest and highest value."""
    order = np.argsort(bias, kind="stable")
    parts = np.array_split(values[order], min(width, len(values)))
    means = np.array([np.nanmean(p) if np.any(np.isfinite(p)) else np.nan for p in parts])
    if not np.any(np.isfinite(means)):
        return Text("no numbers")
    low, span = np.nanmin(means), np.ptp(means[np.isfinite(means)]) or 1.0
    levels = np.round((means - low) / span * (2 * height - 1))  # half rows from the bottom
    columns = [_stroke(*pair, height) for pair in itertools.pairwise([levels[0], *levels])]
    rows = ("".join(marks).rstrip() for marks in zip(*columns, strict=True))
    return Text("\n".join(rows), no_wrap=True)


def _stroke(before: float, level: float, height: int) -> list[str]:
    """Draw one column from the top: from next to the level before it up or down to its own."""
    if not math.isfinite(level):
        return [" "] * height
    start = level if not math.isfinite(before) else before + np.sign(level - before)
    inked = {int(half) for half in np.arange(min(start, level), max(start, level) + 1)}
    marks = {(False, False): " ", (True, False): _UPPER, (False, True): _LOWER, (True, True): _FULL}
    return [marks[2 * row + 1 in inked, 2 * row in inked] for row in range(height - 1, -1, -1)]


def _colours(values: Array, low: float, high: float) -> NDArray[np.int_]:
    """Return the colour of every pixel, shape (rows, columns, 3)."""
    span = high - low if high > low else 1.0
    known = np.isfinite(values)
    place = np.clip((np.where(known, values, low) - low) / span, 0.0, 1.0) * (len(_COLOURS) - 1)
    place = np.nan_to_num(place)
    first = np.minimum(place.astype(int), len(_COLOURS) - 2)
    part = (place - first)[..., None]
    mixed = _COLOURS[first] * (1 - part) + _COLOURS[first + 1] * part
    return np.where(known[..., None], np.round(mixed), _MISSING).astype(int)


def _rgb(colour: NDArray[np.int_]) -> Color:
    return Color.from_rgb(*(int(part) for part in colour))
