"""What any run or measured file can show: surfaces, Fourier transforms, kinds of spectra, noise."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from stm_daq.errors import CannotTellError
from stm_daq.report.chapter import Chapter
from stm_daq.report.general.clusters import figure_clusters
from stm_daq.report.general.curves import figure_curves
from stm_daq.report.general.fourier import figure_energies, figure_fourier
from stm_daq.report.general.stationarity import figure_stationarity
from stm_daq.report.general.surface import figure_profile, figure_surface
from stm_daq.report.recipes.general_findings import findings
from stm_daq.report.recipes.general_work import (
    HEIGHTS,
    Work,
    images_of,
    name_of,
    profile_of,
    spectra_of,
)
from stm_daq.report.style import NothingToShowError

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

__all__ = ["chapters", "findings", "suits"]


def suits(dataset: xr.Dataset) -> bool:
    """Whether this is a file of another program with something to show."""
    return "format" in dataset.attrs and bool(
        images_of(dataset) or spectra_of(dataset) is not None or profile_of(dataset)
    )


def chapters(dataset: xr.Dataset) -> list[Chapter]:
    """Return surfaces, Fourier transforms, spectra, their kinds, and the steadiness of the night."""
    work = Work(dataset)
    return [*_of_images(work), *_of_spectra(work), *_of_night(work)]


def _of_images(work: Work) -> Iterator[Chapter]:
    for name, image in work.images.items():
        what = name_of(name)
        if name in HEIGHTS:
            yield Chapter(
                f"Surface: {what}",
                "Left: plane subtracted. Middle: robust plane subtracted, rows aligned if they jump, "
                "scars left out. Right: distribution of heights; Sq is their standard deviation.",
                "Two maps of the height and a histogram of it.",
                partial(figure_surface, image),
            )
        yield Chapter(
            f"Fourier transform: {what}",
            "Left: map. Middle: amplitude, Hann window; circles: waves that noise gives in 1 % of "
            "maps. Right: power averaged over directions; lines: those waves.",
            "A map, its Fourier amplitude over kx and ky, and the power against k.",
            partial(_figure_fourier, work, name),
        )
    profile = profile_of(work.dataset)
    if profile:
        yield Chapter(
            "Line profile",
            "Heights along a line, and their distribution; dashed: terraces.",
            "Height against distance, and a histogram of heights.",
            partial(figure_profile, work.dataset[profile]),
        )


def _figure_fourier(work: Work, name: str) -> Figure:
    try:
        return figure_fourier(work.flat(name))
    except CannotTellError as reason:
        raise NothingToShowError(str(reason)) from None


def _of_spectra(work: Work) -> Iterator[Chapter]:
    spectra = work.spectra
    if spectra is None:
        return
    yield Chapter(
        "Spectra",
        "Left: spectra over one another. Right: all of them as an image.",
        "Curves, and the same as an image.",
        partial(figure_curves, spectra),
    )
    if spectra.ndim == 1:
        return
    yield Chapter(
        "Kinds of spectra",
        "Left: where each kind is. Middle: their means, with the standard deviation of the spectra. "
        "Right: mean silhouette by number of clusters, and the largest of 39 homogeneous sets.",
        "A map of kinds, a curve for each, and the criterion of their number.",
        partial(_figure_clusters, work),
    )
    if set(spectra.dims) == {"y", "x", "bias"} and min(spectra.shape[:2]) > 7:
        yield Chapter(
            "Fourier transforms at every energy",
            "Amplitude at some energies, and its average over all directions at every energy, "
            "divided by its median there.",
            "Fourier amplitudes at three energies, and an image of k against energy.",
            partial(figure_energies, spectra),
        )


def _figure_clusters(work: Work) -> Figure:
    try:
        return figure_clusters(work.clusters)
    except CannotTellError as reason:
        raise NothingToShowError(str(reason)) from None


def _of_night(work: Work) -> Iterator[Chapter]:
    if "time" not in work.dataset or set(work.dataset["time"].dims) != {"y", "x"}:
        return
    yield Chapter(
        "Steadiness",
        "Left: readings in time, with a running mean and levels between jumps. Right: Allan "
        "deviation; dashed: what white noise would give.",
        "Readings against time and their Allan deviations.",
        partial(_figure_stationarity, work),
    )


def _figure_stationarity(work: Work) -> Figure:
    try:
        return figure_stationarity(work.dataset, work.night)
    except CannotTellError as reason:
        raise NothingToShowError(str(reason)) from None
