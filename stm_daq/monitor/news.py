"""What viewers are sent of the records of a run: maps all of them, of spectra and fits the latest."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace

from stm_daq.monitor.bodies import Body
from stm_daq.monitor.messages import Message, MessageError, encode
from stm_daq.monitor.view import RunView, guard_of
from stm_daq.records import Event, Fit, Progress, RunEnded, RunStarted, SiteStarted, Spectrum

_TOLD = ("wanted", "setpoint", "fit_model", "current")
"""What viewers are told of the metadata of a run."""
_log = logging.getLogger(__name__)


def told(started: RunStarted) -> RunStarted:
    """Return what viewers are told of the beginning: texts of plan and station stay at home."""
    kept = {key: started.metadata[key] for key in _TOLD if key in started.metadata}
    return replace(started, plan_text="", station_text="", metadata=kept)


def sendable(message: Message) -> list[bytes] | None:
    """Encode a message; an event that is too long without its data. None if that is not possible."""
    try:
        return encode(message)
    except MessageError as error:
        if isinstance(message.body, Event) and message.body.data:
            return sendable(replace(message, body=replace(message.body, data={})))
        _log.warning("%s", error)
        return None


def news(view: RunView, records: Iterable[Body]) -> tuple[list[Body], int]:
    """Apply records to `view` and return what is to be sent.

    In the order in which it happened (a site that is begun ends a pause, one that was begun before does
    not); then the changes of the maps, progress, and the end.

    Returns
    -------
    bodies : list
    skipped : int
        Spectra that newer ones replaced.
    """
    happened: list[Body] = []
    latest: dict[type, int] = {}
    progress: list[Body] = []
    ended: list[Body] = []
    skipped = 0
    known = len(view.maps.changed)
    for record in records:
        view.apply(record)
        match record:
            case RunEnded():
                ended.append(record)
            case Progress():
                progress = [record]
            case RunStarted():
                known = min(known, len(view.maps.changed))
                happened.append(record)
            case SiteStarted() | Spectrum() | Fit():
                skipped += isinstance(record, Spectrum) and Spectrum in latest
                latest[type(record)] = len(happened)
                happened.append(record)
            case _:
                guard = guard_of(record) if isinstance(record, Event) else None
                happened.append(guard or record)
    bodies = [b for n, b in enumerate(happened) if latest.get(type(b), n) == n]
    bodies += view.maps.cells(view.maps.changed[known:])
    return bodies + progress + ended, skipped
