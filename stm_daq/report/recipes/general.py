"""What any run or measured file can show: surfaces, Fourier transforms, kinds of spectra, noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.maps.clustering import Clusters, cluster_spectra
from stm_daq.analysis.maps.images import PLANES
from stm_daq.analysis.stability.night import Night, night_of
from stm_daq.analysis.stability.noise import noise_of_spectra, stripes_of
from stm_daq.analysis.topographs.distortion import image_shift
from stm_daq.analysis.topographs.lattice import find_peaks
from stm_daq.analysis.topographs.roughness import height_distribution, roughness
from stm_daq.analysis.topographs.surface import level
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.report.chapter import Chapter, Finding
from stm_daq.report.general.clusters import figure_clusters
from stm_daq.report.general.curves import figure_curves
from stm_daq.report.general.fourier import figure_energies, figure_fourier, lattice_in
from stm_daq.report.general.stationarity import figure_stationarity
from stm_daq.report.general.surface import figure_profile, figure_surface, levelled
from stm_daq.report.style import NothingToShowError
from stm_daq.report.units import unit_for

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

NM = 1e9
HEIGHTS = ("topography", "z")
IMAGES = ("current", "conductance", "frequency_shift", "liy_1_omega", "gap")
"""Other maps that are transformed, if they are there."""
SPECTRA = ("conductance", "current")
SWEPT = ("bias", "z_swept", "power")


def suits(dataset: xr.Dataset) -> bool:
    """Whether this is a file of another program with something to show."""
    return "format" in dataset.attrs and bool(
        _images(dataset) or _spectra(dataset) is not None or _profile(dataset)
    )


def chapters(dataset: xr.Dataset) -> list[Chapter]:
    """Return surfaces, Fourier transforms, spectra, their kinds, and the steadiness of the night."""
    work = Work(dataset)
    return [*_of_images(work), *_of_spectra(work), *_of_night(work)]


def findings(dataset: xr.Dataset) -> list[Finding]:
    """Return roughness, lattice, shift of the retrace, stripes, kinds of spectra and noise."""
    work = Work(dataset)
    found = [finding for name in work.images for finding in _findings_of_image(work, name)]
    profile = _profile(dataset)
    if profile:
        found += _told(
            partial(_steps, dataset[profile]), f"{profile}_step", f"Steps of the {profile}", "nm"
        )
    if work.spectra is not None and work.spectra.ndim > 1:
        found += _told(work.kinds, "clusters", "Kinds of spectra")
        found += _told(work.noise, "noise", "Noise of a spectrum, point to point")
    return found


@dataclass(frozen=True)
class Work:
    """What several chapters need, done once."""

    dataset: xr.Dataset

    @cached_property
    def images(self) -> dict[str, xr.DataArray]:
        """Maps by name, the heights first."""
        return _images(self.dataset)

    @cached_property
    def spectra(self) -> xr.DataArray | None:
        """The spectra, sites first; None without any."""
        return _spectra(self.dataset)

    @cached_property
    def clusters(self) -> Clusters:
        """Kinds of spectra."""
        if self.spectra is None:
            raise CannotTellError("there are no spectra")
        return cluster_spectra(self.spectra)

    @cached_property
    def night(self) -> Night:
        """Steadiness of the run."""
        return night_of(self.dataset)

    def flat(self, name: str) -> xr.DataArray:
        """Return a map, heights levelled."""
        return levelled(self.images[name]) if name in HEIGHTS else self.images[name]

    def kinds(self) -> tuple[Finding, ...]:
        """How many kinds of spectra there are."""
        found = self.clusters
        text = (
            "they vary without a break between kinds"
            if found.continuum
            else f"p = {found.p_value:.3f} for one kind"
        )
        return (Finding("clusters", "Kinds of spectra", found.count, remark=text),)

    def noise(self) -> tuple[Finding, ...]:
        """Median noise of the spectra."""
        if self.spectra is None:
            raise CannotTellError("there are no spectra")
        noise = noise_of_spectra(self.spectra)["noise"]
        factor, unit = unit_for(noise.values, str(noise.attrs.get("units", "")))
        value = float(np.nanmedian(noise.values)) * factor
        return (Finding("noise", "Noise of a spectrum, point to point", value, unit=unit),)


def _images(dataset: xr.Dataset) -> dict[str, xr.DataArray]:
    """Return the maps to be looked at, one point along all other axes but the sweep."""
    found = {}
    for name in (*HEIGHTS, *IMAGES):
        if name not in dataset or not dataset[name].size:
            continue
        plane = next((plane for plane in PLANES if set(plane) <= set(dataset[name].dims)), None)
        if plane is None or any(dim in SWEPT for dim in dataset[name].dims):
            continue
        others = {dim: 0 for dim in dataset[name].dims if dim not in plane}
        if min(dataset.sizes[axis] for axis in plane) > 2:
            found[name] = dataset[name].isel(others).transpose(*plane)
    return found


def _spectra(dataset: xr.Dataset) -> xr.DataArray | None:
    """Return the spectra, the way there of a sweep there and back; None without any."""
    for name in (name for name in SPECTRA if name in dataset):
        swept = next((axis for axis in SWEPT if axis in dataset[name].dims), None)
        if swept is not None:
            one_way = (
                dataset[name].isel(direction=0)
                if "direction" in dataset[name].dims
                else dataset[name]
            )
            return one_way.transpose(..., swept)
    return None


def _profile(dataset: xr.Dataset) -> str:
    """Return the name of a line profile of heights; empty without any."""
    names = (
        str(name)
        for name, one in dataset.data_vars.items()
        if one.ndim == 1
        and one.attrs.get("units") == "m"
        and dataset[one.dims[0]].attrs.get("units") == "m"
    )
    return next(names, "")


def _what(name: str) -> str:
    """Return the name of a map for people."""
    return {"z": "height at the sites"}.get(name, name.replace("_", " "))


def _of_images(work: Work) -> Iterator[Chapter]:
    for name, image in work.images.items():
        what = _what(name)
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
    profile = _profile(work.dataset)
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


def _told(
    find: Callable[[], tuple[Finding, ...]], key: str, title: str, unit: str = ""
) -> tuple[Finding, ...]:
    """Return findings, or one that says why there are none."""
    try:
        return find()
    except (CannotTellError, BadInputError) as reason:
        return (Finding(key, title, math.nan, unit=unit, remark=str(reason)),)


def _findings_of_image(work: Work, name: str) -> Iterator[Finding]:
    title = _what(name)
    if name in HEIGHTS:
        yield from _told(
            partial(_roughness, work, name), f"{name}_rms", f"Roughness Sq of the {title}", "nm"
        )
    yield from _told(
        partial(_lattice, work, name), f"{name}_lattice", f"Lattice constant in the {title}", "nm"
    )
    yield from _told(
        partial(_stripes, work, name), f"{name}_stripes", f"Stripes of rows in the {title}"
    )
    if "direction" in work.dataset[name].dims:
        yield from _told(
            partial(_retrace, work, name), f"{name}_retrace", f"Shift of the retrace, {title}", "nm"
        )


def _roughness(work: Work, name: str) -> tuple[Finding, ...]:
    found = roughness(work.flat(name))
    title = f"Roughness Sq of the {_what(name)}"
    return (Finding(f"{name}_rms", title, found.rms * NM, found.rms_std * NM, "nm"),)


def _lattice(work: Work, name: str) -> tuple[Finding, ...]:
    peaks = find_peaks(work.flat(name))
    found = lattice_in(peaks)
    if found is None:
        raise CannotTellError(
            f"{len(peaks)} waves were found; no three of them belong to a square or hexagonal lattice"
        )
    title = f"Lattice constant in the {_what(name)}"
    remark = (
        f"{found.symmetry}, {found.angle:.1f} degrees between its waves, whose lengths differ by "
        f"{100 * (found.inequality - 1):.1f} %; the calibration of the scanner is not in the error"
    )
    return (
        Finding(
            f"{name}_lattice", title, found.constant * NM, found.constant_std * NM, "nm", remark
        ),
    )


def _stripes(work: Work, name: str) -> tuple[Finding, ...]:
    found = stripes_of(level(work.images[name]))
    title = f"Stripes of rows in the {_what(name)}"
    seen = "significant" if found.p_value < 0.01 else "not significant"
    remark = f"part of the variance; {seen}"
    return (
        Finding(
            f"{name}_stripes", title, found.share, remark=f"{remark} (p = {found.p_value:.2g})"
        ),
    )


def _retrace(work: Work, name: str) -> tuple[Finding, ...]:
    first, second = (level(work.dataset[name].isel(direction=way)) for way in (0, 1))
    shift = image_shift(first, second)
    title = f"Shift of the retrace, {_what(name)}"
    remark = f"x {shift.x * NM:.3f} nm, y {shift.y * NM:.3f} nm; correlation {shift.clearness:.2f}"
    return (Finding(f"{name}_retrace", title, shift.length * NM, unit="nm", remark=remark),)


def _steps(profile: xr.DataArray) -> tuple[Finding, ...]:
    found = height_distribution(profile)
    if not len(found.steps):
        raise CannotTellError("all of the profile lies on one terrace")
    pairs = zip(found.terraces[:-1], found.terraces[1:], strict=True)
    stds = [math.hypot(low.height_std, high.height_std) for low, high in pairs]
    return tuple(
        Finding(
            f"{profile.name}_step_{number}",
            f"Step {number} of the {profile.name}",
            step * NM,
            std * NM,
            "nm",
        )
        for number, (step, std) in enumerate(zip(found.steps, stds, strict=True), 1)
    )
