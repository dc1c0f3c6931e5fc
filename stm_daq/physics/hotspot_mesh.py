"""Radial mesh under a tip: heating profile, elements, weights of the heat balance."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

type Array = NDArray[np.float64]

R_MAX = math.sqrt(0.5 * (1.0 + math.sqrt(5.0)))
"""z0; radius of the strongest heating."""
FAR = 120.0
"""z0; where the heat flow ends."""
CENTRE = 2.5
"""z0; the mesh is nearly uniform within this radius. Beyond, its elements widen as r^2, or as r where
the normal region is large (see :func:`mesh`)."""


def heating_profile(radius: ArrayLike) -> Array:
    """H(r) of eq. (2), the square of the current of a small spherical tip, in 1/z0^2.

        H = r^2 / [(1 + r^2) (sqrt(1 + r^2) + 1)^2],    r in z0

    Its maximum is at R_MAX. With the total displacement current I0 (amplitude), the rms current
    density is j^2 = I0^2 H / (8 pi^2 d^2).
    """
    r = np.asarray(radius, dtype=np.float64)
    root = np.sqrt(1.0 + r * r)
    return np.asarray((r / (root * (root + 1.0))) ** 2)


def heated_area(radius: float) -> float:
    """Integral of H(r) r dr from 0 to `radius` (z0): 2 log[(s + 1)/2] - log s, s^2 = 1 + radius^2."""
    s = math.sqrt(1.0 + radius * radius)
    return 2.0 * math.log(0.5 * (s + 1.0)) - math.log(s)


H_MAX = float(heating_profile(R_MAX))
"""1/z0^2; 0.0901699 = 0.3002831^2."""

WIDE = 15.0
"""z0; a normal region larger than this needs a mesh that is fine further out."""
MOST = 6000
"""Nodes, unless asked for."""


@dataclass(frozen=True, eq=False)
class Mesh:
    """Nodes and weights; see `hotspot_kernel_balance`."""

    radius: Array
    """Nodes, z0, shape (n,)."""
    link: Array
    """r/dr of each element, shape (n - 1,)."""
    area: Array
    """Area of each node over 2 pi, shape (n,)."""
    left: Array
    """Integral of h r over each element, weighted to its left node, shape (n - 1,)."""
    right: Array

    def compiled(self, thermal_length: float, n: int) -> tuple[Array, Array, Array, Array]:
        """What the compiled functions take, for a thermal length in z0."""
        return n * thermal_length**2 * self.link, self.area, self.left, self.right


@lru_cache(maxsize=16)
def mesh(
    nodes: int, reach: float = 0.0, far: float = FAR, shape: Callable[[Array], Array] | None = None
) -> Mesh:
    """Make the mesh of so many nodes, fine enough for a front anywhere within `reach` (z0).

    `shape` is the heating at r over its highest; by default h = H/H_MAX.
    """
    s = np.linspace(0.0, 1.0, nodes)
    if reach < WIDE:
        r = CENTRE * np.tan(math.atan(far / CENTRE) * s)
    else:
        r = 0.6 * CENTRE * np.sinh(math.asinh(far / (0.6 * CENTRE)) * s)
    width = np.diff(r)
    x, w = np.polynomial.legendre.leggauss(4)
    x, w = 0.5 * (x + 1.0), 0.5 * w
    inside = r[:-1, None] + width[:, None] * x
    weight = width[:, None] * w * inside
    heat = weight * (shape(inside) if shape else heating_profile(inside) / H_MAX)
    area = np.zeros(nodes)
    area[:-1] += weight @ (1.0 - x)
    area[1:] += weight @ x
    link = 0.5 * (r[:-1] + r[1:]) / width
    return Mesh(r, link, area, heat @ (1.0 - x), heat @ x)


def mesh_for(
    nodes: int | None, thermal_length: float, drive: float = 0.0, least: int = 400
) -> Mesh:
    """Return a mesh that resolves a front of width `thermal_length` at drives up to `drive`.

    The outer front of the normal region is where the local current is about j*. A given number of
    nodes is kept.
    """
    reach = drive / (math.sqrt(H_MAX) * 1.0)
    far = FAR * max(1.0, thermal_length, reach / 30.0)
    if nodes is None:
        nodes = int(least * max(1.0, 0.16 / thermal_length))
        if reach >= WIDE:
            nodes = max(nodes, int(5.0 * reach / thermal_length))
        nodes = min(nodes, MOST)
    return mesh(nodes, reach, far)
