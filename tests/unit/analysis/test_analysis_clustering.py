"""Kinds of spectra: found when they are there, and not when they are not."""

from __future__ import annotations

import builtins

import numpy as np
import pytest
import xarray as xr
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, silhouette_score

from stm_daq.analysis.maps import clustering
from stm_daq.analysis.maps.clustering import cluster_spectra
from stm_daq.errors import BadInputError, CannotTellError

BIAS = np.linspace(-2e-3, 2e-3, 81)


def gap_spectra(gap, noise, seed=0):
    """Smooth curves with two peaks at plus and minus `gap`, shape (..., 81)."""
    gap = np.asarray(gap)[..., None]
    curve = 1 + 0.8 * sum(np.exp(-(((BIAS - side * gap) / 2e-4) ** 2)) for side in (-1, 1))
    rng = np.random.default_rng(seed)
    return 1e-9 * (curve + noise * rng.standard_normal(curve.shape))


def grid(values):
    rows, columns, _ = values.shape
    return xr.DataArray(
        values,
        dims=("y", "x", "bias"),
        coords={"y": np.arange(rows) * 1e-9, "x": np.arange(columns) * 1e-9, "bias": BIAS},
        name="conductance",
        attrs={"units": "S"},
    )


def three_kinds():
    kind = np.zeros((20, 24), int)
    kind[:6] = 1
    kind[15:, :10] = 2
    return kind, gap_spectra(np.array([0.6e-3, 0.9e-3, 1.3e-3])[kind], 0.1)


def test_known_kinds_are_found_largest_first() -> None:
    kind, values = three_kinds()
    found = cluster_spectra(grid(values))
    assert found.count == 3
    assert adjusted_rand_score(kind.ravel(), found.labels.values.ravel()) == 1.0
    assert found.sizes == tuple(sorted(np.bincount(kind.ravel()), reverse=True))
    assert found.sizes == tuple(np.bincount(found.labels.values.ravel()))
    assert found.p_value == pytest.approx(1 / 40)
    assert found.stability == 1.0
    assert np.allclose(found.mean[1], values[kind == 1].mean(axis=0), atol=1e-18)
    assert np.allclose(found.std[1], values[kind == 1].std(axis=0), atol=1e-18)
    assert float(found.std.median()) == pytest.approx(1e-10, rel=0.1)
    assert len(found.components) == 2


def test_principal_components_and_silhouettes_are_those_of_scikit_learn() -> None:
    _, values = three_kinds()
    found = cluster_spectra(grid(values))
    flat = values.reshape(-1, len(BIAS))
    theirs = PCA(5).fit(flat)
    assert np.allclose(found.explained[:5], theirs.explained_variance_ratio_, rtol=1e-6)
    assert np.allclose(
        np.abs(np.sum(found.components.values * theirs.components_[:2], axis=1)), 1.0
    )
    scores = theirs.transform(flat)[:, :2]
    labels = found.labels.values.ravel()
    assert found.silhouettes[3] == pytest.approx(silhouette_score(scores, labels), abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_noise_alone_is_one_kind(seed) -> None:
    found = cluster_spectra(grid(gap_spectra(np.full((20, 20), 0.6e-3), 0.1, seed)))
    assert found.count == 1
    assert not found.continuum
    assert found.sizes == (400,)
    assert (found.labels == 0).all()


def test_normally_distributed_amplitudes_are_one_kind_although_not_noise() -> None:
    rng = np.random.default_rng(1)
    values = gap_spectra(np.full((24, 24), 0.6e-3), 0.02)
    values *= 1 + 0.3 * rng.standard_normal((24, 24, 1))
    found = cluster_spectra(grid(values))
    assert len(found.components) >= 1
    assert found.count == 1


def test_a_gap_that_varies_smoothly_is_a_continuum_and_not_two_kinds() -> None:
    gap = np.linspace(0.5e-3, 1.1e-3, 400).reshape(20, 20)
    found = cluster_spectra(grid(gap_spectra(gap, 0.03)))
    assert found.count == 1
    assert found.continuum
    assert found.p_value < 0.05


def test_who_knows_better_gives_the_number() -> None:
    _, values = three_kinds()
    found = cluster_spectra(grid(values), count=2)
    assert found.count == 2
    with pytest.raises(CannotTellError, match="noise"):
        cluster_spectra(grid(gap_spectra(np.full((20, 20), 0.6e-3), 0.1)), count=2)


def test_spectra_with_missing_points_are_left_out_and_said_so() -> None:
    kind, values = three_kinds()
    values[3, :, 7] = np.nan
    found = cluster_spectra(grid(values))
    assert found.count == 3
    assert (found.labels[3] == -1).all()
    assert sum(found.sizes) == kind.size - 24
    values[:12, :, 7] = np.nan
    with pytest.raises(CannotTellError, match="half"):
        cluster_spectra(grid(values))


def test_what_cannot_be_sorted_is_refused() -> None:
    _, values = three_kinds()
    with pytest.raises(CannotTellError, match="same"):
        cluster_spectra(grid(np.ones_like(values)))
    with pytest.raises(CannotTellError, match="0 spectra"):
        cluster_spectra(grid(np.full_like(values, np.nan)))
    with pytest.raises(CannotTellError, match="3 spectra"):
        cluster_spectra(grid(values[:1, :3]))
    with pytest.raises(BadInputError, match="axes"):
        cluster_spectra(grid(values)[0, 0])
    with pytest.raises(BadInputError, match="count"):
        cluster_spectra(grid(values), count=400)


def test_who_lacks_scikit_learn_is_told_what_to_install(monkeypatch) -> None:
    whole = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("sklearn"):
            raise ImportError(name)
        return whole(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(BadInputError, match=r"stm-daq\[analysis\]"):
        clustering.cluster_spectra(grid(three_kinds()[1]))
