"""The bus of the twin: a PyVISA backend in this process.

``PYVISA_LIBRARY="<twin>@stmsim"`` makes unmodified drivers talk to the devices of one twin; many
twins live side by side. Every transaction costs virtual time, a reply that does not come costs the
session's time-out in virtual time and none of the user's.

Rules of the message exchange (IEEE 488.2): a message sent is complete with the write that ends it;
a reply ends with END, not with a newline, so binary replies carry none; one program message gives
at most one response message; a new message drops an unread reply, except on instruments that queue.
"""

from __future__ import annotations

import fnmatch
import itertools
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from pyvisa import attributes, constants, errors, rname
from pyvisa.constants import ResourceAttribute, StatusCode
from pyvisa.highlevel import VisaLibraryBase
from pyvisa.typing import VISASession

from sim.bus import Bus, ConnectionBrokenError, NotTakenError, Port
from stm_daq.errors import SimulationLivelockError

BACKEND = "stmsim"
_END = StatusCode.success
_MORE = StatusCode.success_max_count_read
_TERMCHAR = StatusCode.success_termination_character_read


_buses: dict[str, Bus] = {}


def library(bus: Bus) -> str:
    """Return the value of PYVISA_LIBRARY that leads to a bus."""
    return f"{bus.name}@{BACKEND}"


def open_bus(bus: Bus) -> None:
    """Let drivers find a bus."""
    sys.modules.setdefault(f"pyvisa_{BACKEND}", _backend_module())
    _buses[bus.name] = bus


def close_bus(bus: Bus) -> None:
    """Let drivers find it no longer."""
    _buses.pop(bus.name, None)


class Session:
    """One opened instrument."""

    def __init__(self, port: Port, address: str, connection: int) -> None:
        parsed = rname.ResourceName.from_string(address)
        self.port = port
        self._connection = connection
        self.reply = b""
        self.unsent = b""
        self.ends = parsed.resource_class != "SOCKET"
        self.timeout = 2.0
        self.termchar: bytes | None = None
        self.attributes: dict[int, Any] = {
            ResourceAttribute.resource_name: str(parsed),
            ResourceAttribute.resource_class: parsed.resource_class,
            ResourceAttribute.interface_type: parsed.interface_type_const,
        }

    def set(self, attribute: int, value: Any) -> None:
        """Set a VISA attribute."""
        self.attributes[attribute] = value
        if attribute == ResourceAttribute.timeout_value:
            self.timeout = float("inf") if value == constants.VI_TMO_INFINITE else value / 1e3
        enabled = self.attributes.get(ResourceAttribute.termchar_enabled, False)
        character = self.attributes.get(ResourceAttribute.termchar, 10)
        self.termchar = bytes([character]) if enabled else None

    def get(self, attribute: int) -> Any:
        """Return a VISA attribute."""
        if attribute in self.attributes:
            return self.attributes[attribute]
        return attributes.AttributesByID[attribute].default

    def take(self, count: int) -> tuple[bytes, StatusCode]:
        """Return the next piece of the reply, or b"" and the time-out error if there is none."""
        if not self.reply:
            if not self.port.replies:
                return b"", StatusCode.error_timeout
            self.reply = self.port.replies.popleft()
        size, status = min(count, len(self.reply)), _MORE
        if self.termchar is not None:
            found = self.reply.find(self.termchar, 0, size)
            if found >= 0:
                size, status = found + 1, _TERMCHAR
        if status is _MORE and size == len(self.reply):
            status = _END if self.ends else StatusCode.error_timeout
        chunk, self.reply = self.reply[:size], self.reply[size:]
        return chunk, status

    def clear(self) -> None:
        """Forget what is on its way in both directions."""
        self.reply = b""
        self.unsent = b""

    @property
    def broken(self) -> bool:
        """Whether the connection broke since this session was opened."""
        return self._connection != self.port.connection

    def attempt(self, action: Callable[[], None]) -> StatusCode:
        """Do something with the device; waiting in vain costs virtual time, as a driver would wait."""
        if self.broken:
            return StatusCode.error_connection_lost
        try:
            action()
        except ConnectionBrokenError:
            return StatusCode.error_connection_lost
        except NotTakenError:
            return StatusCode.error_timeout
        return _END


class SimulatedVisaLibrary(VisaLibraryBase):
    """What PyVISA calls; one object per twin, chosen by the library path."""

    def _init(self) -> None:
        name = str(self.library_path)
        if name not in _buses:
            raise OSError(f"no simulated microscope named '{name}' is running")
        self._bus = _buses[name]
        self._sessions: dict[int, Session] = {}
        self._handles = itertools.count(1)

    def open_default_resource_manager(self) -> tuple[Any, StatusCode]:
        """Return a handle for the resource manager."""
        return next(self._handles), StatusCode.success

    def list_resources(self, session: Any, query: str = "?*::INSTR") -> tuple[str, ...]:
        """Return the addresses that match a VISA pattern (``?*`` means anything)."""
        pattern = query.replace("?*", "*")
        return tuple(a for a in self._bus.ports if fnmatch.fnmatch(a, pattern))

    def open(
        self, session: Any, resource_name: str, *_access_and_timeout: Any
    ) -> tuple[Any, StatusCode]:
        """Open the instrument at an address."""
        address = str(rname.ResourceName.from_string(resource_name))
        port = self._bus.ports.get(address)
        if port is None:
            known = ", ".join(self._bus.ports)
            raise OSError(f"nothing answers at {address} on the twin's bus (there is: {known})")
        self._bus.on_open()
        connection = port.opened()
        if connection is None:
            raise errors.VisaIOError(StatusCode.error_resource_not_found)
        handle = VISASession(next(self._handles))
        self._sessions[handle] = Session(port, address, connection)
        self.handle_return_value(handle, StatusCode.success)
        return handle, StatusCode.success

    def close(self, session: Any) -> StatusCode:
        """Close an instrument or the resource manager."""
        self._sessions.pop(session, None)
        return StatusCode.success

    def write(self, session: Any, data: bytes) -> tuple[int, StatusCode]:
        """Send bytes; with END (the default) they complete a message."""
        known = self._session(session)
        known.unsent += data
        if known.get(ResourceAttribute.send_end_enabled):
            message, known.unsent = known.unsent, b""
            known.reply = b"" if not known.port.device.QUEUES_REPLIES else known.reply
            self._attempt(session, lambda: known.port.send(message))
        return len(data), self.handle_return_value(session, StatusCode.success)

    def read(self, session: Any, count: int) -> tuple[bytes, StatusCode]:
        """Receive at most `count` bytes of one reply; waiting in vain costs virtual time."""
        known = self._session(session)
        if known.broken:
            self.handle_return_value(session, StatusCode.error_connection_lost)
        chunk, status = known.take(count)
        if status is StatusCode.error_timeout:
            self._wait(known)
        return chunk, self.handle_return_value(session, status)

    def clear(self, session: Any) -> StatusCode:
        """Clear a device."""
        known = self._session(session)
        known.clear()
        self._attempt(session, known.port.clear)
        return StatusCode.success

    def flush(self, session: Any, mask: Any) -> StatusCode:
        """Forget what is on its way."""
        self._session(session).clear()
        return self.handle_return_value(session, StatusCode.success)

    def read_stb(self, session: Any) -> tuple[int, StatusCode]:
        """Serial poll."""
        known = self._session(session)
        return known.port.poll(), self.handle_return_value(session, StatusCode.success)

    def assert_trigger(self, session: Any, protocol: Any) -> StatusCode:
        """Send a bus trigger."""
        self._session(session).port.trigger()
        return self.handle_return_value(session, StatusCode.success)

    def get_attribute(self, session: Any, attribute: Any) -> tuple[Any, StatusCode]:
        """Return an attribute of a session."""
        return self._session(session).get(attribute), StatusCode.success

    def set_attribute(self, session: Any, attribute: Any, attribute_state: Any) -> StatusCode:
        """Set an attribute of a session."""
        self._session(session).set(attribute, attribute_state)
        return self.handle_return_value(session, StatusCode.success)

    def gpib_control_ren(self, session: Any, mode: Any) -> StatusCode:
        """Accept remote enable; the twin has no front panel."""
        return self.handle_return_value(session, StatusCode.success)

    def disable_event(self, session: Any, event_type: Any, mechanism: Any) -> StatusCode:
        """Accept: PyVISA switches all events off before it closes; the twin raises none."""
        return self.handle_return_value(session, StatusCode.success)

    def discard_events(self, session: Any, event_type: Any, mechanism: Any) -> StatusCode:
        """Accept (see :meth:`disable_event`)."""
        return self.handle_return_value(session, StatusCode.success)

    def _attempt(self, session: Any, action: Callable[[], None]) -> None:
        """Do something with a device, or raise what PyVISA would."""
        known = self._session(session)
        status = known.attempt(action)
        if status is StatusCode.error_timeout:
            self._wait(known)
        self.handle_return_value(session, status)

    def _wait(self, known: Session) -> None:
        """Let the time-out pass, which ends what the device was about to say on a byte stream."""
        if known.timeout == float("inf"):
            raise SimulationLivelockError(
                f"{known.port.device.name} has nothing to say and its driver set no time-out"
            )
        self._bus.clock.sleep(known.timeout)

    def _session(self, handle: Any) -> Session:
        try:
            return self._sessions[handle]
        except KeyError:
            raise errors.InvalidSession from None


def _backend_module() -> ModuleType:
    """Return what PyVISA imports as ``pyvisa_stmsim``."""
    module = ModuleType(f"pyvisa_{BACKEND}")
    module.WRAPPER_CLASS = SimulatedVisaLibrary  # type: ignore[attr-defined]
    return module
