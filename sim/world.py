"""The world of the twin: one clock, one junction, and everything that acts on it.

Devices do not talk to one another. They add bias voltages, move the tip or ask for currents at
given times; the world works the answer out when it is asked, from the history of all of them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.approach import Response, respond
from sim.faults import Faults
from sim.fridge import Fridge
from sim.interference import Interference
from sim.line import MicrowaveLine
from sim.preamplifier import Preamplifier
from sim.samples import Junction, Sample
from sim.tip import ZERO_BIAS, Tip
from sim.waveform import Waveform
from stm_daq.clock import VirtualClock

type Array = NDArray[np.float64]
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
    microwave_line : MicrowaveLine, optional
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
        microwave_line: MicrowaveLine | None = None,
    ) -> None:
        self.clock = clock
        self.seed = seed
        self._streams: dict[str, np.random.Generator] = {}
        self.sample = sample
        self.preamplifier = preamplifier
        self.fridge = fridge
        self.tip = tip
        self.line = microwave_line or MicrowaveLine()
        self.faults = Faults(clock, lambda: self.rng("faults"))
        self.interference = Interference(preamplifier, self.rng("interference"))
        self.modulation_frequency = 0.0
        self.modulation_peak = 0.0
        self._microwaves = Waveform(0.0)
        self._sources: dict[str, Waveform] = {}
        self._microwave_sources: dict[str, Microwaves] = {}
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

    def random_state(self) -> dict[str, Any]:
        """Return where every random stream stands, in plain JSON types."""
        return {name: stream.bit_generator.state for name, stream in self._streams.items()}

    def set_random_state(self, states: Mapping[str, Any]) -> None:
        """Let the random streams go on from there."""
        for name, state in states.items():
            self.rng(name).bit_generator.state = state

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
        self._microwave_sources[name] = source

    def microwaves_changed(self) -> None:
        """Let the junction feel that a source gives another power from now on."""
        self.tip.refresh()

    def set_microwave_power(self, power: float) -> None:
        """Let this much microwave power, W, arrive at the tip from now on, besides all sources."""
        if power < 0:
            raise ValueError(f"microwave power must not be negative: {power:g} W")
        self._microwaves.ramp(self.clock.now(), power, math.inf)
        self.microwaves_changed()

    def microwave_power(self, time: float) -> float:
        """Return the microwave power at the tip at `time` (s), W."""
        total = self._microwaves.value(time)
        for source in self._microwave_sources.values():
            emitted = source(time)
            if emitted is not None:
                total += self.line.power_at_tip(*emitted)
        return total

    def microwave_frequency(self, time: float) -> float:
        """Return the frequency of the source that is on at `time` (s), Hz; 0 if none is."""
        found = (source(time) for source in self._microwave_sources.values())
        return next((emitted[0] for emitted in found if emitted is not None), 0.0)

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
        """Return white preamplifier noise and shot noise at `times`, A/sqrt(Hz), shape (n,).

        Hum and 1/f noise are in :attr:`interference`.
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
        sample x, y (m), and the normal-state conductance `scale` (S). With the effects in question
        switched on also how far surface and piezos were off (drift_x, creep_x ..., m), the tip's
        gap (eV) and length (m), and the microwave power (W). Empty before the first hold.
        """
        return self.tip.truth()

    def history(self) -> list[dict[str, float | str]]:
        """Return all that happened to the tip so far, in order.

        Each event has `what` ("start", "change", "crash"), `time` (s), and the tip from then on:
        `length` (m) and `gap` (eV, 0 = normal).
        """
        return self.tip.history()

    @property
    def violations(self) -> list[str]:
        """Everything so far that would have harmed the tip or the measurement, with times."""
        self.inspect()
        self.tip.catch_up()
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
            self.tip.crash("the bias passed zero with the feedback closed")
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
        scale = self.tip.scale(times)
        response = respond(junction, kind, self.bias(times), self.modulation_peak, scale)
        result: Array = scale * response
        return result
