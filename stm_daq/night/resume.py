"""Going on with a run that was stopped, killed, or cut off from its power."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stm_daq.errors import BadInputError
from stm_daq.night.measure import Unfinished
from stm_daq.night.prepare import Night, prepare_night
from stm_daq.records import RunStarted
from stm_daq.rehearsal import Rehearsal
from stm_daq.store.done import DoneSoFar, done_so_far
from stm_daq.store.reading import journal_path

MOST_LINES = 40
"""Lines of differences that are shown."""


def prepare_resume(run: Path, as_begun: bool = False) -> tuple[Night, Unfinished]:
    """Read what a run has done, and check that its plan and station are still the same.

    Parameters
    ----------
    run : Path
        The run folder or its journal.
    as_begun : bool
        Go on with the plan and the station as they were when the run began, although the files have
        changed since.

    Raises
    ------
    BadInputError
        If the run is finished; if plan or station have changed (the text shows how); or if they
        cannot be used any more.
    """
    folder = journal_path(run).parent
    done = done_so_far(folder)
    if done.ended is not None and done.ended.state == "finished":
        raise BadInputError(f"{folder} is finished: there is nothing to resume")
    files = _files(done, folder, as_begun)
    twin = "needed" if done.started.kind == "rehearsal" else "ignored"
    night = prepare_night(files["plan"], files["station"], twin)  # type: ignore[arg-type]
    return night, Unfinished(folder, done)


def rehearsal_of(started: RunStarted) -> Rehearsal:
    """Return how the twin of a rehearsal was made.

    Raises
    ------
    BadInputError
        If its sample cannot be made again.
    """
    origin: dict[str, Any] = started.metadata.get("rehearsal", {})
    if origin.get("measured"):
        raise BadInputError("a rehearsal on a measured sample cannot be resumed: rehearse it again")
    return Rehearsal(seed=origin.get("seed"), epoch=origin.get("epoch"))


def _files(done: DoneSoFar, folder: Path, as_begun: bool) -> dict[str, Path]:
    """Return the files of plan and station, which are what they were."""
    started = done.started
    texts = {"plan": started.plan_text, "station": started.station_text}
    files = {what: Path(path) for what, path in started.metadata.get("files", {}).items()}
    differences = [
        line for what, text in texts.items() for line in _changes(what, files.get(what), text)
    ]
    if not differences:
        return files
    if not as_begun:
        shown = "\n".join(differences[:MOST_LINES])
        raise BadInputError(
            f"{folder} cannot be resumed, because its files have changed since it began:\n{shown}\n"
            "undo the changes, or resume with --as-begun to use the files as they were"
        )
    for what, text in texts.items():
        files[what] = folder / f"{what}.yaml"
        files[what].write_text(text, encoding="utf-8")
    return files


def _changes(what: str, file: Path | None, text: str) -> Iterator[str]:
    """Yield the differences between a file and what it was."""
    if file is None or not file.is_file():
        yield f"{what}: {file or 'its file'} is not there any more"
        return
    now = file.read_text(encoding="utf-8").splitlines()
    yield from difflib.unified_diff(
        text.splitlines(), now, f"{what} when the run began", str(file), lineterm="", n=1
    )
