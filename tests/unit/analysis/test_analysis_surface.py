"""Levelling, rows, scars, roughness and terraces of surfaces that are known."""

from __future__ import annotations

import numpy as np
import pytest

from stm_daq.analysis.stability.noise import stripes_of
from stm_daq.analysis.topographs.roughness import height_distribution, roughness
from stm_daq.analysis.topographs.rows import align_rows, scars_of
from stm_daq.analysis.topographs.surface import (
    level,
    level_terraces,
    level_three_points,
    without_plane,
)
from stm_daq.errors import BadInputError, CannotTellError

PM = 1e-12
NM = 1e-9


def plane(shape=(64, 80), slope=(0.03, -0.02)):
    """A tilted plane, m, for pixels of 0.1 nm."""
    rows, columns = np.mgrid[: shape[0], : shape[1]] * 1e-10
    return slope[0] * columns + slope[1] * rows


def test_level_takes_out_exactly_a_plane_and_a_bow(image) -> None:
    rows, columns = np.mgrid[:64, :80]
    bow = plane() + 1e-14 * (rows - 20) ** 2 + 2e-14 * rows * columns
    assert np.abs(level(image(plane())).values).max() < 1e-20
    assert np.abs(level(image(bow), degree=2).values).max() < 1e-20
    assert np.abs(level(image(bow)).values).max() > 1e-12


def test_level_is_that_of_least_squares_with_and_without_missing_pixels(image) -> None:
    """scipy's least squares on the plain formula stands beside it."""
    from scipy.optimize import least_squares

    rng = np.random.default_rng(1)
    z = plane((20, 24)) + 10 * PM * rng.standard_normal((20, 24))
    z[rng.random(z.shape) < 0.3] = np.nan
    y, x = np.nonzero(np.isfinite(z))
    heights = z[y, x] / PM
    found = least_squares(lambda p: p[0] + p[1] * x + p[2] * y - heights, np.zeros(3)).x
    expected = z / PM - found[0] - found[1] * np.arange(24) - found[2] * np.arange(20)[:, None]
    shown = level(image(z)).values / PM
    assert np.allclose(shown, expected, atol=1e-4, equal_nan=True)
    assert np.array_equal(np.isnan(shown), np.isnan(z))
    easy = without_plane(z, np.arange(24.0), np.arange(20.0)) / PM
    assert np.allclose(easy, expected, atol=1e-4, equal_nan=True)


def test_robust_plane_does_not_see_adsorbates(image) -> None:
    rng = np.random.default_rng(2)
    z = plane() + 2 * PM * rng.standard_normal((64, 80))
    z[5:30, 40:70] += 2 * NM
    flat = level(image(z), robust=True).values
    rest = flat[31:]
    assert abs(rest.mean()) < 1 * PM
    assert rest.std() == pytest.approx(2 * PM, rel=0.1)
    plain = level(image(z)).values[31:]
    assert plain.std() > 50 * PM


def test_plane_through_three_points_of_a_terrace(image) -> None:
    z = plane() + np.where(np.arange(80) > 40, 0.3 * NM, 0.0)
    data = image(z)
    corners = ((0.5e-9, 0.5e-9), (3.4e-9, 0.8e-9), (1.5e-9, 6e-9))
    flat = level_three_points(data, corners, 0.3e-9).values
    assert np.abs(flat[:, :40]).max() < 2 * PM
    assert np.allclose(flat[:, 42:], 0.3 * NM, atol=3 * PM)
    with pytest.raises(BadInputError, match="line"):
        level_three_points(data, ((1e-9, 1e-9), (2e-9, 2e-9), (3e-9, 3e-9)), 1e-10)
    with pytest.raises(BadInputError, match="three"):
        level_three_points(data, corners[:2], 1e-10)
    with pytest.raises(CannotTellError, match="no pixel"):
        level_three_points(data, ((5e-8, 5e-8), *corners[1:]), 1e-10)


@pytest.mark.parametrize("steps", [(0.0, 0.3), (0.0, 0.25, 0.5, 0.75)])
def test_terraces_keep_their_steps(image, steps) -> None:
    """A plane fitted to a staircase would tilt every terrace; the common plane does not."""
    rng = np.random.default_rng(3)
    columns = np.arange(160) * len(steps) // 160
    z = plane((128, 160)) + NM * np.array(steps)[columns] + 5 * PM * rng.standard_normal((128, 160))
    flat = level_terraces(image(z))
    found = height_distribution(flat)
    assert len(found.terraces) == len(steps)
    assert np.allclose(found.steps, NM * np.diff(steps), atol=1.5 * PM)
    assert found.terraces[0].width == pytest.approx(5 * PM, rel=0.15)
    tilted = level(image(z)).values
    assert np.ptp(tilted[:, : 160 // len(steps) - 3].mean(axis=0)) > 20 * PM


@pytest.mark.parametrize("method", ["median", "difference", "line"])
def test_rows_are_aligned(image, method) -> None:
    rng = np.random.default_rng(4)
    surface = 20 * PM * np.sin(np.arange(80) / 3) + 2 * PM * rng.standard_normal((64, 80))
    offsets = 300 * PM * rng.standard_normal(64)
    z = surface + offsets[:, None]
    if method == "line":
        z += np.linspace(-1, 1, 80) * 100 * PM * rng.standard_normal(64)[:, None]
    z[3] = np.nan
    z[7, 10:] = np.nan
    aligned = align_rows(image(z), method).values
    known = np.isfinite(aligned)
    rest = aligned - surface - np.nanmedian(aligned - surface)
    assert not known[3].any()
    assert known[8:].all()
    # the sum of errors of medians of differences: 2 pm sqrt(pi) / sqrt(80) * sqrt(64)
    limit = 12 * PM if method == "difference" else 6 * PM
    assert np.abs(rest[8:]).max() < limit + 5 * PM
    assert stripes_of(image(np.where(known, z, np.nan))).striped
    assert not stripes_of(image(aligned)).striped


def test_differences_of_rows_leave_a_step_along_the_rows_alone(image) -> None:
    """Medians of rows follow a slanted step edge; medians of differences do not."""
    rows, columns = np.mgrid[:64, :80]
    step = NM * (columns > 30 + rows / 4)
    by_difference = align_rows(image(step.astype(float)), "difference").values
    by_median = align_rows(image(step.astype(float)), "median").values
    assert np.ptp(by_difference[:, :25]) < 1e-20
    assert np.ptp(by_median[:, :25]) > 0.9 * NM


def test_scars_are_found_and_nothing_else(image) -> None:
    rng = np.random.default_rng(6)
    z = 5 * PM * rng.standard_normal((64, 80))
    truth = np.zeros(z.shape, bool)
    truth[10, 5:40] = truth[30:32, 50:75] = truth[50, 20:45] = True
    z += np.where(truth, 200 * PM, 0.0)
    z[50, 20:45] -= 400 * PM
    found = scars_of(image(z))
    assert np.array_equal(found.values, truth)
    assert image(z).where(~found).isnull().sum() == truth.sum()
    assert not scars_of(image(5 * PM * rng.standard_normal((64, 80)))).any()


def test_roughness_is_that_of_its_definition_and_its_error_that_of_repeats(image) -> None:
    rng = np.random.default_rng(7)

    def surface(length):
        k2 = np.add.outer(np.fft.fftfreq(128) ** 2, np.fft.fftfreq(128) ** 2)
        noise = np.fft.fft2(rng.standard_normal((128, 128)))
        z = np.fft.ifft2(noise * np.exp(-k2 * (2 * np.pi * length) ** 2 / 2)).real
        return z[:64, :64] * 2 * np.sqrt(np.pi) * length * NM

    for length in (1.5, 4.0):
        found = [roughness(image(surface(length))) for _ in range(60)]
        values = np.array([one.rms for one in found])
        stated = np.mean([one.rms_std for one in found])
        assert values.mean() == pytest.approx(NM, rel=0.1)
        assert 0.7 < stated / values.std() < 1.4
    z = np.array([[1.0, -1.0], [-1.0, 1.0]])
    exact = roughness(image(np.tile(z, (8, 8)) * NM))
    assert (exact.mean, exact.rms, exact.peak_to_valley) == pytest.approx((NM, NM, 2 * NM))
    assert (exact.skewness, exact.kurtosis) == pytest.approx((0.0, 1.0))


def test_one_terrace_of_noise_is_one(image) -> None:
    rng = np.random.default_rng(8)
    found = height_distribution(image(NM * rng.standard_normal((64, 64))))
    assert len(found.terraces) == 1
    assert not len(found.steps)
    assert np.trapezoid(found.density, found.heights) == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize("analysis", [level_terraces, roughness, height_distribution, stripes_of])
def test_hopeless_maps_are_refused(hopeless, analysis) -> None:
    if analysis is height_distribution and hopeless.notnull().sum() > 30 and hopeless.std() > 0:
        pytest.skip("a distribution needs no map")
    with pytest.raises(CannotTellError):
        analysis(hopeless)


@pytest.mark.parametrize(
    "analysis", [level, align_rows, level_terraces, roughness, scars_of, stripes_of]
)
def test_wrong_axes_are_refused(wrong, analysis) -> None:
    with pytest.raises(BadInputError):
        analysis(wrong)


def test_what_a_plane_cannot_be_taken_from_is_refused(image) -> None:
    z = np.full((32, 32), np.nan)
    z[4] = 1.0
    with pytest.raises(CannotTellError):
        level(image(z))
    with pytest.raises(BadInputError, match="degree"):
        level(image(plane()), degree=9)
    with pytest.raises(BadInputError, match="method"):
        align_rows(image(plane()), "mean")  # type: ignore[arg-type]
