"""Where the commands of operators reach a run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stm_daq.errors import BadInputError
from stm_daq.monitor.orders import Confirmation, Desk
from stm_daq.sequencer.control import Control

if TYPE_CHECKING:
    from stm_daq.night.prepare import Attendant

type ChangeModel = Callable[[str], None]
"""Fits with another model from the next spectrum on; raises BadInputError."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NightDesk:
    """Carries out what operators ask of a run; see :class:`stm_daq.monitor.orders.Desk`.

    Nothing here touches an instrument: the runner looks at the switches between two sites.

    Parameters
    ----------
    control : Control
    change_model : callable, optional
        None: nothing is fitted.
    """

    control: Control
    change_model: ChangeModel | None

    def carry_out(self, who: str, command: str, argument: str) -> Confirmation:
        """Do what is asked and write it into the journal."""
        done = self._do(who, command, argument)
        text = f"{who}: {command} {argument}".rstrip() + (
            "" if done.accepted else f" ({done.text})"
        )
        data = {
            "who": who,
            "command": command,
            "argument": argument,
            "accepted": done.accepted,
        }
        self.report("command", text, data)
        return done

    def report(self, kind: str, text: str, data: Mapping[str, Any]) -> None:
        """Write an event into the journal, as soon as the run gets to it."""
        self.control.tell(kind, text, data)

    def _do(self, who: str, command: str, argument: str) -> Confirmation:
        match command:
            case "pause":
                self.control.pause(who)
                return Confirmation(True, "the run pauses before the next site")
            case "continue":
                self.control.proceed(who)
                return Confirmation(True, "the run goes on")
            case "stop":
                self.control.finish(who)
                return Confirmation(True, "the run stops after this spectrum and parks")
            case "abort":
                self.control.abort(who)
                return Confirmation(True, "the run stops at once and parks")
            case "note":
                if not argument.strip():
                    return Confirmation(False, "a note needs a text")
                self.control.note(who, argument)
                return Confirmation(True, "noted")
            case _:
                return self._model(argument)

    def _model(self, name: str) -> Confirmation:
        if self.change_model is None:
            return Confirmation(False, "this run fits nothing")
        try:
            self.change_model(name)
        except BadInputError as error:
            return Confirmation(False, str(error))
        return Confirmation(True, f"fitted with {name} from the next spectrum on")


@contextmanager
def attended(attendants: tuple[Attendant, ...], desk: Desk) -> Iterator[None]:
    """Let operators reach `desk` inside the block."""
    for attendant in attendants:
        attendant(desk)
    try:
        yield
    finally:
        for attendant in attendants:
            attendant(None)
