"""How far one topograph is shifted against another: phase correlation."""

from __future__ import annotations

import numpy as np

from stm_daq.records import Array

CLEAR = 0.5
"""Correlation of two topographs, laid over one another, above which their shift is believed."""

FLOOR = 0.02
"""Waves weaker than this part of the strongest are noise rather than surface."""


ROUNDS = 12
ENOUGH = 0.02
"""Pixels; the search ends when a round adds less."""


def shift_between(reference: Array, image: Array) -> tuple[float, float, float]:
    """Return by how much `image` is shifted against `reference`.

    Planes are removed and edges faded out; the phases of the cross-power spectrum (C. D. Kuglin and
    D. C. Hines, Proc. Int. Conf. Cybernetics and Society, 163 (1975)), of those waves that stand
    out of the noise, peak at the shift. A parabola through the peak's neighbours gives parts of a
    pixel. The image is then moved back and looked at again until nothing is left.

    Parameters
    ----------
    reference, image : array, shape (rows, columns)
        Any unit; no NaN.

    Returns
    -------
    rows, columns : float
        A feature at (r, c) in `reference` is at (r + rows, c + columns) in `image`; pixels.
    clearness : float
        Correlation of the two in their common part, -1 to 1; below `CLEAR` the shift means nothing.
    """
    first, second = _levelled(reference), _levelled(image)
    rows = columns = 0.0
    for _ in range(ROUNDS):
        more_rows, more_columns = _once(first, _moved(second, -rows, -columns))
        rows, columns = rows + more_rows, columns + more_columns
        if max(abs(more_rows), abs(more_columns)) < ENOUGH:
            break
    rows, columns = _signed(rows, len(first)), _signed(columns, first.shape[1])
    return rows, columns, _likeness(first, _moved(second, -rows, -columns), rows, columns)


def _likeness(first: Array, second: Array, rows: float, columns: float) -> float:
    """Return the correlation of two images outside the margin that was lost by moving one of them."""
    margin = [
        min(int(abs(shift)) + 2, size // 4)
        for shift, size in zip((rows, columns), first.shape, strict=True)
    ]
    inner = tuple(slice(m, size - m) for m, size in zip(margin, first.shape, strict=True))
    one, other = first[inner] - first[inner].mean(), second[inner] - second[inner].mean()
    power = float(np.sum(one**2) * np.sum(other**2))
    return float(np.sum(one * other)) / power**0.5 if power > 0.0 else 0.0


def _once(first: Array, second: Array) -> tuple[float, float]:
    """One estimate; it falls short of the shift, because the faded edges do not move."""
    window = np.hanning(len(first))[:, None] * np.hanning(first.shape[1])
    one, other = np.fft.fft2(first * window), np.fft.fft2(second * window)
    product = other * np.conj(one)
    size = np.abs(product)
    phase = product / np.maximum(size + FLOOR**2 * size.max(), 1e-300)
    correlation = np.fft.ifft2(phase).real
    row, column = np.unravel_index(int(np.argmax(correlation)), correlation.shape)
    return (
        _signed(row + _vertex(correlation[:, column], int(row)), len(first)),
        _signed(column + _vertex(correlation[row], int(column)), first.shape[1]),
    )


def _levelled(z: Array) -> Array:
    """Take out the plane."""
    rows, columns = z.shape
    y, x = np.mgrid[-1 : 1 : 1j * rows, -1 : 1 : 1j * columns]
    plane = np.stack([np.ones(z.size), x.ravel(), y.ravel()], axis=1)
    level, *_ = np.linalg.lstsq(plane, z.ravel())
    return np.asarray(z - (plane @ level).reshape(z.shape))


def _moved(z: Array, rows: float, columns: float) -> Array:
    """Move what is in an image, by parts of a pixel too; what leaves it comes in on the other side."""
    if rows == columns == 0.0:
        return z
    v, u = np.fft.fftfreq(len(z))[:, None], np.fft.fftfreq(z.shape[1])
    turned = np.fft.fft2(z) * np.exp(-2j * np.pi * (v * rows + u * columns))
    return np.asarray(np.fft.ifft2(turned).real)


def _vertex(line: Array, at: int) -> float:
    """Return where the parabola through three points has its vertex, from the middle one."""
    left, middle, right = line[at - 1], line[at], line[(at + 1) % len(line)]
    bend = left - 2.0 * middle + right
    return 0.0 if bend >= 0.0 else float(0.5 * (left - right) / bend)


def _signed(shift: float, size: int) -> float:
    """Return a shift of -size/2 to size/2."""
    return float((shift + size / 2) % size - size / 2)
