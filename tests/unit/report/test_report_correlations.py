"""Figures of correlations: what is written in them, and what is said when there is none."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from stm_daq.report.figures import figure_correlation_maps, figure_scatter
from stm_daq.report.style import NothingToShowError


def maps(shape=(40, 44), seed=1):
    """Return a gap that falls where an exponent is large; the patterns are a few pixels wide."""
    rng = np.random.default_rng(seed)
    kernel = np.exp(-(np.add.outer(np.fft.fftfreq(64) ** 2, np.fft.fftfreq(64) ** 2)) * 100)
    smooth = [np.fft.ifft2(np.fft.fft2(n) * kernel).real for n in rng.standard_normal((2, 64, 64))]
    one, two = (s[: shape[0], : shape[1]] / s.std() for s in smooth)
    coordinates = {"y": np.arange(shape[0]) * 5e-9, "x": np.arange(shape[1]) * 5e-9}
    gap = xr.DataArray(1.2e-3 + 7e-5 * one, coordinates, ("y", "x"), "gap")
    exponent = xr.DataArray(0.35 + 0.03 * (two - one), coordinates, ("y", "x"), "exponent")
    return gap, exponent


def texts(figure):
    return " ".join(text.get_text() for axes in figure.axes for text in axes.texts)


def test_correlation_maps_of_two_quantities_with_their_averages():
    figure = figure_correlation_maps(*maps())
    titles = [axes.get_title("left") for axes in figure.axes if axes.get_title("left")]
    assert [title.split("  ")[1] for title in titles] == [
        "Gap", "Exponent", "Gap with exponent", "Averaged over directions",
    ]  # fmt: skip
    legend = figure.axes[3].get_legend()
    written = [text.get_text() for text in legend.get_texts()]
    assert len(written) == 3
    assert "1/e at" in written[0]
    assert len(figure_correlation_maps(maps()[0]).axes) >= 2


def test_a_scatter_says_what_its_correlation_is_worth():
    gap, exponent = maps()
    figure = figure_scatter(gap, exponent)
    axes = figure.axes[0]
    assert axes.get_xlabel() == r"Gap $\Delta$ (meV)"
    assert axes.get_ylabel() == "Exponent"
    assert "1760 pixels, worth" in texts(figure)
    assert "\N{MINUS SIGN}0.6" in texts(figure)
    assert len(axes.lines) == 2
    unrelated = figure_scatter(gap, maps(seed=2)[0].rename("z"))
    assert len(unrelated.axes[0].lines) == 1


def test_maps_that_tell_nothing_are_said_to():
    gap, exponent = maps()
    with pytest.raises(NothingToShowError, match="constant"):
        figure_correlation_maps(gap * 0 + 1)
    with pytest.raises(NothingToShowError, match="constant"):
        figure_scatter(gap, exponent * 0)
