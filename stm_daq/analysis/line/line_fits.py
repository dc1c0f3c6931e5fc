"""Fits of the spectra of a line: of their mean, and of each of them.

Model of J. Lorenz et al. (see `line_spectra`): the density of states of Bardeen, Cooper and Schrieffer,
smeared by an effective temperature of the tip and by the lock-in's modulation. Scale, offset and a linear
background are fitted along with gap and temperature, so that their uncertainty is in that of the gap.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stm_daq.analysis.line.line_spectra import AverageSpectrum, LineSpectra
from stm_daq.errors import CannotTellError
from stm_daq.fitting import MODELS, fit, grade

type Array = NDArray[np.float64]

WEIGHTED = 20
"""With fewer spectra their scatter is too uncertain to weigh the points of the mean by."""
RESAMPLES = 100
"""Means of resampled lines that are fitted to see how certain the fit of the mean is."""
SEED = 20260212
OUTSIDE = 1.5
"""The window of the background has to begin beyond so many gaps."""


@dataclass(frozen=True, slots=True)
class AverageFit:
    """The fit of the mean spectrum of a line."""

    model: str
    gap: float
    """eV."""
    gap_std: float
    """From resampling the spectra of the line, eV: fit noise and scatter of the film together."""
    gap_fit_std: float
    """That of the fit alone, eV."""
    temperature: float
    """Effective temperature of the tip, K. The scatter of the gaps smears the mean spectrum as well:
    its temperature is higher than that of single spectra, T^2 by about 3 sigma^2/(pi k)^2."""
    temperature_std: float
    """From resampling, K."""
    slope: float
    """Of the background, 1/V."""
    slope_std: float
    """Of the fit."""
    broadening: float
    """eV; NaN where the model has none."""
    curve: Array
    """Fitted conductance over the background of the mean spectrum, shape (n,)."""
    reduced_chi_square: float
    flags: tuple[str, ...]
    """Of the fit; see :func:`stm_daq.fitting.explain`."""

    @property
    def ok(self) -> bool:
        """Whether the model describes the mean within its errors."""
        return grade(self.flags) == "good"


@dataclass(frozen=True, slots=True)
class LineFits:
    """The fits of the m spectra of a line; arrays of shape (m,), NaN where a fit is not trusted."""

    model: str
    distance: Array
    """Along the line, m."""
    gap: Array
    """eV."""
    gap_std: Array
    temperature: Array
    """K."""
    temperature_std: Array
    flags: tuple[str, ...]
    """Of every fit, joined by commas; empty for spectra that are not used too."""
    used: NDArray[np.bool_]
    """Spectra that were fitted."""

    @property
    def trusted(self) -> NDArray[np.bool_]:
        """Spectra whose gap counts."""
        found: NDArray[np.bool_] = np.isfinite(self.gap)
        return found

    @property
    def note(self) -> str:
        """How many gaps count, and why the others do not."""
        counted, used = int(self.trusted.sum()), int(self.used.sum())
        text = f"{counted} of {used} fits with {self.model} are trusted"
        why = Counter(
            flag
            for flags, out in zip(self.flags, self.used & ~self.trusted, strict=True)
            if out
            for flag in flags.split(",")
            if grade([flag]) != "good"
        )
        reasons = ", ".join(f"{count} {flag}" for flag, count in why.most_common())
        return f"{text} ({reasons})" if reasons else text


def fit_line(line: LineSpectra, model: str = "bcs") -> LineFits:
    """Fit every spectrum of a line.

    Parameters
    ----------
    line : LineSpectra
    model : str
        A key of `stm_daq.fitting.MODELS` with one gap and one temperature: "bcs", "dynes", "btk".

    Raises
    ------
    CannotTellError
        If no fit is trusted, or fewer than half: the others would be a selection.
    """
    found = fit(line.bias, line.conductance, model, free=_free(model), modulation=line.modulation)
    flags = tuple(str(text) for text in found["flags"].values)
    trusted = found["ok"].values & line.used

    def known(name: str) -> Array:
        return np.where(trusted, found[name].values, np.nan)

    fits = LineFits(
        model=model,
        distance=line.distance,
        gap=known("gap"),
        gap_std=known("gap_std"),
        temperature=known("temperature"),
        temperature_std=known("temperature_std"),
        flags=tuple(text if use else "" for text, use in zip(flags, line.used, strict=True)),
        used=line.used,
    )
    if 2 * int(trusted.sum()) < int(line.used.sum()):
        raise CannotTellError(f"{fits.note}: what is left would be a selection, not the line")
    return fits


def fit_average(line: LineSpectra, average: AverageSpectrum, model: str = "bcs") -> AverageFit:
    """Fit the mean spectrum of a line.

    Its uncertainties come from `RESAMPLES` means over blocks of neighbouring spectra, drawn with
    replacement (moving blocks of m^(1/3) spectra, H. R. Kuensch, Ann. Statist. 17, 1217 (1989)), since
    the gaps of neighbours may be alike.

    Raises
    ------
    CannotTellError
        If the mean spectrum shows no gap, or the gap reaches into the window of the background.
    """
    noise = average.std if average.count >= WEIGHTED else None
    options = {"free": _free(model), "noise": noise, "modulation": line.modulation}
    found = fit(average.bias, average.conductance, model, **options)  # type: ignore[arg-type]
    flags = tuple(text for text in str(found["flags"].values).split(",") if text)
    if grade(flags) == "failed":
        raise CannotTellError(
            f"the mean of {line.note} cannot be described by {model}: {', '.join(flags)}"
        )
    values = {name: float(found[name]) for name in _free(model)}
    _check_window(average, values["gap"])
    again = fit(average.bias, _resampled(line, average), model, **options)  # type: ignore[arg-type]
    good = np.isfinite(again["gap"].values)
    spread = {
        name: float(np.std(again[name].values[good], ddof=1)) for name in ("gap", "temperature")
    }
    return AverageFit(
        model=model,
        gap=values["gap"],
        gap_std=spread["gap"],
        gap_fit_std=float(found["gap_std"]),
        temperature=values["temperature"],
        temperature_std=spread["temperature"],
        slope=values["slope"],
        slope_std=float(found["slope_std"]),
        broadening=values.get("broadening", float("nan")),
        curve=_curve(average, model, values, line.modulation),
        reduced_chi_square=float(found["reduced_chi_square"]),
        flags=flags,
    )


def _free(model: str) -> tuple[str, ...]:
    """Parameters to fit: those that the model has free, and the slope of the background."""
    chosen = MODELS[model]
    return tuple(name for name in chosen.names if name not in chosen.fixed or name == "slope")


def _check_window(average: AverageSpectrum, gap: float) -> None:
    begins = average.background.window[0]
    if begins < OUTSIDE * gap:
        raise CannotTellError(
            f"the background is fitted from {begins * 1e3:.3g} mV on, which is within {OUTSIDE:g} gaps "
            f"of {gap * 1e3:.3g} meV: sweep further, or choose a window further out"
        )


def _resampled(line: LineSpectra, average: AverageSpectrum) -> Array:
    """Return means over blocks of neighbouring spectra drawn with replacement, (RESAMPLES, n)."""
    rng = np.random.default_rng(SEED)
    points = np.isin(line.bias, average.bias)
    rows = line.conductance[np.ix_(line.used, points)]
    count, length = len(rows), max(1, round(len(rows) ** (1 / 3)))
    starts = rng.integers(0, count - length + 1, (RESAMPLES, -(-count // length)))
    drawn = (starts[:, :, None] + np.arange(length)).reshape(RESAMPLES, -1)[:, :count]
    return np.stack([np.nanmean(rows[chosen], axis=0) for chosen in drawn])


def _curve(
    average: AverageSpectrum, model: str, values: dict[str, float], modulation: float
) -> Array:
    """Return the fitted conductance over the background."""
    shape = MODELS[model].shape
    theta = shape.coordinates([values.get(name, 0.0) for name in shape.names])
    shifted = average.bias - values["offset"]
    out = np.empty((len(theta) + 2, len(shifted)))
    shape.evaluate(np.ascontiguousarray(shifted), theta, modulation, 0.0, out)
    fitted = values["scale"] * out[0] * (1.0 + values["slope"] * shifted)
    return np.asarray(fitted / average.background.at(average.bias))
