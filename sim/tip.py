"""The tip of the twin: what a controller does with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.apex import Changes, Flake
from sim.barrier import CONTACT_CONDUCTANCE, Barrier
from sim.drift import Creep, Drift, Thermal
from sim.feedback import Feedback, Gains
from sim.tip_state import TipState
from sim.travel import Travel

if TYPE_CHECKING:
    from sim.world import World

type Array = NDArray[np.float64]

ZERO_BIAS = 20e-6
"""Below this |bias| (V) the feedback would drive the tip into the surface."""

PLOUGHING = 0.1
"""Part of 2e^2/h from which on the tip counts as in contact: a tenth of a nanometre above the surface,
less than the atoms that it would have to pass."""

CLEAR = 50e-9
"""A tip as far from the surface as this (m) may move sideways with the feedback off."""


class Tip(TipState):
    """Position, feedback and height of the tip.

    Parameters
    ----------
    drift_z : float
        Speed at which the surface rises towards the tip, m/s.
    drift_x, drift_y : float
        Speed at which the surface slides under the tip, m/s.
    work_function : float
        Mean work function of tip and sample, eV.
    feedback_time : float
        Time constant of the feedback loop as long as no `gains` are given, s.
    z_noise : float
        rms noise of one reading of z, m.
    setpoint : float
        Current set-point at the start, A.
    z_range : (float, float)
        Travel of the z piezo, m.
    retracted : float
        Distance from the surface at which the tip waits at the start with the loop open, m;
        0: the feedback is closed.
    contact_conductance : float
        Conductance of the closed contact, S.
    thermal : Thermal
        Drift that comes to rest.
    creep : Creep
        Of the piezos.
    gains : Gains
        Of the feedback.
    changes : Changes
        Of the tip itself.
    flake : Flake
        Superconducting end of the tip.
    """

    def __init__(
        self,
        drift_z: float = 2e-12 / 60,
        drift_x: float = 0.0,
        drift_y: float = 0.0,
        work_function: float = 4.0,
        feedback_time: float = 5e-3,
        z_noise: float = 2e-12,
        setpoint: float = 100e-12,
        z_range: tuple[float, float] = (-250e-9, 250e-9),
        retracted: float = 0.0,
        contact_conductance: float = CONTACT_CONDUCTANCE,
        thermal: Thermal = Thermal(),  # noqa: B008 - frozen
        creep: Creep = Creep(),  # noqa: B008 - frozen
        gains: Gains = Gains(),  # noqa: B008 - frozen
        changes: Changes = Changes(),  # noqa: B008 - frozen
        flake: Flake = Flake(),  # noqa: B008 - frozen
    ) -> None:
        barrier = Barrier(work_function, contact_conductance)
        super().__init__(
            Drift(drift_x, drift_y, drift_z, thermal),
            creep,
            barrier,
            Feedback(feedback_time, gains, barrier.kappa),
            Travel((z_range[0], z_range[1])),
            changes,
            flake,
        )
        self.z_noise = z_noise
        self.withdrawals = 0
        """How often the tip was pulled back."""
        self._initial_setpoint = setpoint
        self._retracted = retracted
        self._truth: dict[str, float] = {}

    def enter(self, world: World) -> None:
        """Come into `world` at its origin, with feedback or retracted; called by the world.

        Raises
        ------
        BadInputError
            If the tip can superconduct, and the sample does not know how that would look.
        """
        self._enter(world, self._retracted, self._initial_setpoint)

    @property
    def feedback_on(self) -> bool:
        """Whether the feedback loop is closed now."""
        return not self._now.held

    @property
    def position(self) -> tuple[float, float]:
        """Position (x, y) now, m, in the controller's coordinates."""
        return self._now.x, self._now.y

    @property
    def setpoint(self) -> float:
        """Current that the feedback keeps, A."""
        return self._now.setpoint

    def move_to(self, x: float, y: float, since: float | None = None) -> None:
        """Be at (x, y), m, from now on; the caller lets the time of the travel pass.

        Without feedback, or in contact, that is a violation; for contact the beginning of the way
        counts as well, if it was at another time (`since`, s).
        """
        self._world.inspect()
        old = self._now
        now = self._world.clock.now()
        if (x, y) != (old.x, old.y):
            self._watch_contact(now if since is None else since, now)
        new = self._contact(x, y, old.held, old.setpoint, now)
        if old.held:
            new.z = old.z
            close = float(self.distance(np.array([new.start]))[0]) < CLEAR
            if close and (x, y) != (old.x, old.y):
                self.violate("lateral move with the feedback off")
        elif self.creep.active:
            self._strain(new, 0.0, 0.0, new.surface - old.surface)
        self._begin(new)

    def hold(self) -> None:
        """Open the feedback loop: the tip's z stays as it is."""
        old = self._now
        if old.held:
            return
        self._world.inspect()
        new = self._contact(old.x, old.y, True, old.setpoint, self._world.clock.now())
        new.z = self.z(new.start)
        new.inherit(old)
        self._watch_travel(new.z, new.z)
        self._begin(new)
        self._truth = self._true_values(new)

    def release(self) -> None:
        """Close the feedback loop."""
        old = self._now
        if not old.held:
            return
        self._world.inspect()
        time = np.array([self._world.clock.now()])
        self._restart(old, old.setpoint, float(self.distance(time)[0]))
        if abs(float(self._world.bias(time)[0])) < ZERO_BIAS:
            self.crash("feedback closed at zero bias")

    def set_setpoint(self, current: float) -> None:
        """Change the current that the feedback keeps, A."""
        old = self._now
        if old.held:
            old.setpoint = current
            return
        self._restart(old, current, self._distance_now(), self.feedback.kick)
        if self._wanted_first(self._now) <= 0:
            self.crash("the tip touches the surface before the set-point is reached")

    def set_z(self, z: float) -> None:
        """Put the tip at height `z` (m) with the feedback open."""
        self._world.inspect()
        old = self._now
        new = self._contact(old.x, old.y, True, old.setpoint, self._world.clock.now())
        new.z = z
        if self.creep.active:
            self._strain(new, 0.0, 0.0, z - self.z(new.start))
        self._begin(new)

    def withdraw(self) -> None:
        """Pull the tip back as far as it can go, feedback open."""
        self.withdrawals += 1
        self.set_z(self.travel.range[1])

    def limit_z(self, limits: tuple[float, float], limited: bool) -> None:
        """Give the feedback limits of z (m) and say whether they count."""
        distance = self._distance_now()
        self.travel.limits, self.travel.limited = limits, limited
        if self.feedback_on:
            self._restart(self._now, self._now.setpoint, distance)

    def set_gains(self, proportional: float, integral: float) -> None:
        """Give the feedback its gains P (m) and I (m/s); ValueError as for `Feedback`."""
        distance = self._distance_now()
        self.feedback.set_gains(Gains(proportional, integral))
        if self.feedback_on:
            self._restart(self._now, self._now.setpoint, distance)

    def refresh(self) -> None:
        """Stay over a junction that microwaves have changed; does nothing if it feels none."""
        self.catch_up()
        if self._feels_microwaves:
            self._renew(self._world.clock.now(), 0.0)

    def compensate(self, velocity: tuple[float, float, float]) -> None:
        """Move the piezos at `velocity` (x, y, z; m/s) from now on, against the drift."""
        self._world.inspect()
        self.drift.compensation.set(velocity, self._world.clock.now())

    def truth(self) -> dict[str, float]:
        """Return what was true at the last hold (see :meth:`sim.world.World.truth`)."""
        return dict(self._truth)

    def history(self) -> list[dict[str, float | str]]:
        """Return all that happened to the tip (see :meth:`sim.world.World.history`)."""
        self.catch_up()
        states = self.apex.states
        events: list[tuple[float, str]] = [(s.since, s.cause) for s in states if s.cause != "crash"]
        events += [(time, "crash") for time in self.crashes]
        return [
            {"what": what, "time": time, "length": state.length, "gap": state.gap}
            for time, what in sorted(events)
            for state in [self.apex.state_at(time)]
        ]

    def _watch_contact(self, *times: float) -> None:
        """Object to a tip that moves sideways while the feedback holds it in contact."""
        largest = max(self._conductance_under_feedback(time) for time in times)
        if largest > PLOUGHING * CONTACT_CONDUCTANCE:
            self.violate(f"lateral move in contact, at {largest * 1e6:.3g} uS")

    def _conductance_under_feedback(self, time: float) -> float:
        """Return the conductance over a normal junction, S, as for a line; 0 without feedback."""
        contact = self.contact_at(time)
        if contact.held:
            return 0.0
        bias = np.abs(self._world.bias(np.array([time])))
        error = contact.error * np.exp(-(time - contact.start) / self.feedback.time)
        distance = self.barrier.distance(bias, contact.setpoint) + error
        return float(self.barrier.conductance(distance)[0])

    def _distance_now(self) -> float:
        return float(self.distance(np.array([self._world.clock.now()]))[0])
