"""Message-based instruments without their bus: bytes in, bytes out, one table of commands each.

A device is a class with a table ``COMMANDS`` that reads like the command list of a manual. How the
bytes travel (GPIB, TCP) and what that costs is the business of :mod:`sim.visa`.
"""

from __future__ import annotations

import re
from typing import ClassVar

from sim.devices.scpi_rows import Call, Handler, Row, ScpiError, spellings
from sim.world import World

COMMAND_ERROR = 32
EXECUTION_ERROR = 16
QUERY_ERROR = 4
"""Bits of the standard event status register (IEEE 488.2)."""

_SUFFIX = re.compile(r"\d+(?=[:?]|$)")
_BLOCK = re.compile(rb"#([1-9])")


class Device:
    """An instrument that answers messages.

    Parameters
    ----------
    name : str
        Its name in station.yaml; also the name of its random stream.
    world : World
    """

    IDENTITY: ClassVar[str] = ""
    """Reply to ``*IDN?``."""
    TERMINATOR: ClassVar[bytes] = b"\n"
    """Ends every text reply (binary replies end without one)."""
    QUEUES_REPLIES: ClassVar[bool] = False
    """Whether an unread reply survives the next message (IEEE 488.2 devices drop it)."""
    COMMANDS: ClassVar[tuple[Row, ...]] = ()
    _table: ClassVar[dict[str, Handler]] = {}

    def __init_subclass__(cls) -> None:
        rows = (*COMMON, *cls.COMMANDS)
        cls._table = {header: row.handler for row in rows for header in spellings(row.pattern)}

    def __init__(self, name: str, world: World) -> None:
        self.name = name
        self.world = world
        self.clock = world.clock
        self.rng = world.rng(name)
        self.settings: dict[tuple[object, ...], str] = {}
        self.event_status = 0
        self.errors: list[tuple[int, str]] = []
        self.unknown: list[str] = []
        """Every command that this device does not have."""
        self._plans: dict[bytes, list[tuple[Handler, Call]]] = {}

    def handle(self, message: bytes) -> bytes | None:
        """Carry out one program message and return its one response message, if any."""
        plan = self._plans.get(message)
        if plan is None:
            plan = self._parse(message)
        replies: list[str | bytes] = []
        for handler, call in plan:
            try:
                reply = handler(self, call)
            except ScpiError as error:
                self.refuse(EXECUTION_ERROR, error.code, error.text)
            else:
                if reply is not None:
                    replies.append(reply)
        if not replies:
            return None
        if len(replies) == 1 and isinstance(replies[0], bytes):
            return replies[0]
        parts = (r if isinstance(r, bytes) else r.encode("latin-1") for r in replies)
        return b";".join(parts) + self.TERMINATOR

    def refuse(self, event: int, code: int, text: str) -> None:
        """Remember an error in the event status register and the error queue."""
        self.event_status |= event
        self.errors.append((code, text))

    def clear_status(self) -> None:
        """Forget events and errors (``*CLS``)."""
        self.event_status = 0
        self.errors.clear()

    def device_clear(self) -> None:
        """Answer a bus clear; settings stay."""

    def status_byte(self, reply_waiting: bool) -> int:
        """Return the status byte as a serial poll sees it."""
        return 16 * reply_waiting + 32 * bool(self.event_status) + 4 * bool(self.errors)

    def trigger(self) -> None:
        """Answer a bus trigger (GET)."""
        self.handle(b"*TRG")

    def parse_header(self, text: str) -> tuple[str, str]:
        """Split one command into header (with its ``?``) and arguments."""
        header, _, rest = text.partition(" ")
        return header.lstrip(":"), rest

    def _parse(self, message: bytes) -> list[tuple[Handler, Call]]:
        units, block = split_units(message)
        plan = [self._resolve(unit, block) for unit in units]
        if len(message) <= 64 and not block:
            if len(self._plans) > 2000:
                self._plans.clear()
            self._plans[message] = plan
        return plan

    def _resolve(self, unit: str, block: bytes) -> tuple[Handler, Call]:
        header, rest = self.parse_header(unit)
        numbers = tuple(int(digits) for digits in _SUFFIX.findall(header))
        handler = self._table.get(_SUFFIX.sub("#", header).upper())
        if handler is None:
            return _unknown(unit), Call()
        args = tuple(arg.strip() for arg in rest.split(",")) if rest.strip() else ()
        return handler, Call(numbers, args, block)


def _unknown(unit: str) -> Handler:
    def handler(device: Device, _call: Call) -> None:
        device.unknown.append(unit)
        device.refuse(COMMAND_ERROR, -113, "Undefined header")

    return handler


def split_units(message: bytes) -> tuple[list[str], bytes]:
    """Split a program message at its semicolons; a binary block may hold any byte.

    Returns
    -------
    units : list of str
        The block, if any, is cut out of its unit.
    block : bytes
        Its content; at most one a message.
    """
    found = _BLOCK.search(message)
    block = b""
    if found and b'"' not in message[: found.start()]:
        start = found.end() + int(found.group(1))
        length = message[found.end() : start]
        if length.isdigit():  # else it only looked like a block
            end = start + int(length)
            block, message = message[start:end], message[: found.start()] + message[end:]
    units = (unit.strip() for unit in message.decode("latin-1").split(";"))
    return [unit for unit in units if unit], block


# -- commands that all have -------------------------------------------------------------------


def _identity(device: Device, _call: Call) -> str:
    return device.IDENTITY


def _read_events(device: Device, _call: Call) -> str:
    events, device.event_status = device.event_status, 0
    return str(events)


def _clear(device: Device, _call: Call) -> None:
    device.clear_status()


def _status(device: Device, _call: Call) -> str:
    return str(device.status_byte(reply_waiting=False))


def _done(_device: Device, _call: Call) -> str:
    return "1"


def next_error(device: Device, _call: Call) -> str:
    """Return the oldest error of the queue and forget it (``SYST:ERR?``)."""
    if not device.errors:
        return '0,"No error"'
    code, text = device.errors.pop(0)
    return f'{code},"{text}"'


def all_errors(device: Device, _call: Call) -> str:
    """Return all errors and forget them (``SYST:ERR:ALL?``)."""
    errors = [f'{code},"{text}"' for code, text in device.errors] or ['0,"No error"']
    device.errors.clear()
    return ",".join(errors)


def count_errors(device: Device, _call: Call) -> str:
    """Return how many errors wait (``SYST:ERR:COUNt?``)."""
    return str(len(device.errors))


COMMON = (
    Row("*IDN?", _identity),
    Row("*CLS", _clear),
    Row("*ESR?", _read_events),
    Row("*STB?", _status),
    Row("*OPC?", _done),
    Row("*TST?", lambda _device, _call: "0"),
)

SCPI_ERRORS = (
    Row("SYSTem:ERRor?", next_error),
    Row("SYSTem:ERRor:NEXT?", next_error),
    Row("SYSTem:ERRor:ALL?", all_errors),
    Row("SYSTem:ERRor:COUNt?", count_errors),
)
