"""BlueFors: the control software's values over HTTP, and the temperature controller's own box.

Both measure the stage and the mixing chamber in turn and regulate one heater. Names of values and
end points as the public clients of the two interfaces use them.
"""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sim.devices.bluefors_scanner import Measured, RegulatedHeater, Scanner
from sim.serve.http import http_server
from sim.serve.server import Place, TcpServer
from sim.world import World

type Answer = tuple[int, bytes] | None

HEATER = "driver.bftc.data.heaters.heater_4"
NAMED = {"mapper.bf.temperatures.tmixing": "pot", "mapper.bf.temperatures.tsample": "stage"}
"""Values of the control software, by sensor."""
_CHANNEL = re.compile(r"mapper\.heater_mappings_bftc\.device\.c(\d+)\.temperature")
TIME = "%Y-%m-%dT%H:%M:%SZ"


class _Bluefors:
    """What both interfaces have.

    Parameters
    ----------
    name : str
    world : World
    stage_channel, pot_channel : int
        Their thermometers.
    dwell : float
        Time on each channel, s.
    scatter : float
        rms noise of a reading, relative.
    latency : float
        Time a request and its answer need on the network, s.
    """

    def __init__(
        self,
        name: str,
        world: World,
        stage_channel: int = 8,
        pot_channel: int = 6,
        dwell: float = 5.0,
        scatter: float = 2e-4,
        latency: float = 3e-3,
    ) -> None:
        self.name = name
        self.latency = latency
        self.transactions = 0
        self.unknown: list[str] = []
        """Every request that was not understood."""
        self.silent = False
        """A fault: requests are not answered."""
        self.outdated = False
        """A fault: the control software tells that its values are old."""
        self.scanner = Scanner(
            name, world, {pot_channel: "pot", stage_channel: "stage"}, dwell, scatter
        )
        self.heater = RegulatedHeater(world, "pot")
        self._clock = world.clock
        self._queued: dict[str, float] = {}
        """Settings that the control software has not given to the heater yet."""

    def servers(self, place: Place) -> list[TcpServer]:
        """Return the web service."""
        return [http_server(self, place)]

    def answer(self, method: str, target: str, body: bytes) -> Answer:
        """Return status and body; None: no answer comes."""
        if self.silent:
            return None
        parts = urlsplit(target)
        content: Any = {}
        if body:
            try:
                content = json.loads(body)
            except ValueError:
                return _error(400, "BAD_JSON")
        if not isinstance(content, dict):
            return _error(400, "BAD_JSON")
        found = self.respond(method, parts.path, parse_qs(parts.query), content)
        if found[0] == 404:
            self.unknown.append(f"{method} {parts.path}")
        return found

    def respond(
        self, method: str, path: str, query: dict[str, list[str]], content: dict[str, Any]
    ) -> tuple[int, bytes]:
        """Answer one well-formed request."""
        raise NotImplementedError

    def wall(self, time: float) -> float:
        """Return the date of a world time, s since the Unix epoch."""
        return self._clock.wall() - self._clock.now() + time


class BlueforsControl(_Bluefors):
    """The control software: every value has a name, a date and a status."""

    def respond(
        self, method: str, path: str, query: dict[str, list[str]], content: dict[str, Any]
    ) -> tuple[int, bytes]:
        """Answer one well-formed request."""
        if not query.get("key"):
            return _error(403, "NOT_AUTHORIZED")
        if not path.startswith("/values"):
            return _error(404, "NOT_FOUND")
        if method == "POST":
            return self._post(content)
        name = path.removeprefix("/values").strip("/").replace("/", ".")
        value = self._value(name)
        return _error(404, "VALUE_NOT_FOUND") if value is None else _json({"data": {name: value}})

    def _value(self, name: str) -> dict[str, Any] | None:
        channel = _CHANNEL.fullmatch(name)
        places = {place: number for number, place in self.scanner.sensors.items()}
        if name in NAMED:
            return self._measured(self.scanner.newest(places[NAMED[name]]))
        if channel:
            return self._measured(self.scanner.newest(int(channel[1])))
        field = name.removeprefix(f"{HEATER}.")
        if field != name and (number := self._heater_value(field)) is not None:
            return self._content(name, f"{number:.9g}", self._clock.wall(), field in self._queued)
        return None

    def _heater_value(self, field: str) -> float | None:
        heater, loop = self.heater, self.heater.settings
        known = {
            "active": float(heater.active),
            "pid_mode": float(heater.pid_mode),
            "power": heater.present_power(),
            "max_power": heater.max_power,
            "setpoint": loop.setpoint,
            "proportional": loop.proportional,
            "integral": loop.integral_time,
            "derivative": loop.derivative_time,
        }
        return known.get(field)

    def _measured(self, measured: Measured | None) -> dict[str, Any] | None:
        if measured is None:
            return None
        text = "" if math.isnan(measured.kelvin) else f"{measured.kelvin:.9g}"
        return self._content("temperature", text, self.wall(measured.time), False)

    def _content(self, name: str, text: str, date: float, queued: bool) -> dict[str, Any]:
        value = {
            "value": text,
            "outdated": self.outdated,
            "date": int(date * 1e3),
            "status": "QUEUED" if queued else "SYNCHRONIZED",
        }
        return {
            "name": name,
            "type": "Value.Number.Float",
            "content": {"latest_value": value, "latest_valid_value": value},
        }

    def _post(self, content: dict[str, Any]) -> tuple[int, bytes]:
        """Queue values, or call a method such as the heater's ``write``."""
        for name, entry in (content.get("data") or {}).items():
            inner = entry.get("content", {}) if isinstance(entry, dict) else {}
            if name == f"{HEATER}.write" and inner.get("call") == 1:
                self._write_heater()
            elif name.startswith(f"{HEATER}.") and "value" in inner:
                try:
                    self._queued[name.removeprefix(f"{HEATER}.")] = float(inner["value"])
                except (TypeError, ValueError):
                    return _error(400, "INVALID_VALUE")
            else:
                return _error(404, "VALUE_NOT_FOUND")
        return _json({"data": {}})

    def _write_heater(self) -> None:
        """Give the queued values to the temperature controller."""
        for field, value in self._queued.items():
            self.heater.update(field, value)
        self._queued.clear()
        self.heater.apply()


class BlueforsBox(_Bluefors):
    """The temperature controller's own interface."""

    def respond(
        self, method: str, path: str, query: dict[str, list[str]], content: dict[str, Any]
    ) -> tuple[int, bytes]:
        """Answer one well-formed request."""
        end_points = {
            ("GET", "/channel/measurement/latest"): self._latest,
            ("POST", "/channel/historical-data"): self._history,
            ("POST", "/heater"): self._heater,
            ("POST", "/heater/update"): self._update,
        }
        end_point = end_points.get((method, path.rstrip("/")))
        if end_point is None:
            return _error(404, "NOT_FOUND")
        return end_point(content)

    def _latest(self, _content: dict[str, Any]) -> tuple[int, bytes]:
        """The last measurement, of whichever channel it was."""
        measured = self.scanner.latest()
        return self._json(
            {
                "channel_nr": measured.channel,
                "timestamp": self.wall(measured.time),
                "temperature": None if math.isnan(measured.kelvin) else measured.kelvin,
            }
        )

    def _history(self, content: dict[str, Any]) -> tuple[int, bytes]:
        """The measurements of one channel between two dates; the twin keeps only the last."""
        channel, fields = content.get("channel_nr"), content.get("fields") or []
        measured = self.scanner.newest(channel) if isinstance(channel, int) else None
        if measured is None or not {"timestamp", "temperature"} >= set(fields):
            return _error(400, "INVALID_ARGUMENT")
        try:
            times = [_epoch(str(content.get(key))) for key in ("start_time", "stop_time")]
        except ValueError:
            return _error(400, "INVALID_TIME")
        date = self.wall(measured.time)
        inside = times[0] <= date <= times[1] + 1
        kelvin = None if math.isnan(measured.kelvin) else measured.kelvin
        columns = {"timestamp": date, "temperature": kelvin}
        rows = {field: [columns[field]] if inside else [] for field in fields}
        return self._json({"channel_nr": channel, "measurements": rows})

    def _heater(self, content: dict[str, Any]) -> tuple[int, bytes]:
        if content.get("heater_nr") != 4:
            return _error(400, "INVALID_ARGUMENT")
        heater, loop = self.heater, self.heater.settings
        return self._json(
            {
                "heater_nr": 4,
                "active": heater.active,
                "pid_mode": heater.pid_mode,
                "power": heater.present_power(),
                "max_power": heater.max_power,
                "setpoint": loop.setpoint,
                "control_algorithm_settings": {
                    "proportional": loop.proportional,
                    "integral": loop.integral_time,
                    "derivative": loop.derivative_time,
                },
            }
        )

    def _update(self, content: dict[str, Any]) -> tuple[int, bytes]:
        changes = {key: value for key, value in content.items() if key != "heater_nr"}
        gains = changes.pop("control_algorithm_settings", {})
        for field, value in {**changes, **gains}.items():
            number = float(value) if isinstance(value, int | float) else math.nan
            if not self.heater.update(field, number):
                return _error(400, "INVALID_ARGUMENT")
        self.heater.apply()
        return self._heater(content)

    def _json(self, content: dict[str, Any]) -> tuple[int, bytes]:
        """Add the box's own time, as every answer has it."""
        now = datetime.fromtimestamp(self._clock.wall(), UTC)
        return _json({**content, "datetime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")})


def _epoch(text: str) -> float:
    return datetime.strptime(text, TIME).replace(tzinfo=UTC).timestamp()


def _json(content: dict[str, Any]) -> tuple[int, bytes]:
    return 200, json.dumps(content).encode()


def _error(status: int, name: str) -> tuple[int, bytes]:
    return status, json.dumps({"error": {"code": status, "name": name}}).encode()
