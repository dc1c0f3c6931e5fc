"""Stacks in tiles: the same numbers as in one piece, from any source."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from stm_daq.fitting import FitSettings, fit, fit_tiles
from stm_daq.fitting.crew import worker_count
from stm_daq.fitting.tiles import part
from stm_daq.physics import btk

BIAS = np.linspace(-2e-3, 2e-3, 64)


def stack(rows: int = 6, columns: int = 25) -> np.ndarray:
    rng = np.random.default_rng(5)
    count = rows * columns
    curves = btk.conductance(
        BIAS, rng.uniform(0.3e-3, 0.8e-3, count), rng.uniform(0.4, 2.0, count),
        rng.uniform(0.0, 4.0, count),
    )  # fmt: skip
    curves *= 1.0 + 0.03 * rng.standard_normal(curves.shape)
    curves[3] = np.nan
    curves[-1, ::3] = np.nan
    return curves.reshape(rows, columns, -1)


@pytest.mark.parametrize("tile", [1, 7, 64, 1024])
def test_the_numbers_do_not_depend_on_the_tile(tile):
    spectra = stack()
    assert fit_tiles(BIAS, spectra, tile=tile, processes=1).identical(fit(BIAS, spectra))


def test_an_executor_that_ends_in_any_order_and_each_its_own_temperature_and_noise():
    spectra = stack()
    rng = np.random.default_rng(6)
    temperature = rng.uniform(0.4, 2.0, spectra.shape[:2])
    noise = rng.uniform(0.02, 0.05, spectra.shape)
    told = []
    with ThreadPoolExecutor(3) as executor:
        found = fit_tiles(
            BIAS, spectra, FitSettings("btk", modulation=1e-5), tile=20, noise=noise,
            each={"temperature": temperature}, executor=executor,
            progress=lambda done, total: told.append((done, total)),
        )  # fmt: skip
    whole = fit(BIAS, spectra, fixed={"temperature": temperature}, noise=noise, modulation=1e-5)
    np.testing.assert_array_equal(found.gap, whole.gap)
    assert found.drop_attrs().identical(whole.drop_attrs())
    assert told[-1] == (150, 150)
    assert len(told) == 8


def test_only_the_rows_of_a_tile_are_read_and_names_are_kept():
    xarray = pytest.importorskip("xarray")
    spectra = stack()

    class Source:
        """Something on a disk."""

        shape, read = spectra.shape, 0

        def __getitem__(self, rows):
            self.read = max(self.read, rows.stop - rows.start)
            return spectra[rows]

    source = Source()
    found = fit_tiles(BIAS, source, tile=30, processes=1)
    assert source.read == 2
    np.testing.assert_array_equal(found["gap"], fit(BIAS, spectra)["gap"])
    named = xarray.DataArray(spectra, dims=("y", "x", "bias"), coords={"y": np.arange(6) * 2.0})
    assert fit_tiles(BIAS, named, tile=30, processes=1).identical(fit(BIAS, named))


def test_a_lazy_stack_is_not_loaded_whole():
    array = pytest.importorskip("dask.array")
    xarray = pytest.importorskip("xarray")
    spectra = stack()
    largest = []

    def load(block):
        largest.append(block.shape[0])
        return block

    lazy = array.from_array(spectra, chunks=(1, 25, 64)).map_blocks(
        load, dtype=float, meta=np.empty(0)
    )
    found = fit_tiles(BIAS, xarray.DataArray(lazy, dims=("y", "x", "bias")), tile=25, processes=1)
    np.testing.assert_array_equal(found["gap"], fit(BIAS, spectra)["gap"])
    assert set(largest) == {1}


def test_bad_stacks_are_refused():
    spectra = stack()
    for bias, values, settings, message in (
        (np.tile(BIAS, (2, 1)), spectra, {}, "share one bias"),
        (BIAS[:-1], spectra, {}, r"give \(..., 63\)"),
        (BIAS, spectra[0, 0], {}, "give"),
        (BIAS, spectra, {"tile": 0}, "at least 1"),
        (BIAS, spectra, {"processes": 0}, "at least 1"),
        (BIAS, spectra, {"each": {"temperature": np.ones(3)}}, "shape"),
        (BIAS, spectra, {"noise": np.ones((2, 64))}, "shape"),
    ):
        with pytest.raises(ValueError, match=message):
            fit_tiles(bias, values, **settings)


def test_parts_and_workers():
    values = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(part(values, 1, 5), values.reshape(6, 4)[1:5])
    assert worker_count(None, 1) == 1
    assert worker_count(5, 3) == 3
