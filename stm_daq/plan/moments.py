"""Moments as people write them: a time of day, a date, or a time from now."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from stm_daq.quantities import parse

_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})[ T](\d{1,2}:\d{2})")
_TIME = re.compile(r"\d{1,2}:\d{2}")


def moment(text: str, now: float) -> float:
    """Convert a written moment to a wall time.

    Parameters
    ----------
    text : str
        ``"08:00"``: when it is next so late on this computer; ``"2026-11-23 08:00"``; or
        ``"60 h"`` from now.
    now : float
        Wall time, seconds since the Unix epoch.

    Returns
    -------
    float
        Wall time.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    text = text.strip()
    try:
        if _DATE.fullmatch(text):
            return datetime.fromisoformat(text).timestamp()
        if _TIME.fullmatch(text):
            return _next(text, now)
        return now + parse(text, "s")
    except ValueError:
        raise ValueError(
            f"cannot read '{text}': write a time of day (\"08:00\"), a date "
            '("2026-11-23 08:00") or a time from the start ("60 h")'
        ) from None


def _next(time: str, now: float) -> float:
    hour, minute = (int(part) for part in time.split(":"))
    today = datetime.fromtimestamp(now).replace(hour=hour, minute=minute, second=0, microsecond=0)
    if today.timestamp() <= now:
        today += timedelta(days=1)
    return today.timestamp()
