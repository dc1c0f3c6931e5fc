"""Spectra of a map sorted into kinds: principal components and k-means."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from stm_daq.analysis.maps.images import Numbers, is_constant
from stm_daq.analysis.maps.sites import Mask
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

SPECTRA_LEAST = 20
COMPONENTS_MOST = 8
SAMPLE = 500
"""The number of clusters is chosen on so many spectra drawn at random."""
NULLS = 39
"""Homogeneous sets of spectra that the measured one is compared with: one in forty is 2.5 %."""
FLOOR = 1 / (NULLS + 1)
"""The smallest p-value that so many sets can give."""
STARTS = 4
SEEDS = 5
VALLEY = 0.5
"""Halfway between two clusters there are fewer spectra than this part of those at their middles."""
SMALLEST = 0.01
"""Smallest part of the spectra that is called a cluster."""


@dataclass(frozen=True, slots=True)
class Clusters:
    """Kinds of spectra."""

    labels: xr.DataArray
    """Number of the cluster of every site, 0 is the largest; -1 = left out (a point missing)."""
    mean: xr.DataArray
    """Mean spectrum over ``cluster`` and the swept axis."""
    std: xr.DataArray
    """Standard deviation of the spectra of a cluster, same axes."""
    sizes: tuple[int, ...]
    explained: Array
    """Part of the variance along each principal component, all of them, falling."""
    components: xr.DataArray
    """Principal components that stand out of the noise, over ``component`` and the swept axis."""
    silhouettes: dict[int, float]
    """Mean silhouette by number of clusters, on the spectra drawn."""
    homogeneous: dict[int, float]
    """Largest mean silhouette of the homogeneous sets, by number of clusters."""
    p_value: float
    """Part of homogeneous sets (the measured one counted) that look as clustered as this one."""
    stability: float
    """Mean adjusted Rand index between runs of other seeds: 1 = always the same clusters; 1 for one
    cluster."""

    @property
    def count(self) -> int:
        """Number of clusters; 1: the spectra are all of a kind, as far as can be told."""
        return len(self.sizes)

    @property
    def continuum(self) -> bool:
        """Whether the spectra are neither of one kind nor of several: they vary without a break."""
        return self.count == 1 and bool(self.silhouettes) and self.p_value <= FLOOR


def cluster_spectra(
    spectra: xr.DataArray, most: int = 6, seed: int = 0, count: int | None = None
) -> Clusters:
    """Sort spectra into kinds.

    Principal components are kept if their variance exceeds what noise of the rest can reach (V. A.
    Marchenko and L. A. Pastur, Math. USSR Sb. 1, 457 (1967)). In them k-means is run for 2 to
    `most` clusters. The spectra are of one kind unless

    * the mean silhouette (P. J. Rousseeuw, J. Comput. Appl. Math. 20, 53 (1987)) is larger than for
      each of 39 sets drawn from one normal distribution of the same covariance, clustered in the
      same way, and
    * halfway between any two clusters there are fewer than half as many spectra as at the middle of
      either: k-means cuts a continuum too, such as a gap that varies smoothly over the map.

    Of the numbers of clusters that pass, that of the largest silhouette is taken.

    Parameters
    ----------
    spectra : xarray.DataArray
        Over sites (``y``, ``x``, or others) and the swept axis, which is the last.
    most : int
        Most clusters that are tried.
    seed : int
        Of the random numbers.
    count : int, optional
        Number of clusters, if you know better than the criterion.

    Raises
    ------
    BadInputError
        If scikit-learn is not installed, or there is no axis beside the swept one.
    CannotTellError
        If fewer than 20 whole spectra are there, more than half are not whole, or all are the same.
    """
    values, whole = _whole_spectra(spectra)
    if not 1 <= (count or 1) <= len(values) // 2 or most < 2:
        raise BadInputError(
            f"count={count}, most={most}: give at least 1 and 2, and two spectra a cluster"
        )
    rng = np.random.default_rng(seed)
    explained, axes, scores = _principal(values)
    silhouettes: dict[int, float] = {}
    homogeneous: dict[int, float] = {}
    p_value, chosen = 1.0, count or 1
    if (count or 1) > 1 and not scores.shape[1]:
        raise CannotTellError("nothing stands out of the noise: there are no kinds of spectra")
    with _sklearn_alone():
        if scores.shape[1] and count is None:
            silhouettes, homogeneous, p_value = _judged(scores, most, rng)
            if p_value <= FLOOR:
                chosen = _best_separated(scores, silhouettes)
        labels, stability = _labelled(scores, chosen, rng)
    return _result(
        spectra,
        values,
        whole,
        labels,
        explained,
        axes,
        silhouettes,
        homogeneous,
        p_value,
        stability,
    )


def _whole_spectra(spectra: xr.DataArray) -> tuple[Array, Mask]:
    """Return the spectra without missing points, shape (n, points), and where they are."""
    if spectra.ndim < 2:
        raise BadInputError(
            f"'{spectra.name}' has the axes {spectra.dims}; give sites and a swept axis"
        )
    values = np.asarray(spectra.values, dtype=np.float64)
    if values.shape[-1] < 3:
        raise CannotTellError(f"the spectra have {values.shape[-1]} points; 3 are needed")
    whole = np.isfinite(values).all(axis=-1)
    number = int(whole.sum())
    if number < SPECTRA_LEAST:
        raise CannotTellError(f"{number} spectra are whole; clusters need {SPECTRA_LEAST}")
    if number < whole.size / 2:
        raise CannotTellError(f"{number} of {whole.size} spectra are whole: more than half are not")
    chosen = values[whole]
    if all(is_constant(point) for point in chosen.T):
        raise CannotTellError("all spectra are exactly the same: there is nothing to sort")
    return chosen, whole


def _principal(values: Array) -> tuple[Array, Array, Array]:
    """Return explained parts of the variance, the components above noise, and the scores in them."""
    learn = _sklearn()
    scale = float(np.abs(values).max())
    tall = values.shape[0] > values.shape[1]
    pca = learn.decomposition.PCA(svd_solver="covariance_eigh" if tall else "full")
    pca.fit(values / scale)
    count = _above_noise(np.asarray(pca.explained_variance_), len(values))
    axes = np.asarray(pca.components_[:count])
    scores = (values - values.mean(axis=0)) / scale @ axes.T
    return np.asarray(pca.explained_variance_ratio_), axes, np.asarray(scores)


def _above_noise(variance: Array, spectra: int) -> int:
    """Return how many variances lie above the Marchenko-Pastur edge of those that remain."""
    points = len(variance)
    for kept in range(min(COMPONENTS_MOST, points - 1)):
        noise = float(variance[kept:].mean())
        edge = noise * (1 + math.sqrt((points - kept) / spectra)) ** 2
        if variance[kept] <= 1.02 * edge:  # finite sets reach a little beyond
            return kept
    return min(COMPONENTS_MOST, points - 1)


def _judged(
    scores: Array, most: int, rng: np.random.Generator
) -> tuple[dict[int, float], dict[int, float], float]:
    """Return silhouettes by number of clusters, the largest of homogeneous sets, and the p-value."""
    drawn = rng.choice(len(scores), min(SAMPLE, len(scores)), replace=False)
    sample = scores[drawn]
    found = _silhouettes(sample, most)
    spread = np.linalg.cholesky(np.atleast_2d(np.cov(scores.T)))
    nulls = [_silhouettes(rng.standard_normal(sample.shape) @ spread.T, most) for _ in range(NULLS)]
    highest = {k: max(null[k] for null in nulls) for k in found}
    # every number of clusters was tried: what counts is by how much the best one stands out
    usual = {k: float(np.mean([null[k] for null in nulls])) for k in found}
    excess = max(found[k] - usual[k] for k in found)
    as_large = sum(max(null[k] - usual[k] for k in found) >= excess for null in nulls)
    return found, highest, (as_large + 1) / (NULLS + 1)


def _best_separated(scores: Array, silhouettes: dict[int, float]) -> int:
    """Return the number of clusters of the largest silhouette that are clusters, not cuts; else 1."""
    for k in sorted(silhouettes, key=lambda k: -silhouettes[k]):
        if silhouettes[k] > 0 and _separated(scores, _k_means(scores, k, 0, STARTS)):
            return k
    return 1


def _separated(scores: Array, labels: Numbers) -> bool:
    """Return whether hardly anything lies halfway between any two clusters."""
    means = np.array([scores[labels == k].mean(axis=0) for k in range(int(labels.max()) + 1)])
    for first, second in combinations(range(len(means)), 2):
        way = means[second] - means[first]
        both = (labels == first) | (labels == second)
        along = (scores[both] - means[first]) @ way / (way @ way)
        ends = [int((np.abs(along - end) < 0.1).sum()) for end in (0.0, 1.0)]
        if (np.abs(along - 0.5) < 0.1).sum() > VALLEY * min(ends):
            return False
    return True


def _silhouettes(points: Array, most: int) -> dict[int, float]:
    """Return the mean silhouette for each number of clusters; -1 where one of them is tiny."""
    found = {}
    square = np.sum(points**2, axis=1)
    distance = np.sqrt(np.maximum(square[:, None] + square - 2 * points @ points.T, 0.0))
    for k in range(2, min(most, len(points) // 4) + 1):
        labels = _k_means(points, k, 0, 2)
        counts = np.bincount(labels, minlength=k)
        tiny = counts.min() < max(2, SMALLEST * len(points))
        found[k] = -1.0 if tiny else _silhouette(distance, labels, counts)
    return found


def _silhouette(distance: Array, labels: Numbers, counts: Numbers) -> float:
    """Return the mean of (b - a) / max(a, b).

    a is the mean distance to the others of the own cluster, b that to the nearest other cluster.
    """
    member = np.eye(len(counts))[labels]
    sums = distance @ member
    rows = np.arange(len(labels))
    own = sums[rows, labels] / (counts[labels] - 1)
    means = sums / counts
    means[rows, labels] = np.inf
    other = means.min(axis=1)
    return float(np.mean((other - own) / np.maximum(np.maximum(own, other), 1e-300)))


def _labelled(scores: Array, count: int, rng: np.random.Generator) -> tuple[Numbers, float]:
    """Return the labels, the largest cluster first, and how well other seeds agree."""
    if count == 1 or not scores.shape[1]:
        return np.zeros(len(scores), dtype=np.int64), 1.0
    learn = _sklearn()
    seeds = rng.integers(0, 2**31 - 1, SEEDS)
    runs = [_k_means(scores, count, int(seed), STARTS) for seed in seeds]
    agreement = [learn.metrics.adjusted_rand_score(runs[0], run) for run in runs[1:]]
    order = np.argsort(-np.bincount(runs[0], minlength=count), kind="stable")
    return np.argsort(order)[runs[0]], float(np.mean(agreement))


def _k_means(points: Array, count: int, seed: int, starts: int) -> Numbers:
    learn = _sklearn()
    means = learn.cluster.KMeans(count, n_init=starts, random_state=seed, max_iter=100)
    return np.asarray(means.fit_predict(points))


def _result(
    spectra: xr.DataArray,
    values: Array,
    whole: Mask,
    labels: Numbers,
    explained: Array,
    axes: Array,
    silhouettes: dict[int, float],
    homogeneous: dict[int, float],
    p_value: float,
    stability: float,
) -> Clusters:
    import xarray as xr

    swept = str(spectra.dims[-1])
    sites = {name: spectra[name] for name in spectra.dims[:-1] if name in spectra.coords}
    along = {swept: spectra[swept]} if swept in spectra.coords else {}
    number = np.full(whole.shape, -1)
    number[whole] = labels
    groups = [values[labels == k] for k in range(int(labels.max()) + 1)]
    unit = {"units": spectra.attrs.get("units", "")}
    lines = ("cluster", swept)
    return Clusters(
        labels=xr.DataArray(number, dims=spectra.dims[:-1], coords=sites, name="cluster"),
        mean=xr.DataArray([g.mean(axis=0) for g in groups], dims=lines, coords=along, attrs=unit),
        std=xr.DataArray([g.std(axis=0) for g in groups], dims=lines, coords=along, attrs=unit),
        sizes=tuple(len(group) for group in groups),
        explained=explained,
        components=xr.DataArray(axes, dims=("component", swept), coords=along),
        silhouettes=silhouettes,
        homogeneous=homogeneous,
        p_value=p_value,
        stability=stability,
    )


def _sklearn() -> Any:
    """Import what is used of scikit-learn, an extra of this package."""
    try:
        import sklearn.cluster
        import sklearn.decomposition
        import sklearn.metrics
    except ImportError:
        raise BadInputError(
            "clustering needs scikit-learn, which is not installed: pip install 'stm-daq[analysis]'"
        ) from None
    return sklearn


def _sklearn_alone() -> Any:
    """Let scikit-learn use one thread: for sets this small several wait for one another."""
    _sklearn()
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)
