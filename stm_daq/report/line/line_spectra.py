"""Figures of spectra along a line: the spectra, their mean, the distribution and the course of the gap.

>>> from stm_daq import open_run
>>> from stm_daq.analysis.line.line_spectra import line_of
>>> figure_line(line_of(open_run("runs/2026-03-01_nbn-line")))        # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stm_daq.analysis.line.line_fits import AverageFit, LineFits
from stm_daq.analysis.line.line_spectra import (
    AverageSpectrum,
    LineSpectra,
    default_window,
    normalise,
)
from stm_daq.analysis.space.gaussian_histogram import gaussian_histogram
from stm_daq.report.numbers import plus_minus
from stm_daq.report.style import (
    BLUE,
    DATA,
    FIT,
    GREEN,
    in_house_style,
    letter,
    new_figure,
    shade_not_measured,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from stm_daq.analysis.space.along_line import Course
    from stm_daq.analysis.space.spread import Spread

type Array = NDArray[np.float64]

MILLI, MICRO, NANO = 1e3, 1e6, 1e9
TALLEST = 40
"""So many spectra are apart by a fifth of their height; more of them are closer."""


@in_house_style
def figure_line(line: LineSpectra, window: tuple[float, float] | None = None) -> Figure:
    """Draw all spectra of a line above one another, and as an image along it.

    Each spectrum is divided by its own straight line, fitted where |V| is in `window` (V; the outer
    30 % of the sweep by default).

    Raises
    ------
    CannotTellError
        If no spectrum has such a line.
    """
    values = normalise(line, window)
    shown = np.flatnonzero(np.isfinite(values).any(axis=1))
    bias = line.bias * MILLI
    figure = new_figure(4.6)
    stack, image = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1, 1.25]})
    tops, bottoms = np.nanmax(values[shown], axis=1), np.nanmin(values[shown], axis=1)
    height = float(np.median(tops - bottoms))
    apart = 0.2 * height * min(1.0, TALLEST / len(shown))
    for row in shown:
        stack.plot(bias, values[row] + row * apart, color=DATA, linewidth=0.5, alpha=0.8)
    stack.set(
        xlabel="Bias (mV)", ylabel=f"dI/dV over its background, each {apart:.2g} higher",
        xlim=(bias[0], bias[-1]),
    )  # fmt: skip
    letter(stack, 0, f"{len(shown)} spectra")
    place, label = _places(line.distance)
    shade_not_measured(image)
    mesh = image.pcolormesh(
        place, bias, values.T, cmap="magma", shading="nearest", rasterized=True,
        vmin=float(np.nanpercentile(values, 1)), vmax=float(np.nanpercentile(values, 99)),
    )  # fmt: skip
    figure.colorbar(mesh, ax=image, label="dI/dV over its background")
    image.set(xlabel=label, ylabel="Bias (mV)")
    first, last = window or default_window(line)
    letter(
        image, 1, f"Along the line; background from {first * MILLI:.3g} to {last * MILLI:.3g} mV"
    )
    return figure


@in_house_style
def figure_line_average(average: AverageSpectrum, fit: AverageFit | None = None) -> Figure:
    """Draw the mean spectrum with its background, and normalised with its fit and the residuals."""
    figure = new_figure(4.2)
    grid = figure.add_gridspec(2, 2, height_ratios=[2.6, 1])
    _draw_mean(figure.add_subplot(grid[:, 0]), average)
    normal = figure.add_subplot(grid[0, 1])
    rest = figure.add_subplot(grid[1, 1], sharex=normal)
    bias, band = average.bias * MILLI, average.normalised_std
    _draw_band(normal, bias, average.normalised, band)
    normal.plot(
        bias, average.normalised, ".", color=DATA, markersize=2.5, label="mean / background"
    )
    letter(normal, 1, "Over its background" if fit is None else _values_of(fit))
    if fit is None:
        rest.text(0.5, 0.5, "no fit", transform=rest.transAxes, ha="center", va="center")
        rest.set_yticks(())
    else:
        normal.plot(bias, fit.curve, color=FIT, linewidth=1.1, label=f"{fit.model.upper()} fit")
        _draw_band(rest, bias, np.zeros_like(bias), 100 * band)
        difference = 100 * (average.normalised - fit.curve)
        rest.plot(bias, difference, color=DATA, linewidth=0.6, label="residual")
        rest.axhline(0, color=FIT, linewidth=0.8)
    normal.legend(loc="lower right", fontsize=6.5, handlelength=1.2)
    normal.tick_params(labelbottom=False)
    normal.set_ylabel("Normalised dI/dV")
    rest.set(xlabel="Bias (mV)", ylabel="Residual (%)")
    letter(rest, 2)
    return figure


def _draw_band(axes: Axes, bias: Array, middle: Array, std: Array) -> None:
    label, low, high = "standard error", middle - std, middle + std
    axes.fill_between(bias, low, high, color=BLUE, alpha=0.3, linewidth=0, label=label)


def _draw_mean(axes: Axes, average: AverageSpectrum) -> None:
    """Draw the mean, its background, and where that was fitted."""
    bias, background = average.bias * MILLI, average.background
    straight = background.at(average.bias) * NANO
    axes.plot(bias, average.conductance * NANO, ".", color=DATA, markersize=2.5, label="mean")
    axes.plot(bias, straight, color=GREEN, linewidth=1.2, label="background")
    for side, label in ((-1, None), (1, "fitted here")):
        low, high = sorted(side * v * MILLI for v in background.window)
        axes.axvspan(low, high, color=GREEN, alpha=0.12, linewidth=0, label=label)
    axes.set(xlabel="Bias (mV)", ylabel="Mean dI/dV (nS)", xlim=(bias[0], bias[-1]))
    axes.legend(loc="lower right")
    slope = plus_minus(background.slope * 0.1, background.slope_std * 0.1)
    letter(axes, 0, _signed(f"Mean of {average.count} spectra; {slope} % per mV"))


def _values_of(fit: AverageFit) -> str:
    gap = plus_minus(fit.gap * MILLI, fit.gap_std * MILLI)
    temperature = plus_minus(fit.temperature, fit.temperature_std)
    return f"{fit.model.upper()}: $\\Delta$ = {gap} meV, $T$ = {temperature} K"


@in_house_style
def figure_line_histogram(fits: LineFits, spread: Spread, online: Array | None = None) -> Figure:
    """Draw the histogram of the gaps with its Gaussian and the width that fit noise alone would have.

    Parameters
    ----------
    fits : LineFits
    spread : Spread
        Of ``fits.gap`` and ``fits.gap_std``.
    online : ndarray, shape (m,), optional
        Gaps of another model, eV, such as those of the fit during the run; drawn against `fits`.

    Raises
    ------
    CannotTellError
        If there are too few gaps for a histogram.
    """
    found = gaussian_histogram(fits.gap * MILLI)
    figure = new_figure(3.2)
    axes, other = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1.4, 1]})
    axes.stairs(found.counts, found.edges, fill=True, color=BLUE, alpha=0.55, label="gaps")
    at = np.linspace(found.edges[0], found.edges[-1], 600)
    axes.plot(at, found.expected(at), color=FIT, linewidth=1.3, label="Gaussian")
    noise = spread.noise * MILLI
    peak = float(found.expected(np.array([found.mean]))[0])
    alone = peak * np.exp(-0.5 * ((at - found.mean) / noise) ** 2)
    axes.plot(
        at, alone, color=DATA, linewidth=0.9, linestyle="--", label="fit noise alone\n(same height)"
    )
    axes.set(
        xlabel=r"Gap $\Delta$ (meV)", ylabel="Spectra", xlim=(at[0], at[-1]),
        ylim=(0, 1.6 * max(peak, float(found.counts.max()))),
    )  # fmt: skip
    axes.text(0.02, 0.97, _widths(found.mean, found.sigma, found.sigma_std, spread), va="top",
              transform=axes.transAxes)  # fmt: skip
    axes.legend(loc="upper right")
    letter(axes, 0, f"{fits.model.upper()} gaps")
    _draw_models(other, fits, online)
    letter(other, 1, "Against the fit during the run")
    return figure


def _widths(mean: float, sigma: float, sigma_std: float, spread: Spread) -> str:
    """Return mean, sigma and its parts, meV and ueV."""
    lines = [
        f"Gaussian mean {mean:.3f} meV",
        rf"$\sigma$ {plus_minus(sigma * MILLI, sigma_std * MILLI)} µeV",
        f"fit noise {spread.noise * MICRO:.2g} µeV",
    ]
    if spread.intrinsic > 0.0:
        own = plus_minus(spread.intrinsic * MICRO, spread.intrinsic_std * MICRO)
        lines.append(f"film {own} µeV")
    else:
        lines.append(f"film < {spread.intrinsic_limit * MICRO:.2g} µeV (95 %)")
    return "\n".join(lines)


def _draw_models(axes: Axes, fits: LineFits, online: Array | None) -> None:
    both = np.isfinite(fits.gap) & np.isfinite(online) if online is not None else np.zeros(1, bool)
    if online is None or not both.any():
        axes.text(0.5, 0.5, "no other fit", transform=axes.transAxes, ha="center", va="center")
        axes.set(xticks=(), yticks=())
        return
    x, y = fits.gap[both] * MILLI, online[both] * MILLI
    ends = [min(x.min(), y.min()), max(x.max(), y.max())]
    axes.plot(ends, ends, color=FIT, linewidth=0.9, label="equal")
    axes.plot(x, y, ".", color=DATA, markersize=3, label="spectra")
    axes.legend(loc="upper left")
    axes.set(xlabel=f"Gap, {fits.model.upper()} (meV)", ylabel="Gap, fit during the run (meV)")


@in_house_style
def figure_line_course(fits: LineFits, course: Course, truth: Array | None = None) -> Figure:
    """Draw gap and tip temperature along the line, with standard deviations and the trend of the gap.

    Parameters
    ----------
    fits : LineFits
    course : Course
        Of ``fits.gap``.
    truth : ndarray, shape (m,), optional
        True gaps of a rehearsal, eV.
    """
    place, label = _places(fits.distance)
    figure = new_figure(4.2)
    upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [1.6, 1]})
    gap = fits.gap * MILLI
    mean, sigma = float(np.nanmean(gap)), float(np.nanstd(gap, ddof=1))
    upper.axhspan(
        mean - sigma, mean + sigma, color=BLUE, alpha=0.12, linewidth=0, label=r"$\pm\sigma$"
    )
    middle = fits.distance - float(np.mean(fits.distance[fits.trusted]))
    upper.plot(place, mean + course.trend * middle * MILLI, color=FIT, linewidth=1, label="trend")
    if truth is not None:
        upper.plot(place, truth * MILLI, color=GREEN, linewidth=0.8, label="twin")
    dots = {"fmt": ".", "color": DATA, "markersize": 3, "linewidth": 0.7}
    upper.errorbar(place, gap, fits.gap_std * MILLI, label="fitted", **dots)
    upper.set(ylabel=r"Gap $\Delta$ (meV)")
    upper.legend(loc="upper right", ncols=4, fontsize=6.5)
    low, high = upper.get_ylim()
    upper.set_ylim(low, high + 0.2 * (high - low))
    letter(upper, 0, _said(course))
    lower.errorbar(place, fits.temperature, fits.temperature_std, **dots)
    lower.axhline(float(np.nanmean(fits.temperature)), color=FIT, linewidth=0.9)
    lower.set(xlabel=label, ylabel="Tip temperature (K)")
    letter(lower, 1, "Effective temperature of the tip")
    return figure


def _said(course: Course) -> str:
    slope = plus_minus(course.trend * 1e-3, course.trend_std * 1e-3)
    alike = f"neighbours: r = {course.neighbours:.2f} (p = {course.neighbours_p:.2g})"
    return _signed(f"Trend {slope} µeV/nm (p = {course.trend_p:.2g}); {alike}")


def _signed(text: str) -> str:
    """Return the text with real minus signs."""
    return text.replace("-", "\N{MINUS SIGN}")


def _places(distance: Array) -> tuple[Array, str]:
    """Return positions for an axis, and its label; numbers of spectra where places are unknown."""
    if np.isfinite(distance).all() and np.ptp(distance) > 0:
        return distance * NANO, "Along the line (nm)"
    return np.arange(1.0, len(distance) + 1), "Spectrum"
