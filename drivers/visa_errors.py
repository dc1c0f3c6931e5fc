"""What VISA instruments may do wrong, told as this project's errors with the instrument's name."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import numpy as np
from pyvisa.constants import StatusCode
from pyvisa.errors import Error, InvalidSession, VisaIOError
from pyvisa.resources import MessageBasedResource

from stm_daq.errors import DeadlineError, InstrumentError
from stm_daq.records import Array

log = logging.getLogger(__name__)

CUT_SHORT = "read string doesn't end with termination characters"
"""What PyVISA warns of when a reply lacks its end."""
DEFAULT_TIMEOUT = 5000.0
"""Of a resource whose time-out cannot be read any more, ms; that of QCoDeS."""


class MessageInstrument(Protocol):
    """An opened instrument that answers messages: a QCoDeS driver or a wrapped PyMeasure one."""

    @property
    def name(self) -> str:
        """Its name in station.yaml."""
        ...

    def ask(self, cmd: str) -> str:
        """Send a question and return the reply."""
        ...

    def device_clear(self) -> None:
        """Clear the interface."""
        ...


@contextmanager
def reported(instrument: MessageInstrument, doing: str) -> Iterator[None]:
    """Turn what goes wrong on the bus inside the block into this project's errors.

    Afterwards the way to the instrument is made clean (:func:`recover`), so that a late reply does
    not answer the next question, and a connection that broke does not stay broken.

    Raises
    ------
    DeadlineError
        If the instrument did not answer in time.
    InstrumentError
        If the connection failed otherwise, or the reply is cut short or no text.
    """
    try:
        _require_open(instrument)
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=CUT_SHORT)
            yield
    except Error as error:
        recover(instrument, error)
        if not _is_timeout(error):
            raise InstrumentError(f"{instrument.name}: {doing}: {error}") from error
        raise DeadlineError(
            f"{instrument.name}: {doing}: no reply before its time-out; check that it is switched "
            "on and connected"
        ) from error
    except UserWarning as warning:
        raise InstrumentError(f"{instrument.name}: {doing}: the reply is cut short") from warning
    except UnicodeDecodeError as error:
        raise InstrumentError(f"{instrument.name}: {doing}: the reply is no text") from error


def recover(instrument: MessageInstrument, error: Error) -> None:
    """Clear an instrument after a time-out; connect anew after anything else, and on a socket.

    A socket has no bus clear: a reply that is late would be taken for the answer to the next
    question. Whatever does not work now is only logged: the next call will fail and try again.
    """
    handle = _handle(instrument)
    try:
        if _is_timeout(error) and "SOCKET" not in str(getattr(handle, "resource_name", "")):
            instrument.device_clear()
        elif handle is not None:
            _connect_anew(handle)
    except Error as second:
        log.warning("%s: cannot be cleared or connected anew: %s", instrument.name, second)


def _require_open(instrument: MessageInstrument) -> None:
    """Connect anew if an earlier attempt was refused."""
    handle = _handle(instrument)
    if handle is None:
        return
    try:
        handle.session  # noqa: B018 - raises when it is closed
    except InvalidSession:
        _connect_anew(handle)


def _is_timeout(error: Error) -> bool:
    return isinstance(error, VisaIOError) and error.error_code == StatusCode.error_timeout


def _handle(instrument: object) -> MessageBasedResource | None:
    """Return the VISA resource of a QCoDeS instrument or of a PyMeasure adapter."""
    adapter = getattr(instrument, "adapter", None)
    found = getattr(instrument, "visa_handle", None) or getattr(adapter, "connection", None)
    return found if isinstance(found, MessageBasedResource) else None


def _connect_anew(handle: MessageBasedResource) -> None:
    """Close and open a resource with the time-out and terminators that it has."""
    try:
        timeout = handle.timeout
    except Error:  # closed by an earlier attempt
        timeout = DEFAULT_TIMEOUT
    handle.close()
    handle.open()
    handle.timeout = timeout
    handle.read_termination = handle.read_termination  # the new session has to be told


def ask_number(instrument: MessageInstrument, query: str) -> float:
    """Ask for one finite number.

    Raises
    ------
    DeadlineError, InstrumentError
        See :func:`reported`; also if the reply is not a finite number.
    """
    with reported(instrument, query):
        reply = instrument.ask(query)
    try:
        value = float(reply)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InstrumentError(f"{instrument.name}: the reply to {query} is no number: {reply!r}")
    return value


def ask_numbers(instrument: MessageInstrument, query: str, count: int) -> Array:
    """Ask for `count` finite numbers with commas between them (errors as :func:`ask_number`)."""
    with reported(instrument, query):
        reply = instrument.ask(query)
    try:
        values = np.array([float(part) for part in reply.split(",")])
    except ValueError:
        values = np.array([math.nan])
    if len(values) != count or not np.all(np.isfinite(values)):
        raise InstrumentError(
            f"{instrument.name}: the reply to {query} is not {count} numbers: {reply!r}"
        )
    return values


def ask_whole(instrument: MessageInstrument, query: str) -> int:
    """Ask for one whole number (errors as :func:`ask_number`)."""
    value = ask_number(instrument, query)
    if value != int(value):
        raise InstrumentError(f"{instrument.name}: the reply to {query} is not whole: {value}")
    return int(value)
