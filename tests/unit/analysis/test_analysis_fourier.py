"""Fourier transforms, waves, lattices and distortions of maps that are known."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from stm_daq.analysis.topographs.distortion import (
    Affine,
    affine_of_drift,
    affine_of_lattice,
    drift_of_events,
    image_shift,
    with_drift_between_looks,
    with_true_positions,
)
from stm_daq.analysis.topographs.fourier import fourier, fourier_of_energies, radial_average
from stm_daq.analysis.topographs.lattice import find_peaks, lattice_of
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.records import Event

PM = 1e-12
STEP = 1e-10


def positions(shape=(96, 128)):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return (columns + 0.5) * STEP, (rows + 0.5) * STEP


def lattice_image(
    constant, symmetry, angle, distortion=((1, 0), (0, 1)), noise=0.0, shape=(96, 128)
):
    """A lattice seen through a distortion: pixel r shows the true place `distortion @ r`, m."""
    x, y = positions(shape)
    true = np.einsum("ij,jrc->irc", distortion, np.stack([x, y]))
    turns, length = ((0, 90), 1.0) if symmetry == "square" else ((0, 60, 120), np.sqrt(3) / 2)
    z = noise * np.random.default_rng(1).standard_normal(shape)
    for turn in np.radians(np.array(turns) + angle):
        k = 2 * np.pi / (constant * length) * np.array([np.cos(turn), np.sin(turn)])
        z += 10 * PM * np.cos(np.einsum("i,irc->rc", k, true) + 0.3)
    if symmetry == "square":
        z = z + z**2 / (40 * PM)  # a real square lattice has the sum of its waves too
    return z


@pytest.mark.parametrize("window", ["hann", "none"])
def test_amplitude_of_a_wave_and_parseval(image, window) -> None:
    x, y = positions()
    kx, ky = 2 * np.pi * np.array([20 / 128, 9 / 96]) / STEP
    z = 7 * PM * np.cos(kx * x + ky * y + 1.0) + 2e-9
    spectrum = fourier(image(z), window)
    at = spectrum.sel(kx=kx, ky=ky, method="nearest")
    assert float(at.kx) == pytest.approx(kx)
    assert float(at.amplitude) == pytest.approx(7 * PM, rel=1e-3)
    other = spectrum.sel(kx=-kx, ky=-ky, method="nearest")
    assert float(other.amplitude) == pytest.approx(7 * PM, rel=1e-3)
    cell = float(np.prod([np.diff(spectrum[k])[0] for k in ("kx", "ky")]))
    integral = float(spectrum.power.sum()) * cell / (2 * np.pi) ** 2
    assert integral == pytest.approx(spectrum.attrs["mean_square"], rel=1e-12)
    assert integral == pytest.approx((7 * PM) ** 2 / 2, rel=0.02)


def test_without_window_it_is_numpys(image) -> None:
    z = 1e-10 * np.random.default_rng(2).standard_normal((40, 50))
    expected = np.fft.fftshift(np.abs(np.fft.fft2(z - z.mean()))) * 2 / z.size
    found = fourier(image(z), "none")
    assert np.allclose(found.amplitude, expected, rtol=1e-9, atol=1e-25)
    assert np.allclose(found.ky, 2 * np.pi * np.fft.fftshift(np.fft.fftfreq(40, STEP)))


def test_missing_pixels_lower_no_amplitude_and_too_many_are_refused(image) -> None:
    x, y = positions()
    kx, ky = 2 * np.pi * np.array([20 / 128, 9 / 96]) / STEP
    z = 7 * PM * np.cos(kx * x + ky * y)
    gone = np.random.default_rng(3).random(z.shape)
    found = fourier(image(np.where(gone < 0.08, np.nan, z)))
    at = found.amplitude.sel(kx=kx, ky=ky, method="nearest")
    assert float(at) == pytest.approx(7 * PM, rel=0.02)
    assert found.attrs["missing"] == pytest.approx(0.08, abs=0.01)
    with pytest.raises(CannotTellError, match="missing"):
        fourier(image(np.where(gone < 0.2, np.nan, z)))


def test_power_of_white_noise_is_flat_and_its_rings_state_their_error(image) -> None:
    z = 3 * PM * np.random.default_rng(4).standard_normal((128, 128))
    average = radial_average(fourier(image(z), "none").power)
    expected = (3 * PM) ** 2 * STEP**2
    pull = (average["mean"] - expected) / average["std"]
    assert np.abs(pull).max() < 5
    assert float(np.std(pull)) == pytest.approx(1.0, abs=0.35)
    assert float(average.k[-1]) <= np.pi / STEP * 1.001


def test_energies_are_transformed_one_by_one(image) -> None:
    """A wave whose length falls with the bias; one map is the same everywhere."""
    x, _ = positions((64, 64))
    bias = np.linspace(-5e-3, 5e-3, 11)
    waves = 2 * np.pi * (10 + np.arange(11)) / 64 / STEP
    maps = np.stack([np.cos(k * x) for k in waves], axis=-1)
    maps[..., 5] = 1.0
    maps[3, 4, 2] = np.nan
    axes = {name: (name, (np.arange(64) + 0.5) * STEP, {"units": "m"}) for name in "yx"}
    data = xr.DataArray(maps, dims=("y", "x", "bias"), coords={**axes, "bias": bias})
    found = fourier_of_energies(data)
    assert found.dims == ("bias", "ky", "kx")
    right = found.sel(ky=0.0).where(found.kx > 0, drop=True)
    used = [i for i in range(11) if i != 5]
    best = right.isel(bias=used).argmax("kx")
    assert np.allclose(right.kx[best], waves[used])
    assert np.allclose(right.isel(bias=used).max("kx"), 1.0, rtol=1e-2)
    assert found[5].isnull().all()
    single = fourier(data[..., 0].where(data[3, 4, 2].notnull() | (data[..., 2].notnull())))
    assert np.allclose(found[0], single.amplitude, atol=1e-12)
    assert radial_average(found)["mean"].dims == ("bias", "k")
    with pytest.raises(BadInputError):
        fourier_of_energies(data[0])


def test_waves_are_found_between_the_points_of_the_spectrum(image) -> None:
    x, y = positions()
    z = 2 * PM * np.random.default_rng(5).standard_normal(x.shape)
    true = (1.234e10, 0.777e10)
    z += 3 * PM * np.cos(true[0] * x + true[1] * y + 0.5)
    peaks = find_peaks(image(z))
    assert len(peaks) == 1
    peak = peaks[0]
    assert abs(peak.kx - true[0]) < 4 * peak.k_std
    assert abs(peak.ky - true[1]) < 4 * peak.k_std
    assert peak.k_std < 0.02 * 2 * np.pi / (96 * STEP)
    assert peak.amplitude == pytest.approx(3 * PM, rel=0.05)
    assert peak.wavelength == pytest.approx(2 * np.pi / np.hypot(*true), rel=1e-3)


def test_stated_error_of_a_wave_is_that_of_repeats(image) -> None:
    x, y = positions((48, 48))
    found = []
    for seed in range(40):
        z = np.cos(1.2e10 * x + 0.9e10 * y) + np.random.default_rng(seed).standard_normal(x.shape)
        found.append(find_peaks(image(z))[0])
    scatter = np.std([peak.kx for peak in found])
    assert 0.7 < scatter / np.mean([peak.k_std for peak in found]) < 1.4


def test_there_are_no_waves_in_noise_and_stripes_are_not_waves(image) -> None:
    found = 0
    for seed in range(60):
        z = np.random.default_rng(seed).standard_normal((48, 48))
        found += bool(find_peaks(image(z)))
    assert found <= 4  # 1 % is stated
    rng = np.random.default_rng(9)
    striped = rng.standard_normal((64, 64)) + 3 * rng.standard_normal(64)[:, None]
    assert not find_peaks(image(striped))
    _, y = positions((64, 64))
    (wave,) = find_peaks(image(striped + 6 * np.cos(1e10 * y)))  # the same along all rows
    assert wave.ky == pytest.approx(1e10, rel=0.01)


@pytest.mark.parametrize(("symmetry", "angle"), [("square", 20.0), ("hexagonal", 7.0)])
def test_a_lattice_and_its_distortion_are_found(image, symmetry, angle) -> None:
    distortion = np.array([[1.04, 0.03], [-0.01, 0.97]])
    z = lattice_image(0.7e-9, symmetry, angle, distortion, 2 * PM)
    lattice = lattice_of(find_peaks(image(z)), symmetry)
    affine = affine_of_lattice(lattice, 0.7e-9)
    # both make a perfect lattice, but for a turn: the metric is the same
    assert np.allclose(affine.matrix.T @ affine.matrix, distortion.T @ distortion, atol=4e-3)
    assert np.allclose(affine.matrix, affine.matrix.T)
    assert affine.magnification == pytest.approx(np.sqrt(np.linalg.det(distortion)), rel=2e-3)
    assert affine.shear == pytest.approx(np.linalg.cond(distortion) - 1, abs=4e-3)


def test_a_perfect_lattice_has_its_constant(image) -> None:
    z = lattice_image(0.6e-9, "hexagonal", 12.0, noise=5 * PM)
    lattice = lattice_of(find_peaks(image(z)), "hexagonal", near=0.58e-9)
    assert abs(lattice.constant - 0.6e-9) < 4 * lattice.constant_std
    assert lattice.angle == pytest.approx(60, abs=0.2)
    with pytest.raises(CannotTellError, match="square"):
        lattice_of(find_peaks(image(z)), "square")
    with pytest.raises(CannotTellError, match="near"):
        lattice_of(find_peaks(image(z)), "hexagonal", near=2e-9)
    with pytest.raises(CannotTellError):
        lattice_of([], "hexagonal")


def test_two_waves_alone_are_no_lattice(image) -> None:
    x, y = positions()
    z = np.cos(1.0e10 * x) + np.cos(0.98e10 * y + 1e9 * x)
    with pytest.raises(CannotTellError):
        lattice_of(find_peaks(image(z)), "square")


def textured(shift, shape=(72, 80)):
    """A smooth random surface moved by (x, y) pixels."""
    rng = np.random.default_rng(11)
    v, u = np.fft.fftfreq(128)[:, None], np.fft.fftfreq(128)
    noise = np.fft.fft2(rng.standard_normal((128, 128))) * np.exp(-(u**2 + v**2) * 200)
    moved = np.fft.ifft2(noise * np.exp(-2j * np.pi * (u * shift[0] + v * shift[1]))).real
    return moved[20 : 20 + shape[0], 20 : 20 + shape[1]] * 1e-9


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.37, -1.62), (6.2, 3.9)])
def test_shift_of_two_images(image, shift) -> None:
    """scikit-image's estimate of the same images stands beside it."""
    from skimage.registration import phase_cross_correlation

    first, second = textured((0, 0)), textured(shift)
    noise = np.random.default_rng(12).standard_normal((2, *first.shape)) * first.std() * 0.05
    first, second = first + noise[0], second + noise[1]
    found = image_shift(image(first), image(second))
    assert (found.x / STEP, found.y / STEP) == pytest.approx(shift, abs=0.08)
    theirs, *_ = phase_cross_correlation(first, second, upsample_factor=50, normalization=None)
    ours = np.array([found.y, found.x]) / STEP
    wanted = np.array(shift[::-1])
    assert np.abs(ours - wanted).max() < np.abs(-theirs - wanted).max() + 0.08


def test_images_that_are_not_alike_have_no_shift(image) -> None:
    rng = np.random.default_rng(13)
    one, other = (image(rng.standard_normal((64, 64))) for _ in range(2))
    with pytest.raises(CannotTellError, match="alike"):
        image_shift(one, other)
    with pytest.raises(BadInputError, match="positions"):
        image_shift(one, image(rng.standard_normal((64, 64)), step=2e-10))
    gone = one.where(rng.random((64, 64)) > 0.5)
    with pytest.raises(CannotTellError, match="missing"):
        image_shift(gone, one)


def test_drift_shears_an_image_and_the_affine_undoes_it(image) -> None:
    """A lattice is scanned row by row while it drifts."""
    x, y = positions()
    row_time, velocity = 2.0, (2e-12, 1.5e-12)
    affine = affine_of_drift(velocity, row_time, STEP)
    seen_at = (y / STEP) * row_time
    true_x, true_y = x - velocity[0] * seen_at, y - velocity[1] * seen_at
    found_x, found_y = affine(x, y)
    assert np.allclose(found_x, true_x, atol=1e-15)
    assert np.allclose(found_y, true_y, atol=1e-15)
    back = affine.inverse()(found_x, found_y)
    assert np.allclose(back, (x, y), atol=1e-15)
    z = np.cos(9e9 * true_x + 5e9 * true_y)
    data = with_true_positions(image(z), affine)
    assert data.true_x.shape == z.shape
    assert np.allclose(np.cos(9e9 * data.true_x + 5e9 * data.true_y), data.values)
    with pytest.raises(BadInputError, match="drifts"):
        affine_of_drift((0.0, 1e-9), 1.0, STEP)


def test_positions_between_two_looks_at_the_drift() -> None:
    """The sample drifts evenly; the run knows it at its looks only."""
    looks = [Event(100.0 * k, "drift", "", {"x": 1e-10 * k, "y": -2e-10 * k}) for k in range(5)]
    track = drift_of_events(looks)
    assert track.rate == pytest.approx((1e-12, -2e-12))
    axes = {name: (name, np.arange(4) * 1e-9, {"units": "m"}) for name in "yx"}
    time = xr.DataArray(np.arange(16.0).reshape(4, 4) * 30 - 30, dims=("y", "x"), coords=axes)
    data = with_drift_between_looks(xr.ones_like(time), time, track)
    since = time.values % 100
    x, y = np.meshgrid(np.arange(4) * 1e-9, np.arange(4) * 1e-9)
    inside = (time.values >= 0) & (time.values <= 400)
    assert np.allclose(data.true_x.values[inside], (x - 1e-12 * since)[inside], atol=1e-16)
    assert np.allclose(data.true_y.values[inside], (y + 2e-12 * since)[inside], atol=1e-16)
    assert np.isnan(data.true_x.values[~inside]).all()
    with pytest.raises(CannotTellError, match="reference"):
        drift_of_events(looks[:1])


def test_an_affine_without_a_constant_is_refused(image) -> None:
    lattice = lattice_of(find_peaks(image(lattice_image(0.6e-9, "hexagonal", 12.0))), "hexagonal")
    with pytest.raises(BadInputError, match="positive"):
        affine_of_lattice(lattice, 0.0)
    assert isinstance(affine_of_lattice(lattice, 0.6e-9), Affine)


@pytest.mark.parametrize("analysis", [fourier, find_peaks])
def test_hopeless_maps_are_refused(hopeless, analysis) -> None:
    with pytest.raises(CannotTellError):
        analysis(hopeless)


@pytest.mark.parametrize("analysis", [fourier, find_peaks])
def test_wrong_axes_are_refused(wrong, analysis) -> None:
    with pytest.raises(BadInputError):
        analysis(wrong)
