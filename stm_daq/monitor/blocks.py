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
_BARS = "▁▂▃▄▅▆▇█"
_SHADES = " .:-=+*#%@"
INKS = ("", "bright_cyan", "dark_orange")
"""Of nothing, of what was measured, of its fit."""
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


def _fitted_to(values: Array, rows: int, columns: int) -> Array:
    """Return a map enlarged by a whole number, or averaged, so that it just fits."""
    if min(values.shape) == 0:
        return values
    factor = min(rows // values.shape[0], columns // values.shape[1])
    if factor < 1:
        return reduced(values, rows, columns)
    return values.repeat(factor, axis=0).repeat(factor, axis=1)


def heat_map(values: Array, rows: int = 64, columns: int = 64) -> Text:
    """Draw a map; row 0 (the bottom of the frame) is drawn lowest, NaN is grey.

    Parameters
    ----------
    values : array, shape (rows, columns)
    rows, columns : int
        Size in pixels that it has to fit into; a character is one pixel wide and two high.
    """
    low, high = robust_range(values)
    pixels = _colours(_fitted_to(values, rows, columns), low, high)[::-1]
    text = Text(no_wrap=True)
    for top in range(0, len(pixels), 2):
        if top:
            text.append("\n")
        bottom = pixels[top + 1] if top + 1 < len(pixels) else None
        for column, colour in enumerate(pixels[top]):
            below = None if bottom is None else _rgb(bottom[column])
            text.append(_UPPER, Style(color=_rgb(colour), bgcolor=below))
    return text


def spectrum_plot(
    bias: Array, values: Array, width: int = 48, height: int = 8, curve: Array | None = None
) -> Text:
    """Draw values over bias, bias growing to the right, and the curve of their fit over them.

    Parameters
    ----------
    bias, values : array, shape (n,)
    width, height : int
        In characters; a character is two half rows high.
    curve : array, shape (n,), optional
        Drawn in another colour, on the same scale.
    """
    order = np.argsort(bias, kind="stable")
    lines = [_means(line[order], width) for line in (values, curve) if line is not None]
    known = np.concatenate([line[np.isfinite(line)] for line in lines])
    if not len(known):
        return Text("no numbers")
    low, span = known.min(), np.ptp(known) or 1.0
    inked = np.zeros((2 * height, len(lines[0])), dtype=int)  # half rows from the bottom
    for ink, line in enumerate(lines, start=1):
        levels = np.round((line - low) / span * (2 * height - 1))
        for column, pair in enumerate(itertools.pairwise([levels[0], *levels])):
            inked[_stroke(*pair), column] = ink
    return _drawn(inked)


def _means(values: Array, width: int) -> Array:
    """Average values over as many pieces as there are columns."""
    parts = np.array_split(values, min(width, len(values)))
    return np.array([np.nanmean(p) if np.any(np.isfinite(p)) else np.nan for p in parts])


def _stroke(before: float, level: float) -> list[int]:
    """Return the half rows from next to the level before up or down to the level itself."""
    if not math.isfinite(level):
        return []
    start = level if not math.isfinite(before) else before + np.sign(level - before)
    return [int(half) for half in np.arange(min(start, level), max(start, level) + 1)]


def _drawn(inked: NDArray[np.int_]) -> Text:
    """Draw half rows, row 0 at the bottom, each in its ink (0: none)."""
    text = Text(no_wrap=True)
    for row in range(len(inked) - 2, -1, -2):
        lower, upper = inked[row], inked[row + 1]
        blank = np.flatnonzero(lower + upper)
        end = blank[-1] + 1 if len(blank) else 0
        for pair in zip(upper[:end], lower[:end], strict=True):
            text.append(*_half_blocks(*pair))
        if row:
            text.append("\n")
    return text


def _half_blocks(upper: int, lower: int) -> tuple[str, str]:
    """Return the character and its style for two half rows."""
    if upper and lower:
        if upper == lower:
            return _FULL, INKS[upper]
        return _UPPER, f"{INKS[upper]} on {INKS[lower]}"
    if upper:
        return _UPPER, INKS[upper]
    return (_LOWER, INKS[lower]) if lower else (" ", "")


def sparkline(values: Array, width: int) -> str:
    """Draw the last `width` values as a row of bars between their lowest and highest."""
    shown = values[-width:]
    known = shown[np.isfinite(shown)]
    if not len(known):
        return ""
    span = np.ptp(known) or 1.0
    marks = np.where(np.isfinite(shown), (shown - known.min()) / span, -1.0)
    return "".join(" " if m < 0 else _BARS[round(m * (len(_BARS) - 1))] for m in marks)


def colour_bar(width: int) -> Text:
    """Draw the colours of a map from low to high."""
    text = Text(no_wrap=True)
    for colour in _colours(np.linspace(0.0, 1.0, width), 0.0, 1.0):
        text.append(_FULL, Style(color=_rgb(colour)))
    return text


def without_colour(values: Array, rows: int, columns: int) -> Text:
    """Draw a map with a few shades of grey characters, for a terminal without colours."""
    low, high = robust_range(values)
    pixels = _fitted_to(values, rows, columns)[::-2]  # a character is two pixels high
    span = high - low if high > low else 1.0
    lines = [
        "".join("?" if not math.isfinite(v) else _SHADES[_shade((v - low) / span)] for v in row)
        for row in pixels
    ]
    return Text("\n".join(lines), no_wrap=True)


def _shade(share: float) -> int:
    return round(min(max(share, 0.0), 1.0) * (len(_SHADES) - 1))


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
