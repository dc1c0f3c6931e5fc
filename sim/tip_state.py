"""Where the tip is at any time, worked out from the contacts that it has had.

With feedback, the distance between tip and surface follows from the set-point through the true
nonlinear I(V), apart from an error that decays with the loop's time constant; without, the tip's z
stays and the distance changes as surface, piezos and tip move (see `sim.ground`).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.apex import Apex, Changes, Flake
from sim.approach import distance_for
from sim.barrier import Barrier
from sim.contact import Contact
from sim.drift import Creep, Drift
from sim.feedback import Feedback
from sim.ground import Ground
from sim.samples import Junction, MicrowaveSample, RememberingSample
from sim.site import true_parameters, true_tip, tunnelling, under_tip
from sim.travel import Travel

if TYPE_CHECKING:
    from sim.world import World

type Array = NDArray[np.float64]


class TipState:
    """The tip as it is; :class:`sim.tip.Tip` adds what a controller does with it.

    Parameters
    ----------
    drift : Drift
    creep : Creep
    barrier : Barrier
    feedback : Feedback
    travel : Travel
    changes : Changes
    flake : Flake
    """

    def __init__(
        self,
        drift: Drift,
        creep: Creep,
        barrier: Barrier,
        feedback: Feedback,
        travel: Travel,
        changes: Changes,
        flake: Flake,
    ) -> None:
        self.drift, self.creep = drift, creep
        self.barrier, self.feedback, self.travel = barrier, feedback, travel
        self.violations: list[str] = []
        self.crashes: list[float] = []
        """World times of all crashes, s."""
        self._changes, self._flake = changes, flake
        self._contacts: deque[Contact] = deque(maxlen=64)

    def _enter(self, world: World, retracted: float, setpoint: float) -> None:
        """Come into the world at its origin, with feedback or at this distance (m) from the surface."""
        self._world = world
        self.apex = Apex(self._changes, self._flake, world.rng("tip changes"))
        sample = world.sample
        self._film = sample if isinstance(sample, RememberingSample) else None
        self._memory = self._film.memory(world.rng("switching")) if self._film else None
        self._feels_microwaves = isinstance(sample, MicrowaveSample | RememberingSample)
        self._ground = Ground(world.sample, self.drift, self.creep, self.apex)
        contact = self._contact(0.0, 0.0, retracted > 0, setpoint, world.clock.now())
        contact.z = contact.surface + retracted
        self._contacts.append(contact)
        if self._flake.gap:
            tunnelling(world.sample.junction(0.0, 0.0, contact.stage_temperature))

    # -- what is true of the junction at any time ---------------------------------------------

    def z(self, time: float) -> float:
        """Return the tip's height at `time`, m, without noise."""
        contact = self.contact_at(time)
        if contact.held:
            return contact.z
        times = np.array([time])
        distance = float(self._distance_in(contact, times)[0])
        return float(self._ground.under(contact, times)[0]) + distance

    def distance(self, times: Array) -> Array:
        """Return the distance between tip and surface at `times` (one contact), m, shape (n,)."""
        return self._distance_in(self.contact_at(float(times[-1])), times)

    def scale(self, times: Array) -> Array:
        """Return the normal-state conductance at `times` (one contact), S, shape (n,)."""
        return self.barrier.conductance(self.distance(times))

    def contact_at(self, time: float) -> Contact:
        """Return the contact that the tip had at `time` (the oldest remembered one before that)."""
        self.catch_up()
        for contact in reversed(self._contacts):
            if contact.start <= time:
                return contact
        return self._contacts[0]

    def boundaries(self, first: float, last: float) -> list[float]:
        """Return the times within (first, last] at which a new contact began."""
        self.catch_up()
        return [c.start for c in self._contacts if first < c.start <= last]

    def junction(self, contact: Contact) -> Junction:
        """Return the junction of `contact`, made when it is first needed."""
        if contact.junction is None:
            x, y = self._ground.place(contact, np.array([contact.start]), contact.x, contact.y)
            contact.junction = under_tip(self._world.sample, contact, float(x[0]), float(y[0]))
        return contact.junction

    def line(self, x: Array, y: Array, times: Array) -> Array:
        """Return z, m, along a line scanned now, without noise; all shape (n,).

        With feedback the distance is that of a normal junction: at set-point biases well above
        the gap the excess current moves the tip by a few picometres at most.
        """
        now = self._now
        if now.held:
            return np.full(len(x), now.z)
        bias = np.abs(self._world.bias(times))
        wanted = self.surface_along(x, y, times) + self.barrier.distance(bias, now.setpoint)
        z = self.travel.stopped(self.feedback.follow(wanted, times))
        self._watch_travel(float(z.min()), float(z.max()))
        return z

    def surface_along(self, x: Array, y: Array, times: Array) -> Array:
        """Return the height at which the tip would touch, m, at places (m) passed at `times` (s)."""
        now = self._now
        surface = self._world.sample.height(*self._ground.place(now, times, x, y))
        return self._ground.lifted(surface, now, times)

    def surface_place(self, x: float, y: float, time: float) -> tuple[float, float]:
        """Return where on the sample the tip is when the controller says (x, y), m, at `time` (s)."""
        along, up = self._ground.place(self._now, np.array([time]), x, y)
        return float(along[0]), float(up[0])

    def strip_voltage(self, current: float) -> float:
        """Return the voltage along the strip of film now, V, at this current, A; 0 without one."""
        state = self._now.film
        if self._film is None or state is None:
            return 0.0
        return self._film.strip_voltage(state, current)

    def displacement(self, time: float) -> tuple[float, float, float]:
        """Return how far the surface has drifted under the tip since the world began, m.

        Along x, along y, and towards the tip.
        """
        times = np.array([time])
        return (
            float(self.drift.x(times)[0]),
            float(self.drift.y(times)[0]),
            float(self.drift.z(times)[0]),
        )

    def violate(self, what: str, when: float | None = None) -> None:
        """Write a misdeed into the world's record, of now if no other time (s) is given."""
        time = self._world.clock.now() if when is None else when
        self.violations.append(f"t = {time:.3f} s: {what}")

    def crash(self, how: str, when: float | None = None) -> None:
        """Record that tip and surface met, which may change the tip."""
        time = self._world.clock.now() if when is None else when
        self.violate(f"crash: {how}", time)
        self.crashes.append(time)
        before = self.apex.now.length
        after = self.apex.crash(time)
        if after is not None:
            self._renew(time, after.length - before)

    def catch_up(self) -> None:
        """Let happen to tip and film what is due."""
        while self._memory is not None and self._memory.due <= self._world.clock.now():
            self._renew(self._memory.due, 0.0)
        while self.apex.next <= self._world.clock.now():
            before, free = self.apex.now.length, not self._touches(self.apex.next)
            after = self.apex.change()
            self._renew(after.since, after.length - before)
            if self._contacts[-1].held and free and self._touches(after.since):
                self.crash("the tip changed and touches the surface", after.since)

    # -- inside -------------------------------------------------------------------------------

    @property
    def _now(self) -> Contact:
        self.catch_up()
        return self._contacts[-1]

    def _contact(self, x: float, y: float, held: bool, setpoint: float, time: float) -> Contact:
        """Make a contact at (x, y) that begins at `time`; nothing is done yet."""
        contact = Contact(
            start=time,
            held=held,
            x=x,
            y=y,
            setpoint=setpoint,
            apex=self.apex.now,
            stage_temperature=round(self._world.stage_temperature(time), 4),
            power=self._world.microwave_power(time) if self._feels_microwaves else 0.0,
        )
        if self.creep.active and self._contacts:
            old = self._contacts[-1]
            self._strain(contact, x - old.x, y - old.y, 0.0)
        place = self._ground.place(contact, np.array([time]), x, y)
        contact.surface = float(self._world.sample.height(*place)[0])
        if self._film is not None and self._memory is not None:
            microwaves = contact.power, self._world.microwave_frequency(time)
            at = float(place[0][0]), float(place[1][0])
            contact.film = self._film.driven(
                self._memory, time, at, contact.stage_temperature, microwaves
            )
        return contact

    def _strain(self, contact: Contact, x: float, y: float, z: float) -> None:
        """Let the piezos creep after a step by (x, y, z), m, at the beginning of `contact`."""
        old = self._contacts[-1]
        if contact.lack is None and old.lack is not None:
            contact.lack = self.creep.after(old.lack, contact.start - old.start)
        contact.lack = self.creep.step(contact.lack, x, y, z)

    def _begin(self, contact: Contact) -> None:
        old = self._now
        if old.held and self._touches(contact.start) and not self._touches(old.start):
            self.crash("the surface drifted into the held tip")
        self._append(contact)
        if contact.held and self._touches(contact.start):
            self.crash("the tip touches the surface")

    def _append(self, contact: Contact) -> None:
        old = self._contacts[-1]
        if contact.start == old.start and contact.held == old.held:
            self._contacts.pop()
        self._contacts.append(contact)

    def _touches(self, time: float) -> bool:
        """Whether the tip, held now, is in the surface at `time`."""
        contact = self._contacts[-1]
        return bool(contact.z - self._ground.under(contact, np.array([time]))[0] < 0)

    def _restart(self, old: Contact, setpoint: float, distance: float, left: float = 1.0) -> None:
        """Close the loop (again) from `distance`, with `setpoint`; of the error this is `left`."""
        new = self._contact(old.x, old.y, False, setpoint, self._world.clock.now())
        new.inherit(old)
        new.error = left * (distance - self._wanted_first(new))
        self._begin(new)

    def _renew(self, time: float, longer: float) -> None:
        """Go on at `time` over a junction that has changed, with a tip longer by `longer`, m."""
        old = self._contacts[-1]
        new = self._contact(old.x, old.y, old.held, old.setpoint, time)
        new.z = old.z
        new.inherit(old)
        if not old.held:
            distance = float(self._distance_in(old, np.array([time]))[0]) - longer
            new.error = self.feedback.kick * (distance - self._wanted_first(new))
        self._append(new)

    def _distance_in(self, contact: Contact, times: Array) -> Array:
        ground = self._ground.under(contact, times)
        if contact.held:
            return contact.z - ground
        decay = np.exp(-(times - contact.start) / self.feedback.time)
        wanted = self._wanted_distance(contact, times) + contact.error * decay
        distance = np.maximum(wanted, 0.0)
        return self.travel.stopped(ground + distance) - ground

    def _wanted_first(self, contact: Contact) -> float:
        return float(self._wanted_distance(contact, np.array([contact.start]))[0])

    def _wanted_distance(self, contact: Contact, times: Array) -> Array:
        bias = self._world.bias(times)
        if np.ptp(bias) == 0:
            return np.full(len(times), self._wanted_at(contact, float(bias[0])))
        return self._distance_for(contact, bias, self._world.modulation_peak)

    def _wanted_at(self, contact: Contact, bias: float) -> float:
        """Same for one bias, remembered: it rarely changes while the loop is closed."""
        key = (bias, self._world.modulation_peak, contact.setpoint)
        if contact.wanted is None or contact.wanted[0] != key:
            distance = self._distance_for(contact, np.array([bias]), key[1])
            contact.wanted = (key, float(distance[0]))
        return contact.wanted[1]

    def _distance_for(self, contact: Contact, bias: Array, modulation: float) -> Array:
        junction = self.junction(contact)
        return distance_for(junction, bias, modulation, contact.setpoint, self.barrier)

    def _watch_travel(self, lowest: float, highest: float) -> None:
        if self.travel.newly_stopped(lowest, highest):
            self.violate("the feedback was stopped by the limits of z")

    def _true_values(self, contact: Contact) -> dict[str, float]:
        start = np.array([contact.start])
        x, y = self._ground.place(contact, start, contact.x, contact.y)
        scale = float(self.scale(start)[0])
        values = true_parameters(self.junction(contact), scale)
        values |= {"x": float(x[0]), "y": float(y[0]), "scale": scale}
        if self.drift.thermal.active or self.drift.lateral:
            names = ("drift_x", "drift_y", "drift_z")
            values |= dict(zip(names, self.displacement(contact.start), strict=True))
        if contact.lack is not None:
            missing = [self.creep.missing(contact.lack, axis, 0.0) for axis in range(3)]
            names = ("creep_x", "creep_y", "creep_z")
            values |= dict(zip(names, map(float, missing), strict=True))
        if self.apex.active:
            values |= true_tip(contact.apex)
        if self._feels_microwaves:
            values["microwave_power"] = contact.power
        if self._film is not None:
            values |= self._film.truth_at(values["x"], values["y"])
        return values
