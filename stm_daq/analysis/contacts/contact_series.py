"""Everything that a contact series says, worked out once and only when it is asked for."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.contacts.collective_gap import (
    Closing,
    CollectiveGap,
    channel_fits,
    closing,
    collective_gap,
    pair_peaks,
)
from stm_daq.analysis.contacts.contact import contact_spectra
from stm_daq.analysis.contacts.contact_barrier import BarrierFall, barrier_fall, barriers
from stm_daq.analysis.contacts.place_variation import PlaceVariation, place_variation
from stm_daq.analysis.contacts.single_gap import single_gap
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr


class ContactSeries:
    """The analyses of one run; each raises `CannotTellError` where the run does not tell.

    Parameters
    ----------
    dataset : xarray.Dataset
        From :func:`stm_daq.open_run`.
    critical_temperature : float, optional
        Of the film as its resistance tells, K; drawn beside what the spectra tell.
    """

    def __init__(self, dataset: xr.Dataset, critical_temperature: float | None = None) -> None:
        self.dataset = dataset
        self.critical_temperature = critical_temperature

    @cached_property
    def spectra(self) -> xr.Dataset:
        """Normalised spectra and the conductance of every contact."""
        return contact_spectra(self.dataset)

    @cached_property
    def single(self) -> xr.Dataset:
        """The gap of single electrons."""
        return single_gap(self.spectra)

    @cached_property
    def peaks(self) -> xr.Dataset:
        """Peaks of pairs inside it."""
        return pair_peaks(self.spectra, self.single)

    @cached_property
    def fits(self) -> xr.Dataset:
        """Fits of two channels."""
        return channel_fits(self.spectra, self.single, self.peaks)

    @cached_property
    def collective(self) -> CollectiveGap:
        """The collective gap at the lowest temperature, and its slope against conductance."""
        return collective_gap(self.spectra, self.peaks, self.fits)

    @cached_property
    def closing(self) -> Closing:
        """How the collective gap closes with temperature."""
        return closing(self.spectra, self.fits)

    @cached_property
    def variation(self) -> PlaceVariation:
        """Both gaps from place to place."""
        return place_variation(self.single, self.fits)

    @cached_property
    def barriers(self) -> xr.Dataset:
        """The barrier of every contact."""
        return barriers(self.spectra)

    @cached_property
    def fall(self) -> BarrierFall:
        """How the barrier falls as the contact closes."""
        return barrier_fall(self.spectra, self.barriers)

    @property
    def coldest(self) -> int:
        """The step of temperature that is lowest."""
        return int(np.nanargmin(self.temperatures))

    @cached_property
    def temperatures(self) -> Array:
        """Mean temperature of the stage at every step, K."""
        means = self.spectra["temperature"].mean(("set_current", "place"))
        return np.asarray(means.values)
