"""How the simulated controller declines a command."""

from __future__ import annotations

from typing import Any

type Values = tuple[Any, ...]
"""Return values of a command."""


class Refusal(Exception):  # noqa: N818 - an answer, not a fault of the program
    """The controller does not do what was asked; the text goes into the error block."""


def require(allowed: bool, what: str) -> None:
    """Refuse unless `allowed`."""
    if not allowed:
        raise Refusal(what)
