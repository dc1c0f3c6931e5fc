"""The settings of all instruments, read within a time budget, as plain JSON types."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from stm_daq.clock import Clock

if TYPE_CHECKING:
    from qcodes.instrument import Instrument, InstrumentBase
    from qcodes.parameters import ParameterBase


def take_snapshot(instruments: Sequence[Instrument], clock: Clock, budget: float) -> dict[str, Any]:
    """Read and return the settings of instruments.

    Parameters
    ----------
    instruments : sequence of qcodes.Instrument
    clock : Clock
    budget : float
        Seconds after which nothing more is read.

    Returns
    -------
    dict
        "instruments": the QCoDeS snapshot of each; "unread": why a parameter (or all those after
        it) was not read, by name. What was not read has its last known value.
    """
    from qcodes.utils import NumpyJSONEncoder

    deadline = clock.now() + budget
    unread: dict[str, str] = {}
    for instrument in instruments:
        _read(instrument, clock, deadline, unread)
    settings = {instrument.name: instrument.snapshot(update=False) for instrument in instruments}
    snapshot: dict[str, Any] = json.loads(json.dumps(settings, cls=NumpyJSONEncoder))
    return {"instruments": snapshot, "unread": unread}


def _read(instrument: Instrument, clock: Clock, deadline: float, unread: dict[str, str]) -> None:
    """Read one instrument until its first failure: another read could get the late reply."""
    for parameter in _parameters(instrument):
        if clock.now() >= deadline:
            unread[parameter.full_name] = "time budget used up; the rest was not read either"
            return
        try:
            parameter.snapshot(update=True)
        except Exception as error:  # noqa: BLE001 - a snapshot must not stop a night
            unread[parameter.full_name] = f"{error or error!r}; the rest was not read either"
            return


def _parameters(instrument: InstrumentBase) -> Iterator[ParameterBase]:
    """Yield every parameter of an instrument and its submodules, each once."""
    from qcodes.instrument import ChannelTuple

    seen: set[int] = set()
    stack: list[Any] = [instrument]
    while stack:
        place = stack.pop()
        if id(place) in seen:
            continue
        seen.add(id(place))
        if isinstance(place, ChannelTuple):
            stack.extend(place)
            continue
        yield from (p for p in place.parameters.values() if not p.snapshot_exclude)
        stack.extend(place.submodules.values())
