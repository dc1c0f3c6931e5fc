"""Two runs side by side: equal ones do not differ, shifted ones do, and others are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from stm_daq.errors import BadInputError
from stm_daq.report.compare import compare, save_comparison
from stm_daq.report.compare_maps import same_sites

Night = Callable[..., xr.Dataset]
FRAME = [0.0, 0.0, 42e-9, 42e-9, 0.0]


def framed(run: xr.Dataset) -> xr.Dataset:
    return run.assign_attrs(frame=FRAME)


def test_two_worlds_of_one_kind_agree_and_a_shifted_one_does_not(
    night: Night, tmp_path: Path
) -> None:
    one, other = (framed(night(24, 24, seed=seed)) for seed in (3, 4))
    for seed, run in enumerate((one, other)):  # much larger than its correlation length
        noise = np.random.default_rng(seed).standard_normal((25, 25))
        run["barrier"].values[:] = 1.5 + 0.1 * (noise[1:, 1:] + noise[:-1, 1:] + noise[1:, :-1])
    found = compare(one, other, "none")
    sigmas = {pair.first.key: pair.sigmas for pair in found.pairs}
    assert abs(sigmas["map_barrier"]) < 3
    other["barrier"] = other["barrier"] + 2
    shifted = compare(one, other, "none")
    (barrier,) = (pair for pair in shifted.pairs if pair.first.key == "map_barrier")
    assert barrier.sigmas > 5
    assert barrier.difference == pytest.approx(2, abs=0.5)
    # neighbours are alike: the error is larger than that of so many independent sites
    values = one["barrier"].values
    assert barrier.first.std > 1.3 * np.std(values) / np.sqrt(values.size)
    text = save_comparison(shifted, tmp_path / "comparison.html").read_text()
    assert "The plans are the same." in text
    assert text.count("<img") == 3
    assert "http://" not in text.replace("http://www.w3.org", "")


def test_maps_are_subtracted_only_if_the_sites_are_the_same(night: Night) -> None:
    one, other = framed(night(4, 4)), framed(night(4, 4))
    assert same_sites(one, other)
    assert not same_sites(one, other.assign_attrs(frame=[1e-9, *FRAME[1:]]))
    assert not same_sites(one, framed(night(4, 5)))


def test_plans_that_differ_are_shown(night: Night) -> None:
    one, other = framed(night(24, 24)), framed(night(24, 24))
    other.attrs["plan_text"] += 'setpoint: {bias: "3 mV"}\n'
    assert '+setpoint: {bias: "3 mV"}' in compare(one, other, "none").plans


def test_what_cannot_be_compared_is_refused(night: Night) -> None:
    run = framed(night(3, 3))
    with pytest.raises(BadInputError, match="one sweeps bias, the other z_swept"):
        compare(run, framed(night(3, 3)).rename(bias="z_swept"), "none")
    with pytest.raises(BadInputError, match="no files of other programs"):
        compare(run, xr.Dataset(), "none")
