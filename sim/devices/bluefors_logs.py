"""The log files of a BlueFors: one folder a day, one file a channel, one line a minute."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from sim.world import World


class BlueforsLogs:
    """Writes the temperatures of stage and mixing chamber.

    Parameters
    ----------
    name : str
    world : World
    stage_channel, pot_channel : int
        Their thermometers.
    interval : float
        Time between lines, s.
    scatter : float
        rms noise of a reading, relative.
    blank : int
        1: lines begin with a blank, as older software writes them.

    Attributes
    ----------
    stopped : bool
        A fault: nothing is written any more.
    """

    def __init__(
        self,
        name: str,
        world: World,
        stage_channel: int = 8,
        pot_channel: int = 6,
        interval: float = 60.0,
        scatter: float = 2e-4,
        blank: int = 0,
    ) -> None:
        self.name = name
        self.stopped = False
        self._world = world
        self._rng = world.rng(name)
        self._sensors = {stage_channel: "stage", pot_channel: "pot"}
        self._interval = interval
        self._scatter = scatter
        self._blank = " " * bool(blank)
        self._lines: list[tuple[str, str]] = []
        world.clock.call_at(world.clock.now(), self._note)

    def write(self, folder: Path) -> None:
        """Write all lines that are due and not yet in `folder`."""
        for file, line in self._lines:
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="ascii", newline="") as stream:
                stream.write(line)
        self._lines.clear()

    def _note(self) -> None:
        """Read all channels now, and again after the interval."""
        clock, fridge = self._world.clock, self._world.fridge
        now = clock.now()
        moment = datetime.fromtimestamp(clock.wall())
        day = moment.strftime("%y-%m-%d")
        for channel, place in self._sensors.items():
            pot = place == "pot"
            true = fridge.pot_temperature(now) if pot else fridge.stage_temperature(now)
            kelvin = true * (1 + self._scatter * self._rng.standard_normal())
            line = f"{self._blank}{moment:%d-%m-%y,%H:%M:%S},{kelvin:.6E}\n"
            if not self.stopped:
                self._lines.append((f"{day}/CH{channel} T {day}.log", line))
        clock.call_at(now + self._interval, self._note)
