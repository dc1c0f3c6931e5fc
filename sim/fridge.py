"""The cryostat of the twin: how warm mixing chamber and stage are at any time, and their heater.

Below a few kelvin the heat capacities of the metals are proportional to T, the cooling power of
the mixing chamber to T^2 (F. Pobell, Matter and Methods at Low Temperatures, chapter 7), and the
heat through a metallic link to the difference of T^2 (Wiedemann-Franz). In ``u = T^2`` the cryostat
is then linear, with time constants that do not depend on temperature::

    pot_time du_pot/dt     = P / cooling - u_pot + (link / cooling) (u_stage - u_pot)
    stage_time du_stage/dt = u_pot - u_stage

and is solved exactly between two changes of the heater power P.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

from sim.heater import Heater, HeaterSettings

type State = tuple[float, float]
"""u of pot and stage above that without heating, K^2."""
type Propagator = tuple[float, float, float, float]
"""Matrix (pot-pot, pot-stage, stage-pot, stage-stage) that carries a state over some time."""


@dataclass
class Fridge:
    """A mixing chamber with a heater, and a stage that hangs on it by a thermal link.

    What drifts and breathes is the same in every run.
    """

    temperature: float = 0.5
    """Temperature of pot and stage at time zero without heating, K."""
    drift: float = 1e-4
    """Slow rise, K per hour."""
    oscillation: float = 1e-3
    """Peak amplitude of a slow oscillation, K."""
    period: float = 2400.0
    """Period of the oscillation, s."""
    cooling: float = 0.04
    """Cooling power of the mixing chamber over T^2, W/K^2 (0.4 mW at 100 mK)."""
    link: float = 0.02
    """Thermal link between pot and stage: heat flow over the difference of T^2, W/K^2."""
    pot_time: float = 60.0
    """Time constant of the pot alone, s."""
    stage_time: float = 120.0
    """Time constant of the stage behind its link, s."""
    heater: Heater = field(init=False, repr=False, default_factory=Heater)
    _state: State = field(init=False, repr=False, default=(0.0, 0.0))
    _since: float = field(init=False, repr=False, default=0.0)

    def stage_temperature(self, time: float) -> float:
        """Return the temperature of the stage at `time` (s since the world began), K."""
        return self._temperature(time, self._excess(time)[1])

    def pot_temperature(self, time: float) -> float:
        """Return the temperature of the mixing chamber at `time`, K."""
        return self._temperature(time, self._excess(time)[0])

    def set_heater(self, settings: HeaterSettings, time: float) -> None:
        """Run the heater by `settings` from `time` on."""
        self.advance(time)
        self._hold(time)
        self.heater.change(settings, time)

    def heater_power(self, time: float) -> float:
        """Return the power of the heater at `time`, W."""
        self.advance(time)
        return self.heater.power

    def advance(self, time: float) -> None:
        """Let the controller of the heater do all that it has to do until `time`."""
        heater = self.heater
        while heater.due <= time:
            when = heater.due
            self._hold(when)
            pot, stage = self._state
            seen = pot if heater.settings.sensor == "pot" else stage
            heater.regulate(self._temperature(when, seen))

    def _temperature(self, time: float, excess: float) -> float:
        """Return the temperature that belongs to a state, with what drifts and breathes."""
        breath = self.oscillation * math.sin(2 * math.pi * time / self.period)
        steady = math.sqrt(self.temperature**2 + excess) if excess else self.temperature
        return steady + self.drift * time / 3600 + breath

    def _excess(self, time: float) -> State:
        """Return the state at `time`, which is not before the heater's last change."""
        self.advance(time)
        target = self.heater.power / self.cooling
        pot, stage = self._state[0] - target, self._state[1] - target
        if pot == stage == 0:
            return target, target
        pp, ps, sp, ss = self._propagator(max(time - self._since, 0.0))
        return target + pp * pot + ps * stage, target + sp * pot + ss * stage

    def _hold(self, time: float) -> None:
        """Make the state at `time` the one from which the next are reckoned."""
        target = self.heater.power / self.cooling
        pot, stage = self._state[0] - target, self._state[1] - target
        if pot != 0 or stage != 0:
            pp, ps, sp, ss = self._propagator(max(time - self._since, 0.0))
            self._state = target + pp * pot + ps * stage, target + sp * pot + ss * stage
        self._since = time

    def _propagator(self, seconds: float) -> Propagator:
        """Return exp(M t) by the two (real, negative) eigenvalues of M."""
        if seconds == self.heater.period:
            return self._one_period
        ratio = self.link / self.cooling
        a, b = -(1 + ratio) / self.pot_time, ratio / self.pot_time
        c, d = 1 / self.stage_time, -1 / self.stage_time
        middle, half = (a + d) / 2, math.hypot((a - d) / 2, math.sqrt(b * c))
        fast, slow = middle - half, middle + half
        of_fast = math.exp(fast * seconds) / (fast - slow)
        of_slow = math.exp(slow * seconds) / (slow - fast)
        both = of_fast + of_slow
        rest = of_fast * slow + of_slow * fast
        return a * both - rest, b * both, c * both, d * both - rest

    @cached_property
    def _one_period(self) -> Propagator:
        half = self._propagator(self.heater.period / 2)
        pp, ps, sp, ss = half
        return pp * pp + ps * sp, pp * ps + ps * ss, sp * pp + ss * sp, sp * ps + ss * ss
