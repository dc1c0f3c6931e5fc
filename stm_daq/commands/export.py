"""``stm-daq export``."""

from __future__ import annotations

from pathlib import Path

from stm_daq.errors import BadInputError
from stm_daq.store.exports import Choice, export_all, export_run

ALL = "all"


def export(
    run: Path, format_: str, out: Path | None, step: int | None, pixel: str | None, fit: str
) -> None:
    """Write a run in one format, or in all that have room for it, and say where."""
    choice = Choice(step, None if pixel is None else _pixel(pixel))
    if format_ != ALL:
        print(export_run(run, format_, out, choice, fit))
        return
    for name, result in export_all(run, out, choice, fit).items():
        print(f"{name:7} {result}" if isinstance(result, Path) else f"{name:7} not: {result}")


def _pixel(text: str) -> tuple[int, int]:
    """Read ``12,40``; one number is enough for a line or a list of points."""
    try:
        column, row = (int(part) for part in (text if "," in text else f"{text},0").split(","))
    except ValueError:
        raise BadInputError(
            f"--pixel {text}: give column,row from the lower left, from 0, such as 12,40"
        ) from None
    return column, row
