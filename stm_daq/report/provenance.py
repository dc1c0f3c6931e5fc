"""Where a report comes from: checksums, versions, and how to make it again."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from stm_daq.report.drawing import DrawnFigure
from stm_daq.report.facts import Facts
from stm_daq.report.methods import seed_of

if TYPE_CHECKING:
    import xarray as xr

_PACKAGES = ("stm-daq", "numpy", "scipy", "xarray", "matplotlib", "scikit-learn")


def checksum(content: bytes) -> str:
    """Return the SHA-256 of some bytes, as `sha256sum` prints it."""
    return hashlib.sha256(content).hexdigest()


def checksums(
    dataset: xr.Dataset, facts: Facts, figures: Sequence[DrawnFigure]
) -> list[tuple[str, str]]:
    """Return what a report is made of, with SHA-256: (name, checksum).

    The journal is that of the moment: it grows while the run goes on.
    """
    return list(_checksums(dataset, facts, figures))


def _checksums(
    dataset: xr.Dataset, facts: Facts, figures: Sequence[DrawnFigure]
) -> Iterator[tuple[str, str]]:
    for attribute in ("journal", "source"):
        path = Path(str(dataset.attrs.get(attribute) or "."))
        if path.is_file():
            with path.open("rb") as file:
                yield path.name, hashlib.file_digest(file, "sha256").hexdigest()
    for name, text in (("plan.yaml", facts.plan_text), ("station.yaml", facts.station_text)):
        if text:
            yield f"{name} (as the run keeps it)", checksum(text.encode("utf-8"))
    for figure in figures:
        if figure.csv:
            yield f"{figure.name}.csv", checksum(figure.csv.encode("utf-8"))


def versions_of_report() -> dict[str, str]:
    """Return the software that made this report, which may be newer than that of the run."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # an extra that is not installed was not used either
    return found


def commands(dataset: xr.Dataset, facts: Facts, recipe: str) -> list[tuple[str, str]]:
    """Return how to do the same again: (what, command)."""
    where = str(dataset.attrs.get("journal") or dataset.attrs.get("source") or facts.run_id)
    path = Path(where)
    run = path.parent.name if path.name == "journal.db" else path.name
    made = [("This report", f"stm-daq report {run} --recipe {recipe}")]
    if facts.rehearsed:
        seed = seed_of(dataset)
        chosen = "" if seed is None else f" --seed {seed}"
        made += [("The rehearsal, from the plan and station that the run keeps",
                  f"stm-daq rehearse plan.yaml --station station.yaml{chosen}")]  # fmt: skip
    elif facts.plan_text:
        made += [("The measurement, from the plan and station that the run keeps",
                  "stm-daq run plan.yaml --station station.yaml")]  # fmt: skip
    return made


def citation(facts: Facts, sums: Sequence[tuple[str, str]]) -> str:
    """Return how to refer to the data, so that a reader can tell whether they are the same."""
    program = facts.versions.get("stm-daq", version("stm-daq"))
    data = f", SHA-256 of {sums[0][0]} {sums[0][1]}" if sums else ""
    sample = f"{facts.sample}. " if facts.sample else ""
    done = "Read" if facts.kind == "file" else "Measured"
    return (
        f"{sample}{facts.name}, {facts.kind} {facts.run_id}{data}. {done} with stm_daq {program}."
    )
