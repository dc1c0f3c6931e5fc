"""What VISA instruments may do wrong, told as this project's errors with the instrument's name."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import numpy as np
from pyvisa.constants import StatusCode
from pyvisa.errors import Error, VisaIOError

from stm_daq.errors import DeadlineError, InstrumentError
from stm_daq.records import Array

log = logging.getLogger(__name__)


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
    """Turn VISA errors inside the block into this project's errors.

    After a time-out the instrument is cleared, so that a late reply does not answer the next
    question.

    Raises
    ------
    DeadlineError
        If the instrument did not answer in time.
    InstrumentError
        If the connection failed otherwise.
    """
    try:
        yield
    except VisaIOError as error:
        if error.error_code != StatusCode.error_timeout:
            raise InstrumentError(f"{instrument.name}: {doing}: {error}") from error
        try:
            instrument.device_clear()
        except Error as second:
            log.warning("%s: cannot be cleared after a time-out: %s", instrument.name, second)
        raise DeadlineError(
            f"{instrument.name}: {doing}: no reply before its time-out; check that it is switched "
            "on and connected"
        ) from error
    except Error as error:
        raise InstrumentError(f"{instrument.name}: {doing}: {error}") from error


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
