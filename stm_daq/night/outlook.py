"""Whether a night can end as it should: before its deadline, on the helium, on the disk."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from stm_daq.errors import BadInputError, OutOfRangeError, Problem
from stm_daq.night.prepare import Night
from stm_daq.plan import moment, problem
from stm_daq.quantities import show, show_moment

ENOUGH_DISK = 2.0
"""Free space over space needed below which a warning is due: other programs write as well."""
ENOUGH_TIME = 0.05
"""Part of the duration that should be left before the end of the helium or the deadline."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """How a night would go that begins at a certain time."""

    begins: float
    """Wall time, s."""
    ends: float
    """Expected end, wall time."""
    latest: float
    """End if everything takes as long as the plan allows."""
    deadline: float | None
    """``finish_before`` of the plan, wall time."""
    helium: float | None
    """Until when the helium lasts, wall time."""
    free: float
    """Space on the disk of the runs, bytes."""
    refusals: tuple[Problem, ...]
    """Why the night must not begin."""
    warnings: tuple[Problem, ...]

    def require(self) -> None:
        """Refuse a night that cannot end as it should.

        Raises
        ------
        OutOfRangeError
            A line for every reason.
        """
        if self.refusals:
            raise OutOfRangeError("\n".join(str(refusal) for refusal in self.refusals))


def outlook(night: Night, runs: Path, begins: float, helium_until: str | None) -> Outlook:
    """Compare duration and size of a night with deadline, helium and disk.

    Parameters
    ----------
    night : Night
    runs : Path
        Folder of the runs; need not exist yet.
    begins : float
        Wall time.
    helium_until : str, optional
        A moment, such as "2026-11-23 08:00"; see :func:`stm_daq.plan.moment`.

    Raises
    ------
    BadInputError
        If `helium_until` cannot be read.
    """
    plan, estimate = night.plan, night.estimate
    deadline = moment(plan.finish_before, begins) if plan.finish_before else None
    helium = written_moment("--helium-until", helium_until, begins)
    free = float(shutil.disk_usage(_existing(runs)).free)
    refusals: list[Problem] = []
    warnings: list[Problem] = []
    for what, until in (("the deadline", deadline), ("the helium lasts", helium)):
        if until is None:
            continue
        hard, text = _lateness(night, begins, until, what)
        place = _place(night, text, what == "the deadline")
        if text:
            (refusals if hard else warnings).append(place)
    needed = estimate.disk_bytes
    if free < ENOUGH_DISK * needed:
        text = f"the run needs {show(needed, 'B')}; {show(free, 'B')} are free in {runs}"
        entry = Problem(str(plan.path), 0, 0, text)
        (refusals if free < needed else warnings).append(entry)
    return Outlook(
        begins=begins,
        ends=begins + estimate.total,
        latest=begins + estimate.longest,
        deadline=deadline,
        helium=helium,
        free=free,
        refusals=tuple(refusals),
        warnings=tuple(warnings),
    )


def written_moment(option: str, text: str | None, now: float) -> float | None:
    """Read a moment of the command line; None without one.

    Raises
    ------
    BadInputError
        If it cannot be read.
    """
    if text is None:
        return None
    try:
        return moment(text, now)
    except ValueError as error:
        raise BadInputError(f"{option}: {error}") from None


def _lateness(night: Night, begins: float, until: float, what: str) -> tuple[bool, str]:
    """Return whether a night cannot end in time, and what there is to say about it."""
    estimate = night.estimate
    limit = what if what.startswith("the deadline") else f"{what} until"
    end, shown = begins + estimate.total, f"({limit} {show_moment(until)})"
    if end > until:
        return (
            True,
            f"cannot finish before {show_moment(end)} {shown}: measure less, or start earlier",
        )
    if end + ENOUGH_TIME * estimate.total > until:
        return False, f"ends {show_moment(end)}, hardly in time {shown}"
    if begins + estimate.longest > until:
        latest = show_moment(begins + estimate.longest)
        return False, f"may last until {latest}, with all that the plan allows {shown}"
    return False, ""


def _place(night: Night, text: str, in_plan: bool) -> Problem:
    if in_plan:
        return problem(night.plan, ("finish_before",), text)
    return Problem(str(night.plan.path), 0, 0, text)


def _existing(folder: Path) -> Path:
    """Return the nearest folder on the way up that exists."""
    whole = folder.absolute()
    return next(place for place in (whole, *whole.parents) if place.exists())
