"""BlueFors by HTTP: the control software's values, and the temperature controller's own box.

Adapters: :mod:`drivers.bluefors`.

`BlueforsControl` reads and sets named values of the control software (port 49099, or 49098 with
TLS; each value has a date and may be empty or outdated; settings of a heater are queued until its
``write`` is called). `BlueforsBox` speaks to the temperature controller itself (port 5001; it tells
its own time, so that the age of a reading does not depend on two clocks agreeing).
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from qcodes.instrument import Instrument
from qcodes.validators import Bool, Numbers

from drivers.bluefors import LARGEST_HEATER, Newest
from drivers.bluefors_web import JsonClient, number_in
from stm_daq.errors import InstrumentError

SOUND = ("SYNCHRONIZED", "INDEPENDENT", "CHANGED")
"""Statuses of a value that can be trusted."""
LOOK_BACK = 600.0
"""The box is asked for the measurements so many seconds around its own time."""
BOX_TIME = "%Y-%m-%dT%H:%M:%SZ"


class BlueforsInstrument(Instrument):
    """What both ways to a BlueFors have in common: one thermometer, one heater.

    The names of the heater's fields are those of the temperature controller: ``active``,
    ``pid_mode``, ``setpoint``, ``power``, ``max_power``.
    """

    def __init__(self, name: str, client: JsonClient) -> None:
        super().__init__(name)
        self.client = client
        self.temperature = self.add_parameter(
            "temperature",
            label="Temperature",
            unit="K",
            get_cmd=lambda: self.newest(None).kelvin,
        )
        self.setpoint = self.add_parameter(
            "setpoint",
            label="Temperature set-point",
            unit="K",
            get_cmd=lambda: self.heater_value("setpoint"),
            set_cmd=lambda kelvin: self.set_heater({"setpoint": kelvin}),
            vals=Numbers(0, 300),
        )
        self.largest_power = self.add_parameter(
            "largest_power",
            label="Largest power of the heater",
            unit="W",
            get_cmd=lambda: self.heater_value("max_power"),
            set_cmd=lambda watts: self.set_heater({"max_power": watts}),
            vals=Numbers(0, LARGEST_HEATER),
        )
        self.power = self.add_parameter(
            "power",
            label="Present power of the heater",
            unit="W",
            get_cmd=lambda: self.heater_value("power"),
        )
        for field, label in (("active", "Heater on"), ("pid_mode", "Heater regulated")):
            self.add_parameter(
                field,
                label=label,
                get_cmd=lambda field=field: self.heater_value(field) != 0,
                set_cmd=lambda on, field=field: self.set_heater({field: int(on)}),
                vals=Bool(),
            )

    @abstractmethod
    def newest(self, wall: float | None) -> Newest:
        """Return the last measurement; its age at the date `wall` (s since the Unix epoch)."""

    @abstractmethod
    def heater_value(self, field: str) -> float:
        """Read one field of the heater."""

    @abstractmethod
    def set_heater(self, fields: Mapping[str, float]) -> None:
        """Change fields of the heater; sent once only."""

    def get_idn(self) -> dict[str, str | None]:
        """Return what is known without asking."""
        model = type(self).__name__
        return {"vendor": "BlueFors", "model": model, "serial": None, "firmware": None}


class BlueforsControl(BlueforsInstrument):
    """The control software of a BlueFors.

    Parameters
    ----------
    name : str
    address : str
        Host of the control software.
    port : int
        49099, or 49098 with TLS.
    key : str
        Key of the programming interface, made in the control software.
    value : str
        The temperature, such as ``mapper.bf.temperatures.tmixing``.
    heater : str
        Such as ``driver.bftc.data.heaters.heater_4``.
    tls : bool
    timeout : float
        Longest wait for an answer, s.
    """

    def __init__(
        self,
        name: str,
        address: str,
        port: int = 49099,
        key: str = "",
        value: str = "mapper.bf.temperatures.tmixing",
        heater: str = "driver.bftc.data.heaters.heater_4",
        tls: bool = False,
        timeout: float = 5.0,
    ) -> None:
        self._value, self._heater = value, heater
        super().__init__(name, JsonClient(name, address, port, timeout, tls, {"key": key}))
        self._content(value)

    def newest(self, wall: float | None) -> Newest:
        """Return the last measurement; its age at the date `wall`."""
        latest = self._content(self._value)
        date = number_in(latest, "date") / 1e3
        sound = not latest.get("outdated") and latest.get("status") in SOUND
        kelvin = number_in(latest, "value") if sound else math.nan
        return Newest(kelvin, math.nan if wall is None else wall - date)

    def heater_value(self, field: str) -> float:
        """Read one field of the heater."""
        content = self._content(f"{self._heater}.{field}")
        if content.get("status") not in SOUND:
            raise InstrumentError(
                f"{self.name}: {field} of the heater is {content.get('status')} in the control "
                "software and perhaps not in the instrument"
            )
        return number_in(content, "value")

    def set_heater(self, fields: Mapping[str, float]) -> None:
        """Queue fields and have them written to the temperature controller."""
        values = {
            f"{self._heater}.{field}": {"content": {"value": f"{value:.9g}"}}
            for field, value in fields.items()
        }
        self.client.post("/values/", {"data": values})
        call = {f"{self._heater}.write": {"content": {"call": 1}}}
        self.client.post("/values/", {"data": call})

    def _content(self, value: str) -> Mapping[str, Any]:
        """Return ``latest_value`` of a named value."""
        answer = self.client.get("/values/" + value.replace(".", "/") + "/")
        found: Any = answer.get("data")
        for key in (value, "content", "latest_value"):
            found = found.get(key) if isinstance(found, dict) else None
        if not isinstance(found, dict):
            raise InstrumentError(
                f"{self.name}: the control software has no value '{value}'; look it up in its "
                "list of values"
            )
        return found


class BlueforsBox(BlueforsInstrument):
    """The temperature controller of a BlueFors.

    Parameters
    ----------
    name : str
    address : str
    port : int
    channel : int
        Thermometer, from 1.
    heater : int
        Number of the heater.
    timeout : float
        Longest wait for an answer, s.
    """

    def __init__(
        self,
        name: str,
        address: str,
        port: int = 5001,
        channel: int = 6,
        heater: int = 4,
        timeout: float = 5.0,
    ) -> None:
        self._channel, self._heater = channel, heater
        super().__init__(name, JsonClient(name, address, port, timeout, False, {}))
        self._heater_fields()

    def newest(self, wall: float | None) -> Newest:
        """Return the last measurement; its age by the box's own time."""
        now = _epoch(self.client.get("/channel/measurement/latest"), self.name)
        question = {
            "channel_nr": self._channel,
            "start_time": datetime.fromtimestamp(now - LOOK_BACK, UTC).strftime(BOX_TIME),
            "stop_time": datetime.fromtimestamp(now + LOOK_BACK, UTC).strftime(BOX_TIME),
            "fields": ["timestamp", "temperature"],
        }
        answer = self.client.post("/channel/historical-data", question)
        columns: Any = answer.get("measurements") or {}
        times, values = (columns.get(f) or [] for f in ("timestamp", "temperature"))
        if not times or len(times) != len(values):
            return Newest(math.nan, math.inf)
        last = {"timestamp": times[-1], "temperature": values[-1]}
        age = _epoch(answer, self.name) - number_in(last, "timestamp")
        return Newest(number_in(last, "temperature"), age)

    def heater_value(self, field: str) -> float:
        """Read one field of the heater."""
        return number_in(self._heater_fields(), field)

    def set_heater(self, fields: Mapping[str, float]) -> None:
        """Change fields of the heater."""
        changed: dict[str, Any] = dict(fields)
        if "active" in changed:
            changed["active"] = bool(changed["active"])
        self.client.post("/heater/update", {"heater_nr": self._heater, **changed})

    def _heater_fields(self) -> Mapping[str, Any]:
        return self.client.post("/heater", {"heater_nr": self._heater})


def _epoch(answer: Mapping[str, Any], name: str) -> float:
    """Return the box's own time, s since the Unix epoch; every answer has it."""
    text = str(answer.get("datetime", ""))
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise InstrumentError(f"{name}: an answer without a date ({text!r})") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
