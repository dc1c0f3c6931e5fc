"""What is found in any run or measured file to be shown, and the analyses that several chapters need."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.maps.clustering import FLOOR, Clusters, cluster_spectra
from stm_daq.analysis.maps.images import PLANES
from stm_daq.analysis.stability.night import Night, night_of
from stm_daq.analysis.stability.noise import noise_of_spectra
from stm_daq.errors import CannotTellError
from stm_daq.report.chapter import Finding
from stm_daq.report.general.surface import levelled
from stm_daq.report.units import unit_for

if TYPE_CHECKING:
    import xarray as xr

HEIGHTS = ("topography", "z")
IMAGES = ("current", "conductance", "frequency_shift", "liy_1_omega", "gap")
"""Other maps that are transformed, if they are there."""
SPECTRA = ("conductance", "current")
SWEPT = ("bias", "z_swept", "power")


@dataclass(frozen=True)
class Work:
    """What several chapters need, done once."""

    dataset: xr.Dataset

    @cached_property
    def images(self) -> dict[str, xr.DataArray]:
        """Maps by name, the heights first."""
        return images_of(self.dataset)

    @cached_property
    def spectra(self) -> xr.DataArray | None:
        """The spectra, sites first; None without any."""
        return spectra_of(self.dataset)

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
        sign = "≤" if found.p_value <= FLOOR else "="  # no homogeneous set looked as clustered
        text = (
            "they vary without a break between kinds"
            if found.continuum
            else f"p {sign} {found.p_value:.3f} for one kind"
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


def images_of(dataset: xr.Dataset) -> dict[str, xr.DataArray]:
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


def spectra_of(dataset: xr.Dataset) -> xr.DataArray | None:
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


def profile_of(dataset: xr.Dataset) -> str:
    """Return the name of a line profile of heights; empty without any."""
    names = (
        str(name)
        for name, one in dataset.data_vars.items()
        if one.ndim == 1
        and one.attrs.get("units") == "m"
        and dataset[one.dims[0]].attrs.get("units") == "m"
    )
    return next(names, "")


def name_of(name: str) -> str:
    """Return the name of a map for people."""
    return {"z": "height at the sites"}.get(name, name.replace("_", " "))
