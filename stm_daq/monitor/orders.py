"""Commands on the wire: what an operator may send, and what comes back (``docs/protocol.md``)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import msgspec

from stm_daq.monitor.messages import VERSION

COMMANDS = ("pause", "continue", "stop", "abort", "note", "model")
LARGEST_ORDER = 8192
"""Bytes of a command or its confirmation."""
LONGEST_ARGUMENT = 1000
"""Characters."""
HELLO = "hello"


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What became of a command."""

    accepted: bool
    text: str
    """What the run will do, or why it was refused."""


class Desk(Protocol):
    """Carries out commands, in a run; may be called from any thread."""

    def carry_out(self, who: str, command: str, argument: str) -> Confirmation:
        """Do what is asked and write it into the journal."""
        ...

    def report(self, kind: str, text: str, data: Mapping[str, Any]) -> None:
        """Write an event into the journal."""
        ...


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A command, or "hello", which asks for a challenge."""

    v: Literal[2]
    command: str
    argument: str = ""
    challenge: str = ""
    """From the latest answer; every one is good for a single command."""
    mac: str = ""
    """Without keys: proof that the sender can read the token of the run, see :func:`signature`."""


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the control socket answers, to everything."""

    v: Literal[2]
    boot: str
    accepted: bool
    text: str
    challenge: str
    """To be sent with the next command, soon."""
    folder: str = ""
    """Folder of the run, where the token is; only to be used on the same computer."""


def signature(token: str, boot: str, order: Order) -> str:
    """Return HMAC-SHA-256 over a command, hexadecimal.

    The key is `token`, the message ``boot``, challenge, command and argument, each followed by a
    line feed.
    """
    parts = (boot, order.challenge, order.command, order.argument)
    text = "".join(part + "\n" for part in parts)
    return hmac.new(token.encode(), text.encode(), hashlib.sha256).hexdigest()


def hello() -> bytes:
    """Return the order that asks for a challenge."""
    return msgspec.json.encode(Order(VERSION, HELLO))
