"""The tip of the twin: where it is, how far from the surface, and whether feedback holds it there.

The surface drifts towards the tip at `drift_z`. With feedback, the distance between them follows
from the set-point through the true nonlinear I(V), apart from an error that decays with the loop's
time constant; without, the tip's z stays and the distance changes with the drift.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.barrier import Barrier
from sim.compensation import Compensation
from sim.contact import Contact
from sim.samples import Junction
from sim.travel import Travel

if TYPE_CHECKING:
    from sim.world import World

type Array = NDArray[np.float64]

ZERO_BIAS = 20e-6
"""Below this |bias| (V) the feedback would drive the tip into the surface."""


class Tip:
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
        Time constant of the feedback loop, s.
    z_noise : float
        rms noise of one reading of z, m.
    setpoint : float
        Current set-point at the start, A.
    z_range : (float, float)
        Travel of the z piezo, m.
    retracted : float
        Distance from the surface at which the tip waits at the start with the loop open, m;
        0: the feedback is closed.
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
    ) -> None:
        self.drift_z = drift_z
        self.drift_x = drift_x
        self.drift_y = drift_y
        self.barrier = Barrier(work_function)
        self.feedback_time = feedback_time
        self.z_noise = z_noise
        self.compensation = Compensation()
        """What the controller does against the drift; not part of the x, y and z that it reads."""
        self.travel = Travel((z_range[0], z_range[1]))
        self.violations: list[str] = []
        self.withdrawals = 0
        """How often the tip was pulled back."""
        self._initial_setpoint = setpoint
        self._retracted = retracted
        self._contacts: deque[Contact] = deque(maxlen=64)
        self._truth: dict[str, float] = {}

    def enter(self, world: World) -> None:
        """Come into `world` at its origin, with feedback or retracted; called by the world."""
        self._world = world
        contact = self._contact(0.0, 0.0, self._retracted > 0, self._initial_setpoint)
        contact.z = contact.surface + self._retracted
        self._contacts.append(contact)

    # -- what the controller does with the tip ------------------------------------------------

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

    def move_to(self, x: float, y: float) -> None:
        """Be at (x, y), m, from now on; the caller lets the time of the travel pass."""
        self._world.inspect()
        old = self._now
        new = self._contact(x, y, old.held, old.setpoint)
        if old.held:
            new.z = old.z
            if (x, y) != (old.x, old.y):
                self.violate("lateral move with the feedback off")
        self._begin(new)

    def hold(self) -> None:
        """Open the feedback loop: the tip's z stays as it is."""
        old = self._now
        if old.held:
            return
        self._world.inspect()
        new = self._contact(old.x, old.y, True, old.setpoint)
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
        time = self._world.clock.now()
        self._restart(old, old.setpoint, float(self.distance(np.array([time]))[0]))
        if abs(float(self._world.bias(np.array([time]))[0])) < ZERO_BIAS:
            self.violate("crash: feedback closed at zero bias")

    def set_setpoint(self, current: float) -> None:
        """Change the current that the feedback keeps, A."""
        old = self._now
        if old.held:
            old.setpoint = current
            return
        time = self._world.clock.now()
        self._restart(old, current, float(self.distance(np.array([time]))[0]))

    def set_z(self, z: float) -> None:
        """Put the tip at height `z` (m) with the feedback open."""
        self._world.inspect()
        old = self._now
        new = self._contact(old.x, old.y, True, old.setpoint)
        new.z = z
        self._begin(new)

    def withdraw(self) -> None:
        """Pull the tip back as far as it can go, feedback open."""
        self.withdrawals += 1
        self.set_z(self.travel.range[1])

    def limit_z(self, limits: tuple[float, float], limited: bool) -> None:
        """Give the feedback limits of z (m) and say whether they count."""
        distance = self.distance(np.array([self._world.clock.now()]))
        self.travel.limits, self.travel.limited = limits, limited
        if self.feedback_on:
            self._restart(self._now, self._now.setpoint, float(distance[0]))

    def compensate(self, velocity: tuple[float, float, float]) -> None:
        """Move the piezos at `velocity` (x, y, z; m/s) from now on, against the drift."""
        self._world.inspect()
        self.compensation.set(velocity, self._world.clock.now())

    # -- what is true of the junction at any time ---------------------------------------------

    def z(self, time: float) -> float:
        """Return the tip's height at `time`, m, without noise."""
        contact = self.contact_at(time)
        if contact.held:
            return contact.z
        distance = float(self.distance(np.array([time]))[0])
        return contact.surface + float(self._rise(time)) + distance

    def distance(self, times: Array) -> Array:
        """Return the distance between tip and surface at `times` (one contact), m, shape (n,)."""
        contact = self.contact_at(float(times[-1]))
        surface: Array = contact.surface + np.asarray(self._rise(times))
        if contact.held:
            return contact.z - surface
        decay = np.exp(-(times - contact.start) / self.feedback_time)
        wanted = self._wanted_distance(contact, times) + contact.error * decay
        distance = np.maximum(wanted, 0.0)
        return self.travel.stopped(surface + distance) - surface

    def scale(self, times: Array) -> Array:
        """Return the normal-state conductance at `times` (one contact), S, shape (n,)."""
        return self.barrier.conductance(self.distance(times))

    def contact_at(self, time: float) -> Contact:
        """Return the contact that the tip had at `time` (the oldest remembered one before that)."""
        for contact in reversed(self._contacts):
            if contact.start <= time:
                return contact
        return self._contacts[0]

    def boundaries(self, first: float, last: float) -> list[float]:
        """Return the times within (first, last] at which a new contact began."""
        return [c.start for c in self._contacts if first < c.start <= last]

    def junction(self, contact: Contact) -> Junction:
        """Return the junction of `contact`, made when it is first needed."""
        if contact.junction is None:
            x, y = self.surface_position(contact.x, contact.y, contact.start)
            contact.junction = self._world.sample.junction(x, y, contact.stage_temperature)
        return contact.junction

    def surface_position(self, x: float, y: float, time: float) -> tuple[float, float]:
        """Where on the sample the tip is when the controller says (x, y), m."""
        slid = self._slide(time)
        return x - float(slid[0]), y - float(slid[1])

    def line(self, x: Array, y: Array, times: Array) -> Array:
        """Return z, m, along a line scanned now, without noise; all shape (n,).

        With feedback the distance is that of a normal junction: at set-point biases well above
        the gap the excess current moves the tip by a few picometres at most.
        """
        if self._now.held:
            return np.full(len(x), self._now.z)
        surface = self.surface_along(x, y, times)
        bias = np.abs(self._world.bias(times))
        distance = self.barrier.distance(bias, self._now.setpoint)
        z = self.travel.stopped(surface + distance)
        self._watch_travel(float(z.min()), float(z.max()))
        return z

    def surface_along(self, x: Array, y: Array, times: Array) -> Array:
        """Return the height of the surface under the tip, m, at places (m) passed at `times` (s)."""
        slid = self._slide(times)
        height: Array = self._world.sample.height(x - slid[0], y - slid[1]) + self._rise(times)
        return height

    def truth(self) -> dict[str, float]:
        """Return what was true at the last hold (see :meth:`sim.world.World.truth`)."""
        return dict(self._truth)

    def violate(self, what: str) -> None:
        """Write a misdeed into the world's record."""
        self.violations.append(f"t = {self._world.clock.now():.3f} s: {what}")

    # -- inside -------------------------------------------------------------------------------

    def _rise(self, times: Array | float) -> Array | float:
        """How far the surface has come towards the tip's piezo at `times`, m."""
        return self.drift_z * times - self.compensation.along(2, times)

    def _slide(self, times: Array | float) -> tuple[Array | float, Array | float]:
        """How far the surface has slid along x and y under the tip's piezo at `times`, m."""
        x = self.drift_x * times - self.compensation.along(0, times)
        return x, self.drift_y * times - self.compensation.along(1, times)

    def _watch_travel(self, lowest: float, highest: float) -> None:
        if self.travel.newly_stopped(lowest, highest):
            self.violate("the feedback was stopped by the limits of z")

    @property
    def _now(self) -> Contact:
        return self._contacts[-1]

    def _contact(self, x: float, y: float, held: bool, setpoint: float) -> Contact:
        time = self._world.clock.now()
        on_sample = self.surface_position(x, y, time)
        return Contact(
            start=time,
            held=held,
            x=x,
            y=y,
            surface=float(self._world.sample.height(*np.array([on_sample]).T)[0]),
            setpoint=setpoint,
            stage_temperature=round(self._world.stage_temperature(time), 4),
        )

    def _begin(self, contact: Contact) -> None:
        old = self._now
        if old.held and self._touches(contact.start) and not self._touches(old.start):
            self.violate("crash: the surface drifted into the held tip")
        if contact.start == old.start and contact.held == old.held:
            self._contacts.pop()
        self._contacts.append(contact)
        if contact.held and self._touches(contact.start):
            self.violate("crash: the tip touches the surface")

    def _touches(self, time: float) -> bool:
        """Whether the tip, held now, is in the surface at `time`."""
        contact = self._now
        return contact.z - contact.surface - float(self._rise(time)) < 0

    def _restart(self, old: Contact, setpoint: float, distance: float) -> None:
        """Close the loop (again) from `distance`, with `setpoint`."""
        new = self._contact(old.x, old.y, False, setpoint)
        new.inherit(old)
        new.error = distance - float(self._wanted_distance(new, np.array([new.start]))[0])
        self._begin(new)

    def _wanted_distance(self, contact: Contact, times: Array) -> Array:
        bias = self._world.bias(times)
        if np.ptp(bias) == 0:
            return np.full(len(times), self._wanted_at(contact, float(bias[0])))
        current = self.junction(contact).current(bias, self._world.modulation_peak)
        return self.barrier.distance(np.abs(current), contact.setpoint)

    def _wanted_at(self, contact: Contact, bias: float) -> float:
        """Same for one bias, remembered: it rarely changes while the loop is closed."""
        key = (bias, self._world.modulation_peak, contact.setpoint)
        if contact.wanted is None or contact.wanted[0] != key:
            current = self.junction(contact).current(np.array([bias]), key[1])
            distance = float(self.barrier.distance(np.abs(current), contact.setpoint)[0])
            contact.wanted = (key, distance)
        return contact.wanted[1]

    def _true_values(self, contact: Contact) -> dict[str, float]:
        x, y = self.surface_position(contact.x, contact.y, contact.start)
        scale = float(self.scale(np.array([contact.start]))[0])
        values: dict[str, Any] = dict(self.junction(contact).truth)
        return {**values, "x": x, "y": y, "scale": scale}
