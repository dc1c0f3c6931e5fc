"""The world of the twin: one clock, one junction, and everything that acts on it.

Devices do not talk to one another. They add bias voltages, move the tip or ask for currents at
given times; the world works the answer out when it is asked, from the history of all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sim.fridge import Fridge
from sim.line import MicrowaveLine
from sim.preamplifier import Preamplifier
from sim.samples import Junction, Sample
from sim.tip import ZERO_BIAS, Tip
from sim.waveform import Waveform
from stm_daq.clock import VirtualClock

type Array = NDArray[np.float64]
type Response = Callable[[Array, float], Array]
type Microwaves = Callable[[float], tuple[float, float] | None]
"""Frequency (Hz) and power (dBm) of a source at a time; None while it is off."""

ELEMENTARY_CHARGE = 1.602176634e-19
BIAS_WINDOW = 10e-3
BIAS_CHANGE_LIMIT = 10e-3
"""The tip would suffer if the bias changed by more than 10 mV within 10 ms (1 V/s)."""


class World:
    """The microscope and its sample, seen from outside.

    Parameters
    ----------
    clock : VirtualClock
        Shared by all devices.
    seed : int
        Decides every random number.
    sample : Sample
    preamplifier : Preamplifier
    fridge : Fridge
    tip : Tip
    line : MicrowaveLine, optional
        From the microwave sources to the tip.
    """

    def __init__(
        self,
        clock: VirtualClock,
        seed: int,
        sample: Sample,
        preamplifier: Preamplifier,
        fridge: Fridge,
        tip: Tip,
        line: MicrowaveLine | None = None,
    ) -> None:
        self.clock = clock
        self.seed = seed
        self.sample = sample
        self.preamplifier = preamplifier
        self.fridge = fridge
        self.tip = tip
        self.line = line or MicrowaveLine()
        self.modulation_frequency = 0.0
        self.modulation_peak = 0.0
        self._sources: dict[str, Waveform] = {}
        self._microwaves: dict[str, Microwaves] = {}
        self._streams: dict[str, np.random.Generator] = {}
        self._inspected = 0.0
        self._seen_bias = 0.0
        self._biased = False
        tip.enter(self)

    def rng(self, name: str) -> np.random.Generator:
        """Return the random stream of `name`: the same numbers for the same seed and name."""
        if name not in self._streams:
            digest = hashlib.sha256(name.encode()).digest()[:8]
            entropy = [self.seed, int.from_bytes(digest, "little")]
            self._streams[name] = np.random.default_rng(np.random.SeedSequence(entropy))
        return self._streams[name]

    # -- bias and modulation ------------------------------------------------------------------

    def add_bias(self, name: str, waveform: Waveform) -> None:
        """Connect a source to the junction; `waveform` is in V at the junction, all are summed."""
        self._sources[name] = waveform
        self._seen_bias += waveform.value(self.clock.now())

    def bias(self, times: Array) -> Array:
        """Return the bias at the junction at `times` (s), V, shape (n,)."""
        total = np.zeros(np.shape(times))
        for waveform in self._sources.values():
            total += waveform(times)
        return total

    def changes_between(self, first: float, last: float) -> Array:
        """Return the times within (first, last] at which the bias turns or the tip begins anew.

        Between two of them the bias is a straight line and the tip is at one place in one state of
        the feedback. Ascending, s.
        """
        knots = [w.knots_between(first, last) for w in self._sources.values()]
        return np.unique(np.concatenate([*knots, self.tip.boundaries(first, last)]))

    def set_modulation(self, frequency: float, peak: float) -> None:
        """Modulate the bias at `frequency` (Hz) with amplitude `peak` (V at the junction)."""
        self.modulation_frequency = frequency
        self.modulation_peak = peak

    # -- microwaves ---------------------------------------------------------------------------

    def add_microwaves(self, name: str, source: Microwaves) -> None:
        """Connect a microwave source to the line that leads to the tip."""
        self._microwaves[name] = source

    def microwave_power(self, time: float) -> float:
        """Return the microwave power that arrives at the tip at `time`, W."""
        total = 0.0
        for source in self._microwaves.values():
            emitted = source(time)
            if emitted is not None:
                total += self.line.power_at_tip(*emitted)
        return total

    # -- what instruments can measure ---------------------------------------------------------

    def current(self, times: Array) -> Array:
        """Return the dc tunnelling current without noise at `times` (s, ascending), A, shape (n,).

        `times` must not lie in the future, nor further back than the last few dozen moves.
        """
        return self._measure(times, lambda junction: junction.current)

    def conductance(self, times: Array) -> Array:
        """Return dI/dV at `times` as a perfect lock-in sees it (with modulation), S, shape (n,)."""
        return self._measure(times, lambda junction: junction.conductance)

    def current_noise_density(self, times: Array, current: Array | None = None) -> Array:
        """Return preamplifier and shot noise at `times`, A/sqrt(Hz), shape (n,).

        Whoever knows the dc `current` (A) at `times` already may give it to save work.
        """
        known = self.current(times) if current is None else current
        shot = 2 * ELEMENTARY_CHARGE * np.abs(known)
        density: Array = np.sqrt(self.preamplifier.noise**2 + shot)
        return density

    def stage_temperature(self, time: float) -> float:
        """Return the temperature of the sample stage at `time`, K."""
        return self.fridge.stage_temperature(time)

    # -- what only a twin can tell ------------------------------------------------------------

    def truth(self) -> dict[str, float]:
        """Return what was true at the last hold.

        The junction's parameters (gap in eV, temperature in K, barrier), the position on the
        sample x, y (m), and the normal-state conductance `scale` (S). Empty before the first hold.
        """
        return self.tip.truth()

    @property
    def violations(self) -> list[str]:
        """Everything so far that would have harmed the tip or the measurement, with times."""
        self.inspect()
        return list(self.tip.violations)

    def inspect(self) -> None:
        """Look at the bias since the last inspection and record what the tip would not forgive."""
        now = self.clock.now()
        since = self._inspected
        moving = [w for w in self._sources.values() if w.end >= since]
        if self._biased and not moving:
            return
        knots = [waveform.knots_between(since, now) for waveform in moving]
        moments = np.concatenate([np.array([since, now]), *knots])
        bias = self.bias(moments)
        jump = abs(bias[0] - self._seen_bias)  # a change at the very moment of the last look
        if max(jump, np.ptp(bias)) > BIAS_CHANGE_LIMIT:
            change = np.abs(bias - self.bias(moments - BIAS_WINDOW)).max()
            if max(jump, change) > BIAS_CHANGE_LIMIT:
                size = max(jump, change) * 1e3
                self.tip.violate(f"bias changed by {size:.3g} mV within 10 ms")
        crossed = np.min(np.abs(bias)) < ZERO_BIAS or np.min(bias) < 0 < np.max(bias)
        if self._biased and self.tip.feedback_on and crossed:
            self.tip.violate("crash: the bias passed zero with the feedback closed")
        self._biased = self._biased or bool(np.max(np.abs(bias)) > ZERO_BIAS)
        self._inspected, self._seen_bias = now, float(bias[1])

    def _measure(self, times: Array, kind: Callable[[Junction], Response]) -> Array:
        """Evaluate one property of the junction, contact by contact."""
        edges = self.tip.boundaries(float(times[0]), float(times[-1]))
        cuts = [0, *(int(np.searchsorted(times, edge)) for edge in edges), len(times)]
        parts = [self._one_contact(times[i:j], kind) for i, j in pairwise(cuts) if j > i]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _one_contact(self, times: Array, kind: Callable[[Junction], Response]) -> Array:
        junction = self.tip.junction(self.tip.contact_at(float(times[0])))
        distinct, where = np.unique(self.bias(times), return_inverse=True)
        response = kind(junction)(distinct, self.modulation_peak)[where]
        result: Array = self.tip.scale(times) * response
        return result
