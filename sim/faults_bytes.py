"""What the way does to a reply: cut, changed, without numbers."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from sim.faults import Fault
from stm_daq.protocols import nanonis as protocol

_NUMBER = re.compile(rb"[+-]?\d+\.?\d*(?:[eE][+-]?\d+)?")
_PRINTABLE = re.compile(rb"[\t\r\n -~]*")


def spoilt(reply: bytes, fault: Fault, rng: np.random.Generator) -> bytes:
    """Return what arrives of a reply; all of it if the fault is of another kind.

    Parameters
    ----------
    reply : bytes
    fault : Fault
    rng : numpy Generator
        Chooses the byte that is garbled, and into what.
    """
    match fault.kind:
        case "lost" | "late":
            return b""
        case "partial" | "dropped":
            return reply[: len(reply) // 2]
        case "garbled":
            place = int(rng.integers(len(reply)))
            other = (reply[place] + int(rng.integers(1, 256))) % 256
            return reply[:place] + bytes([other]) + reply[place + 1 :]
        case "nan":
            return without_numbers(reply)
        case _:
            return reply


def without_numbers(reply: bytes) -> bytes:
    """Return a reply with NaN in place of its numbers; binary ones of VISA stay as they are."""
    if _PRINTABLE.fullmatch(reply):
        return _NUMBER.sub(b"NAN", reply)
    name = protocol.request_name(reply) if len(reply) >= protocol.HEADER_SIZE else ""
    if name not in protocol.COMMANDS:
        return reply
    values, error = protocol.decode_reply(name, reply)
    return reply if error else protocol.encode_reply(name, tuple(map(_nan, values)))


def _nan(value: Any) -> Any:
    """Return NaN for a float, and for the floats in an array or a tuple."""
    if isinstance(value, float):
        return float("nan")
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return np.full_like(value, np.nan)
    if isinstance(value, tuple | list):
        return type(value)(map(_nan, value))
    return value
