"""Errors that a user or the sequencer must be able to tell apart.

Every message says what happened, where, and what to do; the command line prints it without a
traceback and ends with :attr:`StmDaqError.exit_code`.
"""

from __future__ import annotations


class StmDaqError(Exception):
    """Base of every error that this project raises on purpose."""

    exit_code = 1


class BadInputError(StmDaqError):
    """A file given by the user (plan, station, data) cannot be used."""

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


class CleanupError(InstrumentError):
    """One or more restore steps failed; the others were still carried out.

    Attributes
    ----------
    failures : tuple of (step, exception)
        The name of each failed step and what it raised.
    """

    def __init__(self, failures: list[tuple[str, Exception]]) -> None:
        self.failures = tuple(failures)
        steps = "; ".join(f"{step}: {error}" for step, error in failures)
        super().__init__(f"could not restore {len(failures)} item(s): {steps}")


class JournalError(StmDaqError):
    """The run journal cannot be written or read."""

    exit_code = 5


class SimulationLivelockError(StmDaqError):
    """A driver on the twin repeats the same query without end; names instrument and query."""

    exit_code = 6
