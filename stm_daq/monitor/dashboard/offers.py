"""What a page can do beside showing: invite viewers and, an operator's, command."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from stm_daq.errors import StmDaqError

_log = logging.getLogger(__name__)


class Confirmed(Protocol):
    """What the run answered to a command."""

    @property
    def accepted(self) -> bool: ...

    @property
    def text(self) -> str: ...


type Send = Callable[[str, str], Confirmed]
"""(command, argument) -> answer of the run; blocks, and raises StmDaqError if there is none."""


@dataclass(frozen=True, slots=True)
class Offers:
    """What a page can do beside showing."""

    invite: Callable[[], str]
    """Returns an address that opens a viewer's page once."""
    send: Send | None = None
    """Operators only."""

    def carry_out(self, command: str, argument: str) -> dict[str, Any]:
        """Send a command; return what the page is told. May take a while: not on the loop."""
        assert self.send is not None
        try:
            answer = self.send(command, argument)
        except StmDaqError as error:
            accepted, text = False, str(error)
        except Exception:  # noqa: BLE001 - whoever clicked must be told, whatever went wrong
            _log.exception("the command %s was lost", command)
            accepted, text = False, "an error of the dashboard, see its log"
        else:
            accepted, text = answer.accepted, answer.text
        return {"command": command, "accepted": accepted, "text": text}
