"""The summary printed at the end of a run."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO

import numpy as np
import xarray as xr
from rich.console import Console

from stm_daq.report.terminal import summary

Night = Callable[..., xr.Dataset]


def printed(dataset: xr.Dataset) -> str:
    """What a terminal shows."""
    file = StringIO()
    Console(file=file, width=120).print(summary(dataset))
    return file.getvalue()


def test_summary_gives_the_numbers_of_the_run(night: Night, spoiled: Night) -> None:
    dataset = spoiled(night(10, 10), failed=slice(0, 20), first_missing_row=8)
    ok = dataset["fit_ok"].values
    text = printed(dataset)
    assert "TiN demo map (2027-01-15_0800_tin): not ended" in text
    assert "80 of 100" in text
    assert "60 (75 %)" in text
    assert f"{np.median(dataset['gap'].values[ok]) * 1e3:.3f} ±" in text
    assert "within 4 stated standard deviations" in text


def test_summary_counts_doubtful_fits_and_marks_their_medians(
    night: Night, spoiled: Night, doubted: Night
) -> None:
    dataset = doubted(spoiled(night(10, 10), failed=slice(0, 20)), slice(20, 50))
    text = printed(dataset)
    assert "30 (30 %): the model is not adequate" in text
    assert "20 (20 %)" in text
    assert "indicative" not in text
    text = printed(doubted(night(4, 4), slice(None)))
    assert "(indicative median, scatter over the map)" in text
    assert "against truth" not in text


def test_summary_tells_failed_from_not_fitted(night: Night, spoiled: Night) -> None:
    dataset = spoiled(night(4, 4), failed=slice(0, 2))
    dataset["fit_ok"].values[3, 3] = False
    dataset["gap"].values[3, 3] = np.nan
    lines = {line.split("  ")[0]: line.strip() for line in printed(dataset).splitlines()}
    assert lines["failed fits"].endswith("2 (12.5 %)")
    assert lines["not fitted"].endswith("1 (6.25 %)")


def test_summary_of_nothing(night: Night, spoiled: Night) -> None:
    text = printed(spoiled(night(2, 2), failed=slice(None), first_missing_row=0))
    assert "0 of 4" in text
    assert "none" in text
    assert "gap" not in text


def test_names_are_not_markup(night: Night) -> None:
    dataset = night(2, 2)
    dataset.attrs["name"] = "map [bold]x[/bold] [/]"
    assert "map [bold]x[/bold] [/]" in printed(dataset)
