"""Simulated power sweeps with known verdicts, seedable: what a read-out makes of known samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stm_daq.analysis.microwave.loops import Cycle

KINDS = (
    ("bistable", "plain"), ("bistable", "drift"), ("bistable", "glitch"), ("bistable", "lag"),
    ("bistable", "early"), ("bistable", "fine"),
    ("sharp and reversible", "plain"), ("sharp and reversible", "lag"),
    ("sharp and reversible", "drift"), ("sharp and reversible", "glitch"),
    ("smooth", "plain"), ("smooth", "lag"), ("smooth", "drift"), ("smooth", "glitch"),
    ("latched", "plain"), ("latched", "drift"),
    ("telegraph", "near"), ("telegraph", "wide"),
    ("incomplete", "cut"), ("incomplete", "short"), ("invalid", "flat"), ("invalid", "order"),
)  # fmt: skip
"""(verdict, what disturbs), in turn."""


@dataclass(frozen=True)
class Case:
    """Cycles and what should be said of them."""

    verdict: str
    disturbance: str
    cycles: list[Cycle]


def cases(seed: int, count: int = 200) -> list[Case]:
    """Return `count` cases; the same for the same seed."""
    generator = np.random.default_rng(seed)
    return [_case(*KINDS[k % len(KINDS)], generator) for k in range(count)]


def _case(verdict: str, disturbance: str, rng: np.random.Generator) -> Case:
    points = int(rng.integers(31, 101))
    power = np.linspace(-30.0, -10.0, points)
    step = power[1] - power[0]
    width = rng.uniform(3 * step + 0.6, 9.0) if verdict in ("bistable", "latched") else 0.0
    top = rng.uniform(-19.0, -13.0)
    film = _Film(
        kind=verdict,
        up=top,
        down=top - width,
        slope=rng.uniform(0.0, 0.01),
        wide=rng.uniform(2.5, 5.0),
        height=rng.choice([-1.0, 1.0]) * 10 ** rng.uniform(-9, 3),
        # early switching of the cold state, dB
        scatter=rng.uniform(0.2, 0.6) if disturbance == "early" else 0.0,
        flip=rng.uniform(0.35, 0.5),
    )
    noise = rng.uniform(0.003, 0.04)
    cycles = []
    count = int(rng.integers(2, 5))
    drift = rng.uniform(-0.05, 0.05) if disturbance == "drift" else 0.0
    lag = rng.uniform(0.6, 3.0) if disturbance == "lag" else 0.0
    if verdict == "bistable":
        lag *= 0.3
    for number in range(count):
        dwell = 4.0 if lag and number == count - 1 else 1.0
        shift = 4 * drift * number
        grid = _refined(power, film, step) if disturbance == "fine" and number else power
        up = film.branch(grid - shift, +1, rng)
        down_power = grid[::-1]
        if verdict == "incomplete" and disturbance == "short":
            down_power = down_power[down_power > film.up - width + 1.5]
        down = film.branch(down_power - shift, -1, rng)
        both = np.concatenate([up, down])
        if lag:
            both = _lagged(both, np.exp(-dwell / lag))
        both = both + noise * rng.standard_normal(len(both))
        both += drift * (number + np.arange(len(both)) / len(both))
        if disturbance == "glitch":
            both[rng.integers(3, len(both) - 3)] += rng.choice([-1, 1]) * rng.uniform(0.5, 3)
        both *= film.height
        up, down = both[: len(grid)], both[len(grid) :]
        if disturbance == "cut":
            down[rng.integers(0, 4) :] = np.nan
        up_power = grid.copy()
        if verdict == "invalid" and disturbance == "order":
            rng.shuffle(up_power)
        if verdict == "invalid" and disturbance == "flat":
            up, down = film.height * noise * rng.standard_normal((2, len(grid)))
        cycles.append(Cycle(up_power, up, down_power, down, dwell))
    return Case(verdict, disturbance, cycles)


@dataclass
class _Film:
    kind: str
    up: float
    down: float
    slope: float
    wide: float
    height: float
    scatter: float
    flip: float

    def branch(self, power: np.ndarray, way: int, rng: np.random.Generator) -> np.ndarray:
        ground = self.slope * (power + 30.0)
        if self.kind in ("smooth", "invalid"):
            return ground + 0.5 * (1 + np.tanh((power - self.up) / self.wide))
        if self.kind == "sharp and reversible":
            return ground + (power > self.up)
        if self.kind == "telegraph":
            inside = np.abs(power - self.up) < 4.0
            flips = rng.random(len(power)) < self.flip
            chain = np.cumsum(flips) % 2
            return ground + np.where(inside, chain, power > self.up)
        if self.kind == "incomplete":
            return ground + ((power > self.up) if way > 0 else np.ones(len(power)))
        early = self.scatter * abs(rng.standard_normal())
        if way > 0:
            return ground + (power > self.up - early)
        if self.kind == "latched":
            return ground + np.ones(len(power))
        return ground + (power > self.down)


def _lagged(signal: np.ndarray, memory: float) -> np.ndarray:
    read = signal.copy()
    for k in range(1, len(signal)):
        read[k] = signal[k] + memory * (read[k - 1] - signal[k])
    return read


def _refined(power: np.ndarray, film: _Film, step: float) -> np.ndarray:
    fine = [np.arange(-step, step, step / 5) + place for place in (film.up, film.down)]
    whole = np.unique(np.round(np.concatenate([power, *fine]), 3))
    return whole[np.concatenate([[True], np.diff(whole) > 1e-6])]
