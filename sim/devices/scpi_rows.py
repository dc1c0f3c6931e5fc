"""Rows of a command table: what an instrument understands, written like its manual."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

type Reply = str | bytes | None
type Handler = Callable[[Any, Call], Reply]
type Check = Callable[[str], str]


class ScpiError(Exception):
    """A command that the instrument refuses, with its SCPI error number."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


@dataclass(frozen=True, slots=True)
class Call:
    """One command as received."""

    numbers: tuple[int, ...] = ()
    """Numeric suffixes of the header: ``sour3:volt`` has (3,)."""
    args: tuple[str, ...] = ()
    """Arguments, without blanks around them."""
    block: bytes = b""
    """Content of an IEEE 488.2 binary block, if one was sent."""

    def number(self, index: int = 0) -> float:
        """Return one argument as a finite number."""
        try:
            value = float(self.args[index])
        except (IndexError, ValueError):
            raise ScpiError(-104, "Data type error") from None
        if not math.isfinite(value):
            raise ScpiError(-222, "Data out of range")
        return value

    def word(self, index: int = 0) -> str:
        """Return one argument as it is."""
        try:
            return self.args[index]
        except IndexError:
            raise ScpiError(-109, "Missing parameter") from None

    def whole(self, low: int, high: int, index: int = 0) -> int:
        """Return one argument as a whole number within [low, high]."""
        value = self.within(low, high, index)
        if value != int(value):
            raise ScpiError(-222, "Data out of range")
        return int(value)

    def within(self, low: float, high: float, index: int = 0) -> float:
        """Return one argument as a number within [low, high]."""
        value = self.number(index)
        if not low <= value <= high:
            raise ScpiError(-222, "Data out of range")
        return value


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a command table."""

    pattern: str
    """Capitals are the short form, ``#`` stands for a numeric suffix: ``SOURce#:VOLTage?``."""
    handler: Handler


# -- what a stored setting may be -------------------------------------------------------------


def number(low: float, high: float) -> Check:
    """Accept numbers within [low, high]."""

    def check(text: str) -> str:
        value = float(text)
        if not low <= value <= high:
            raise ScpiError(-222, "Data out of range")
        return text

    return check


def whole_number(low: int, high: int) -> Check:
    """Accept whole numbers within [low, high], however written; keep their digits."""

    def check(text: str) -> str:
        value = float(number(low, high)(text))
        if value != int(value):
            raise ScpiError(-222, "Data out of range")
        return str(int(value))

    return check


def choice(*words: str) -> Check:
    """Accept one of `words`, in short or long form (``NORMal``), and keep the short form."""
    short = {form: _forms(word)[0] for word in words for form in _forms(word)}

    def check(text: str) -> str:
        try:
            return short[text.upper()]
        except KeyError:
            raise ScpiError(-224, "Illegal parameter value") from None

    return check


def switch(text: str) -> str:
    """Accept on and off; keep 1 or 0."""
    try:
        return {"1": "1", "ON": "1", "0": "0", "OFF": "0"}[text.upper()]
    except KeyError:
        raise ScpiError(-224, "Illegal parameter value") from None


def anything(text: str) -> str:
    """Accept any text."""
    return text


def stored(pattern: str, default: str, check: Check = anything, index: int = 0) -> tuple[Row, Row]:
    """Return the rows of a setting that is only remembered: its command and its query.

    The first `index` arguments choose which one of several is meant (``INSET? 6``).
    """

    def key(call: Call) -> tuple[object, ...]:
        return (pattern, *call.numbers, *call.args[:index])

    def write(device: Any, call: Call) -> None:
        values = call.args[index:]
        if not values:
            raise ScpiError(-109, "Missing parameter")
        if len(values) > 1 and check is not anything:
            raise ScpiError(-108, "Parameter not allowed")
        try:
            device.settings[key(call)] = ",".join(check(value) for value in values)
        except ValueError:
            raise ScpiError(-104, "Data type error") from None

    def read(device: Any, call: Call) -> str:
        return str(device.settings.get(key(call), default))

    return Row(pattern, write), Row(pattern + "?", read)


# -- spelling ---------------------------------------------------------------------------------


def _forms(word: str) -> tuple[str, str]:
    """Return the short and the long form of a mnemonic such as ``VOLTage`` or ``SOURce#``."""
    return "".join(c for c in word if not c.islower()), word.upper()


def spellings(pattern: str) -> Iterable[str]:
    """Return every way to write a header, in capitals."""
    query = "?" if pattern.endswith("?") else ""
    words = (_forms(word) for word in pattern.removesuffix("?").split(":"))
    return {":".join(words) + query for words in itertools.product(*words)}
