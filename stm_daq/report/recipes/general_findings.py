"""The numbers of any run or measured file: roughness, lattice, stripes, kinds of spectra, noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from stm_daq.analysis.stability.noise import stripes_of
from stm_daq.analysis.topographs.distortion import image_shift
from stm_daq.analysis.topographs.lattice import find_peaks
from stm_daq.analysis.topographs.roughness import height_distribution, roughness
from stm_daq.analysis.topographs.surface import level
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.report.chapter import Finding
from stm_daq.report.general.fourier import lattice_in
from stm_daq.report.recipes.general_work import HEIGHTS, Work, name_of, profile_of

if TYPE_CHECKING:
    import xarray as xr

NM = 1e9


def findings(dataset: xr.Dataset) -> list[Finding]:
    """Return roughness, lattice, shift of the retrace, stripes, kinds of spectra and noise."""
    work = Work(dataset)
    found = [finding for name in work.images for finding in _findings_of_image(work, name)]
    profile = profile_of(dataset)
    if profile:
        found += _told(
            partial(_steps, dataset[profile]), f"{profile}_step", f"Steps of the {profile}", "nm"
        )
    if work.spectra is not None and work.spectra.ndim > 1:
        found += _told(work.kinds, "clusters", "Kinds of spectra")
        found += _told(work.noise, "noise", "Noise of a spectrum, point to point")
    return found


def _told(
    find: Callable[[], tuple[Finding, ...]], key: str, title: str, unit: str = ""
) -> tuple[Finding, ...]:
    """Return findings, or one that says why there are none."""
    try:
        return find()
    except (CannotTellError, BadInputError) as reason:
        return (Finding(key, title, math.nan, unit=unit, remark=str(reason)),)


def _findings_of_image(work: Work, name: str) -> Iterator[Finding]:
    title = name_of(name)
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
    title = f"Roughness Sq of the {name_of(name)}"
    return (Finding(f"{name}_rms", title, found.rms * NM, found.rms_std * NM, "nm"),)


def _lattice(work: Work, name: str) -> tuple[Finding, ...]:
    peaks = find_peaks(work.flat(name))
    found = lattice_in(peaks)
    if found is None:
        raise CannotTellError(
            f"{len(peaks)} waves were found; no three of them belong to a square or hexagonal lattice"
        )
    title = f"Lattice constant in the {name_of(name)}"
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
    title = f"Stripes of rows in the {name_of(name)}"
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
    title = f"Shift of the retrace, {name_of(name)}"
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
