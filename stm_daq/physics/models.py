"""Models that can be fitted to a differential conductance: their parameters, values, derivatives.

A fit searches in coordinates in which a spectrum depends smoothly on every parameter: temperatures
by their logarithm, barriers by the reflection R = Z^2/(1 + Z^2), since a spectrum hardly depends on Z
near Z = 0 but always on R; the others as they are.

    model = MODELS["two_gaps"]
    theta = model.coordinates([0.4e-3, 0.9e-3, 0.5, 0.7, 0.3, 1e-5])    # in the order of model.parameters
    out = np.empty((len(theta) + 2, len(bias)))
    model.evaluate(bias, theta, modulation, noise, out)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]


@dataclass(frozen=True)
class Parameter:
    """What a parameter is and how the search sees it."""

    name: str
    unit: str
    """"eV", "K", "V" or "" for a plain number."""
    coordinate: Literal["itself", "logarithm", "reflection"] = "itself"

    def to_coordinate(self, value: float) -> float:
        """Search coordinate of a value (barrier: infinity is R = 1)."""
        if self.coordinate == "logarithm":
            return math.log(value)
        if self.coordinate == "reflection":
            return value * value / (1.0 + value * value) if math.isfinite(value) else 1.0
        return value

    def to_value(self, coordinate: float) -> float:
        """Value at a search coordinate."""
        if self.coordinate == "logarithm":
            return math.exp(coordinate)
        if self.coordinate == "reflection":
            return math.sqrt(coordinate / (1.0 - coordinate)) if coordinate < 1.0 else math.inf
        return coordinate


@dataclass(frozen=True)
class Model:
    """A model of the conductance relative to the normal state."""

    name: str
    parameters: tuple[Parameter, ...]
    compiled: bool = True
    """Whether it consists of channels, so that compiled loops can use `places`."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        return tuple(parameter.name for parameter in self.parameters)

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """What `stm_daq.physics.kernel.evaluate_channels` needs to know of this model."""
        channels = 0 if not self.names else 2 if "weight" in self.names else 1
        return np.array(
            [[self._place(name, c) for name in _OF_A_CHANNEL] for c in range(channels)],
            dtype=np.int64,
        ).reshape(channels, len(_OF_A_CHANNEL))

    def _place(self, name: str, channel: int) -> int:
        own = f"{name}{channel + 1}"
        for candidate in (own, name):
            if candidate in self.names:
                return self.names.index(candidate)
        return -1

    def coordinates(self, values: Sequence[float]) -> Array:
        """Search coordinates of physical values, both in the order of `parameters`."""
        pairs = zip(self.parameters, values, strict=True)
        return np.array([parameter.to_coordinate(value) for parameter, value in pairs])

    def values(self, theta: Array) -> dict[str, float]:
        """Physical values by name."""
        pairs = zip(self.parameters, theta.tolist(), strict=True)
        return {parameter.name: parameter.to_value(x) for parameter, x in pairs}

    def evaluate(
        self, bias: Array, theta: Array, modulation: float, noise: float, out: Array
    ) -> None:
        """Value and derivatives of the conductance.

        Parameters
        ----------
        bias : ndarray, shape (n,)
            V; contiguous.
        theta : ndarray, shape (p,)
            Search coordinates in the order of `parameters`, inside the physical range. The
            derivative by a broadening of exactly 0 is given as 0.
        modulation, noise : float
            Peak of the lock-in modulation and rms of the Gaussian noise of the bias, V.
        out : ndarray, shape (p + 2, n)
            Filled with the value, the derivatives by each of `theta` and the derivative by `bias`.
        """
        from stm_daq.physics import kernel, sis

        if not self.compiled:
            sis.evaluate(bias, theta, modulation, noise, out)
            return
        noises = float(modulation), float(noise)
        kernel.evaluate_channels(bias, theta, self.places, *noises, False, out)

    def evaluate_current(
        self, bias: Array, theta: Array, modulation: float, noise: float, out: Array
    ) -> None:
        """Direct current (V) and its derivatives; otherwise as :meth:`evaluate`."""
        from stm_daq.physics import kernel, sis

        if not self.compiled:
            sis.evaluate(bias, theta, modulation, noise, out, dc=True)
            return
        noises = float(modulation), float(noise)
        kernel.evaluate_channels(bias, theta, self.places, *noises, True, out)


_OF_A_CHANNEL = ("gap", "temperature", "barrier", "broadening", "exponent", "weight")

_GAP = Parameter("gap", "eV")
_GAPS = (Parameter("gap1", "eV"), Parameter("gap2", "eV"))
_TEMPERATURE = Parameter("temperature", "K", "logarithm")
_BARRIER = Parameter("barrier", "", "reflection")
_BARRIERS = (Parameter("barrier1", "", "reflection"), Parameter("barrier2", "", "reflection"))
_BROADENING = Parameter("broadening", "eV")
_WEIGHT = Parameter("weight", "")
_EXPONENT = Parameter("exponent", "")
_TIP = (Parameter("tip_gap", "eV"), Parameter("tip_broadening", "eV"))

_ALL = (
    Model("normal", ()),
    Model("btk", (_GAP, _TEMPERATURE, _BARRIER, _BROADENING)),
    Model("dynes", (_GAP, _TEMPERATURE, _BROADENING)),
    Model("bcs", (_GAP, _TEMPERATURE)),
    Model("two_barriers", (_GAP, _TEMPERATURE, *_BARRIERS, _WEIGHT, _BROADENING)),
    Model("two_gaps", (*_GAPS, _TEMPERATURE, _BARRIER, _WEIGHT, _BROADENING)),
    Model("two_channels", (*_GAPS, _TEMPERATURE, *_BARRIERS, _WEIGHT, _BROADENING)),
    Model("btk_altshuler_aronov", (_GAP, _TEMPERATURE, _BARRIER, _BROADENING, _EXPONENT)),
    Model("dynes_altshuler_aronov", (_GAP, _TEMPERATURE, _BROADENING, _EXPONENT)),
    Model("sis", (_GAP, _TEMPERATURE, _TIP[0], _BROADENING, _TIP[1]), compiled=False),
)

MODELS = {model.name: model for model in _ALL}
"""Models by name. The background of the Altshuler-Aronov models is 1 at 10 meV."""
