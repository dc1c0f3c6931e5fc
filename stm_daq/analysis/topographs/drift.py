"""Drift of a run, from the looks it took at its reference: where its sites truly were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.maps.images import image_of
from stm_daq.analysis.topographs.distortion import with_positions
from stm_daq.errors import CannotTellError
from stm_daq.records import Array, Event

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, slots=True)
class DriftTrack:
    """Where the sample was during a night, as the reference topographs have told."""

    time: Array
    """s since 1970, shape (n,)."""
    x: Array
    """m, since the first reference."""
    y: Array

    @property
    def rate(self) -> tuple[float, float]:
        """Mean velocity by a straight line through all, m/s."""
        slopes = [
            float(np.polyfit(self.time - self.time[0], way, 1)[0]) for way in (self.x, self.y)
        ]
        return slopes[0], slopes[1]

    def at(self, time: Array) -> tuple[Array, Array]:
        """Return where the sample was, m; NaN before the first and after the last look."""
        looks = {"left": np.nan, "right": np.nan}
        return np.interp(time, self.time, self.x, **looks), np.interp(
            time, self.time, self.y, **looks
        )


def drift_of_events(events: Sequence[Event]) -> DriftTrack:
    """Collect the drift that a run has measured.

    Parameters
    ----------
    events : sequence of Event
        Of :func:`stm_daq.store.reading.events`.

    Raises
    ------
    CannotTellError
        If there were fewer than two reference topographs.
    """
    looks = sorted((e for e in events if e.kind == "drift"), key=lambda event: event.time)
    if len(looks) < 2:
        raise CannotTellError(
            f"the run has {len(looks)} reference topographs; drift needs two (`care: drift:` in the plan)"
        )
    columns = (
        [e.time for e in looks],
        *([float(e.data[way]) for e in looks] for way in ("x", "y")),
    )
    return DriftTrack(*(np.array(column) for column in columns))


def with_drift_between_looks(
    data: xr.DataArray, time: xr.DataArray, track: DriftTrack
) -> xr.DataArray:
    """Give a map of a run the positions on the sample that its sites truly had.

    The run moves its sites by the drift known at the latest look; what the sample went on drifting
    until the site was measured is known only afterwards, from the next look.

    Parameters
    ----------
    data : xarray.DataArray
        A map of the run, over ``y``, ``x``.
    time : xarray.DataArray
        ``time`` of the run, same axes.
    track : DriftTrack
        From :func:`drift_of_events`.

    Returns
    -------
    xarray.DataArray
        With ``true_x`` and ``true_y``; NaN for sites not between two looks.
    """
    image = image_of(data, 1, 1.0, constant=True)
    when = time.transpose("y", "x").values
    looked = np.clip(np.searchsorted(track.time, when, side="right") - 1, 0, None)
    x, y = track.at(when)
    X, Y = np.meshgrid(image.x, image.y)
    # the tip went to the planned place plus the known drift; the sample had drifted to `track.at`
    return with_positions(
        data.transpose("y", "x"), X + track.x[looked] - x, Y + track.y[looked] - y
    )
