"""The logarithmic feedback loop: how fast the tip follows.

The controller moves z by ``P e + I integral e dt`` with ``e = ln(|current| / set-point)``. As the
current falls exponentially with the distance, e is linear in the distance's error, so that errors
decay exponentially with

    time = (1 + 2 kappa P) / (2 kappa I),

and a sudden error is at once smaller by the factor 1 / (1 + 2 kappa P). The bandwidth of the
preamplifier is left out: a real loop rings when `time` comes near to 1 / (2 pi bandwidth).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]


@dataclass(frozen=True)
class Gains:
    """Gains of the controller; with an integral gain of 0 the loop has the time it was given."""

    proportional: float = 0.0
    """P, m."""
    integral: float = 0.0
    """I, m/s."""


class Feedback:
    """The loop.

    Parameters
    ----------
    time : float
        Time constant as long as no gains are given, s.
    gains : Gains
    kappa : float
        Decay constant of the barrier, 1/m.

    Raises
    ------
    ValueError
        If the time or the integral gain is not positive, or the proportional gain negative.
    """

    def __init__(self, time: float, gains: Gains, kappa: float) -> None:
        self._kappa = kappa
        self.time = time
        """Time constant of the loop, s."""
        self.kick = 1.0
        """What is left at once of a sudden error of the distance."""
        self.gains: Gains | None = None
        """None as long as none were given."""
        if gains.integral:
            self.set_gains(gains)
        if self.time <= 0:
            raise ValueError(f"feedback_time must be positive: {time:g} s")

    def set_gains(self, gains: Gains) -> None:
        """Follow with these gains from now on."""
        if gains.integral <= 0 or gains.proportional < 0:
            raise ValueError(f"the integral gain must be positive, no gain negative: {gains}")
        at_once = 2 * self._kappa * gains.proportional
        self.time = (1 + at_once) / (2 * self._kappa * gains.integral)
        self.kick = 1 / (1 + at_once)
        self.gains = gains

    def follow(self, wanted: Array, times: Array) -> Array:
        """Return where the tip gets to, m, when it should be at `wanted`, m; both shape (n,).

        Between the `times` (s, equally spaced, in either direction) the way is taken as straight,
        and the tip starts where it should be. Without gains the loop is taken as fast.
        """
        if self.gains is None or len(times) < 2:
            return wanted
        from scipy.signal import lfilter

        backwards = times[0] > times[-1]
        way = wanted[::-1] if backwards else wanted
        step = abs(times[1] - times[0]) / self.time
        decay = np.exp(-step)
        ramp = (1 - decay) / step  # weight of the straight way's beginning, exact for a first order
        lag, _ = lfilter([1 - ramp, ramp - decay], [1, -decay], way, zi=[ramp * way[0]])
        followed: Array = (1 - self.kick) * way + self.kick * lag
        return followed[::-1] if backwards else followed
