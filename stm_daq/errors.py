"""Errors that a user or the sequencer must be able to tell apart.

Every message says what happened, where, and what to do; the command line prints it without a
traceback and ends with :attr:`StmDaqError.exit_code`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class StmDaqError(Exception):
    """Base of every error that this project raises on purpose."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a file, and where it is."""

    file: str
    line: int
    """From 1; 0 if the whole file is meant."""
    column: int
    """From 1; 0 if the whole file is meant."""
    text: str

    def __str__(self) -> str:
        """Return ``file:line:column: text``, the form that editors can jump to."""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.text}"


class BadInputError(StmDaqError):
    """A file given by the user (plan, station, data) cannot be used.

    Attributes
    ----------
    problems : tuple of Problem
        Every mistake with its position, where it is known; the message has a line for each.
    """

    exit_code = 2

    def __init__(self, text: str, problems: Iterable[Problem] = ()) -> None:
        self.problems = tuple(problems)
        super().__init__(text)

    @classmethod
    def from_problems(cls, problems: Iterable[Problem]) -> BadInputError:
        """Make the error that lists `problems` in the order of the file, a line each."""
        ordered = sorted(set(problems), key=lambda p: (p.file, p.line, p.column, p.text))
        return cls("\n".join(str(problem) for problem in ordered), ordered)


class CannotTellError(StmDaqError):
    """The data do not hold the answer: too few of them, constant, or of the wrong kind.

    An analysis raises it in place of a plausible number; the text says what is missing.
    """

    exit_code = 2


class OutOfRangeError(StmDaqError):
    """A value outside the limits of the station or instrument; refused, never clipped."""

    exit_code = 3


class InstrumentError(StmDaqError):
    """An instrument reported an error, or its reply cannot be trusted."""

    exit_code = 4


class DeadlineError(InstrumentError):
    """An instrument did not do its work before the deadline."""


class FeedbackError(InstrumentError):
    """The feedback is not in the state that the next step needs (for example off before a move)."""


class LoopFoundOpenError(FeedbackError):
    """The feedback is off although this program closed it: a safe tip or a person opened it."""


class CleanupError(InstrumentError):
    """One or more restore steps failed; the others were still carried out.

    Attributes
    ----------
    failures : tuple of (step, exception)
        The name of each failed step and what it raised.
    withdrawn : bool
        Whether the tip was withdrawn because the feedback could not be closed safely. It must then
        stay where it is until somebody has looked.
    """

    def __init__(
        self,
        failures: Sequence[tuple[str, Exception]],
        withdrawn: bool = False,
        cause: BaseException | None = None,
    ) -> None:
        self.failures = tuple(failures)
        self.withdrawn = withdrawn
        steps = "; ".join(f"{step}: {error or repr(error)}" for step, error in failures)
        text = f"could not restore {len(failures)} item(s): {steps}"
        if withdrawn:
            text += "; the tip was withdrawn"
        if cause is not None:
            text += f"; this began with: {cause or repr(cause)}"
        super().__init__(text)


class JournalError(StmDaqError):
    """The run journal cannot be written or read."""

    exit_code = 5


class DiskFullError(JournalError):
    """There is no space for the next record; all earlier ones are safe."""


class StationBusyError(StmDaqError):
    """Another run uses the station."""

    exit_code = 7


class ClockStoppedError(StmDaqError):
    """The twin that somebody waits for was switched off."""


class SimulationLivelockError(StmDaqError):
    """A driver on the twin repeats the same query without end; names instrument and query."""

    exit_code = 6
