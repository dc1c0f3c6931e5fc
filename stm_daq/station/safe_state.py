"""Bringing things back: independent steps, all tried, failures collected."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

type Step = tuple[str, Callable[[], object]]
"""What it does ("close the feedback loop"), and how."""
type Failure = tuple[str, Exception]
"""Which step failed, and with what."""

log = logging.getLogger(__name__)


def restore(steps: Sequence[Step]) -> list[Failure]:
    """Carry out every step, whatever the others do.

    Returns
    -------
    list of (step, exception)
        The steps that failed; empty if all is well.
    """
    failures: list[Failure] = []
    for name, action in steps:
        try:
            action()
        except Exception as error:
            log.exception("could not %s", name)
            failures.append((name, error))
    return failures
