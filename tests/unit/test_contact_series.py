"""Contact series: gaps, closing, places and barriers of synthetic runs, and what must be refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr

from stm_daq.analysis.contacts.contact import contact_spectra
from stm_daq.analysis.contacts.contact_series import ContactSeries
from stm_daq.analysis.contacts.single_gap import combined
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.physics import bcs, btk, two_channel
from stm_daq.physics.btk import K_B
from stm_daq.report.contacts import contact_gaps
from stm_daq.report.contacts import contact_spectra as figures
from stm_daq.report.recipes import recipe
from stm_daq.report.style import NothingToShowError

QUANTUM = 7.748091729e-5
CLOSED = 3.1e-4
MODULATION = 20e-6
BIAS = np.concatenate(
    [
        np.linspace(4e-3, 1.2e-3, 41),
        np.arange(119, -120, -1) * 1e-5,
        np.linspace(-1.2e-3, -4e-3, 41),
    ]
)
SINGLE = np.array([0.45e-3, 0.6e-3, 0.8e-3])
CURRENTS = np.array([3e-9, 1e-7, 3e-7, 1e-6])
PLAN = 'report: {recipe: contact, critical_temperature: "1.2 K"}\n'


def pairs(gap=0.15e-3, tc=1.2, slope=0.0):
    """Return a film with preformed pairs; `slope` of its collective gap in eV per 2e^2/h."""

    def spectrum(kelvin, siemens, place):
        share = siemens / CLOSED
        collective = float(bcs.gap(kelvin, gap, tc)) + slope * siemens / QUANTUM
        return two_channel.conductance(
            BIAS, SINGLE[place], collective, kelvin, math.inf, math.sqrt(1 / share - 1),
            1 - share, 10e-6, MODULATION,
        )  # fmt: skip

    return spectrum


def tunnelling(kelvin, siemens, place):
    """A film of which only single electrons are seen."""
    return btk.conductance(BIAS, SINGLE[place], kelvin, math.inf, 10e-6, MODULATION)


def conventional(kelvin, siemens, place):
    """A film with one gap, and a barrier that falls as the contact closes."""
    barrier = math.sqrt(CLOSED / siemens - 1)
    return btk.conductance(BIAS, 0.5e-3, kelvin, barrier, 0.0, MODULATION)


def run(film, temperatures=(0.1,), currents=CURRENTS, noise=20e-9, seed=0, places=3):
    """Return a run of this film; `noise` of dI/dV in S."""
    rng = np.random.default_rng(seed)
    shape = (len(temperatures), len(currents), 1, places)
    spectra = np.empty((*shape, len(BIAS)))
    for step, number, _, place in np.ndindex(shape):
        siemens = currents[number] / BIAS[0]
        spectra[step, number, 0, place] = siemens * film(temperatures[step], siemens, place)
    spectra += noise * rng.standard_normal(spectra.shape)
    kelvin = np.broadcast_to(np.array(temperatures)[:, None, None, None], shape)
    amperes = np.broadcast_to(np.array(currents)[None, :, None, None], shape)
    dims = ("set_temperature", "set_current", "y", "x")
    dataset = xr.Dataset(
        {
            "conductance": ((*dims, "bias"), spectra),
            "setpoint_current": (dims, amperes.copy()),
            "stage_temperature": (dims, kelvin.copy()),
            "time": (dims, np.zeros(shape)),
        },
        coords={
            "set_temperature": list(temperatures),
            "set_current": list(currents),
            "y": [0.0],
            "x": np.arange(places) * 50e-9,
            "bias": BIAS,
        },
        attrs={"modulation": MODULATION, "metadata": "{}", "plan_text": PLAN},
    )
    return dataset if len(temperatures) > 1 else dataset.isel(set_temperature=0, drop=True)


@pytest.fixture(scope="module")
def cold():
    """Three places at one temperature."""
    return ContactSeries(run(pairs()), 1.2)


@pytest.fixture(scope="module")
def warm():
    """The same at six temperatures, Tc = 1.2 K."""
    return ContactSeries(run(pairs(), (0.1, 0.5, 0.8, 1.0, 1.1, 1.5), places=2))


@pytest.fixture(scope="module")
def dirty():
    """A conventional film."""
    return ContactSeries(run(conventional, places=1, currents=np.geomspace(3e-9, 1e-6, 7)))


def test_the_conductance_of_a_contact_is_that_of_the_normal_state(cold, dirty):
    for series in (cold, dirty):
        spectra = series.spectra
        true = spectra["set_current"].values[None, :, None] / BIAS[0] / QUANTUM
        pull = (spectra["contact"] - true) / spectra["contact_std"]
        assert np.abs(pull).max() < 4
        assert spectra["contact_std"].max() / spectra["contact"].max() < 0.01
        assert spectra["from_setpoint"].values == pytest.approx(true * np.ones(pull.shape))
    assert np.all(np.diff(cold.spectra["bias"]) > 0)


def test_what_is_missing_stays_missing_and_does_not_harm_the_rest(cold):
    dataset = run(pairs())
    dataset["conductance"][0, 0, 0] = np.nan
    dataset["conductance"][1:, :, :, ::7] = np.nan
    series = ContactSeries(dataset)
    assert np.isnan(series.spectra["contact"][0, 0, 0])
    assert series.collective.gap == pytest.approx(0.15e-3, abs=4 * series.collective.gap_std)
    with pytest.raises(CannotTellError, match="2 place"):
        _ = series.variation
    assert len(cold.variation.single) == 3


def test_the_gap_of_single_electrons(cold):
    pull = (cold.single["gap"].values[0] - SINGLE) / cold.single["gap_std"].values[0]
    assert np.abs(pull).max() < 4


def test_the_collective_gap_and_that_it_does_not_depend_on_the_contact(cold):
    found = cold.collective
    assert found.gap == pytest.approx(0.15e-3, abs=4 * found.gap_std)
    assert found.gap_std < 1e-6
    assert abs(found.slope) < 4 * found.slope_std
    assert found.peak == pytest.approx(0.15e-3, rel=0.12)
    assert found.number >= 6


def test_a_collective_gap_that_depends_on_the_contact_is_seen_to():
    found = ContactSeries(run(pairs(slope=5e-6))).collective
    assert found.slope == pytest.approx(5e-6, rel=0.15)
    assert found.slope > 5 * found.slope_std


def test_barrier_and_share_of_the_pairs(cold):
    for number in (2, 3):
        share = CURRENTS[number] / BIAS[0] / CLOSED
        fits = cold.fits.isel(set_temperature=0, set_current=number)
        assert fits["share"].values == pytest.approx(np.full(3, share), rel=0.02)
        assert fits["barrier"].values == pytest.approx(
            np.full(3, math.sqrt(1 / share - 1)), rel=0.05
        )


def test_where_the_collective_gap_closes(warm):
    found = warm.closing
    assert found.series.tc == pytest.approx(1.2, abs=4 * found.series.tc_std)
    assert found.series.tc_std < 0.03
    assert found.gap[0] == pytest.approx(0.15e-3, rel=0.01)
    assert np.isnan(found.gap[-1])


def test_a_run_that_was_cut_off_tells_what_it_has():
    dataset = run(pairs(), (0.1, 0.6, 0.9, 1.1, 1.4), places=2)
    for name in dataset.data_vars:
        dataset[name][3, 2:] = np.nan
        dataset[name][4] = np.nan
    series = ContactSeries(dataset)
    assert series.closing.series.tc == pytest.approx(1.2, abs=0.1)
    contact_gaps.figure_closing(series).canvas.draw()
    figures.figure_contact_curvature(series).canvas.draw()
    assert len(recipe("contact").findings(dataset)) > 5


def test_from_place_to_place(cold):
    found = cold.variation
    assert found.factor == pytest.approx(0.8 / 0.45, abs=4 * found.factor_std)
    expected = np.std(SINGLE, ddof=1) / np.mean(SINGLE)
    assert found.single_spread == pytest.approx(expected, rel=0.02)
    assert found.collective_spread <= found.collective_spread_limit < 0.05
    assert found.times > 5


def test_means_weighted_by_their_uncertainties():
    mean, std = combined(np.array([1.0, 2.0, np.nan]), np.array([0.1, 0.2, 0.1]), axis=0)
    assert mean == pytest.approx((100 * 1 + 25 * 2) / 125)
    assert std == pytest.approx(math.sqrt(1 / 125) * math.sqrt(100 * 0.04 + 25 * 0.64))
    assert np.isnan(combined(np.array([np.nan]), np.array([1.0]), axis=0)[0])


def test_the_barrier_falls_as_a_conventional_contact_closes(dirty):
    true = np.sqrt(CLOSED * BIAS[0] / np.geomspace(3e-9, 1e-6, 7) - 1)
    found = dirty.barriers.isel(set_temperature=0, place=0)
    known = np.isnan(found["lower_limit"].values)
    assert known[-3:].all()
    pull = (found["barrier"] - true) / found["barrier_std"]
    assert np.abs(pull.values[known]).max() < 4
    assert np.all(found["lower_limit"].values[~known] < true[~known])
    assert dirty.fall.falls < -0.99
    assert dirty.fall.at_highest == pytest.approx(true[-1], rel=0.01)
    assert float(found["misfit"][-1]) < 1e-3


@pytest.mark.parametrize(
    ("film", "settings", "part", "complaint"),
    [
        (pairs(), {"currents": [1e-6]}, "single", "no contact is a tunnel junction"),
        (pairs(), {"currents": [3e-9]}, "peaks", "no peaks inside the gap"),
        (pairs(), {"currents": [3e-9, 5e-9, 8e-9]}, "peaks", "not transparent enough"),
        (tunnelling, {}, "peaks", "no peaks inside the gap"),
        (lambda *_: np.ones(len(BIAS)), {"noise": 0.0}, "single", "shows a gap"),
        (conventional, {"places": 1}, "collective", "no preformed pairs"),
        (pairs(), {}, "closing", r"known at 1 temperature\(s\)"),
        (
            pairs(),
            {"temperatures": (0.1, 0.2, 0.3), "places": 1},
            "closing",
            "would be an extrapolation",
        ),
        (tunnelling, {"places": 1}, "fall", "needed are three"),
        (
            pairs(),
            {"noise": 2e-3},
            "single",
            "tunnelling spectrum|tunnel junction|no spectrum tells",
        ),
    ],
)
def test_what_a_run_cannot_tell_is_said(film, settings, part, complaint):
    with pytest.raises(CannotTellError, match=complaint):
        getattr(ContactSeries(run(film, **settings)), part)


def test_spectra_of_nothing_and_of_the_wrong_kind_are_refused():
    good = run(pairs(), places=1)
    with pytest.raises(CannotTellError, match="no spectrum tells the conductance"):
        contact_spectra(good * np.nan)
    with pytest.raises(CannotTellError, match="no spectrum tells the conductance"):
        contact_spectra(good.isel(bias=slice(100, 103)))
    with pytest.raises(BadInputError, match="select one of repeat first"):
        contact_spectra(good.expand_dims(repeat=2))
    with pytest.raises(BadInputError, match="bias must be in V"):
        contact_spectra(good.assign_coords(bias=good["bias"] * 1e3))
    with pytest.raises(BadInputError, match="lacks setpoint_current"):
        contact_spectra(good.drop_vars("setpoint_current"))
    with pytest.raises(BadInputError, match="sweeps it"):
        contact_spectra(good.rename(bias="z_swept"))


def test_noise_only_makes_no_collective_gap_in_a_series():
    found = 0
    for seed in range(40):
        series = ContactSeries(run(tunnelling, places=1, noise=1e-6, seed=seed))
        try:
            _ = series.peaks
            found += 1
        except CannotTellError:
            pass
    assert found <= 1


FIGURES = {
    figures.figure_contact_spectra: 3,
    figures.figure_contact_curvature: 2,
    contact_gaps.figure_collective_gap: 2,
    contact_gaps.figure_barrier: 2,
    contact_gaps.figure_places: 1,
}


@pytest.mark.parametrize("draw", FIGURES)
def test_figures_of_a_cold_series(cold, draw):
    figure = draw(cold)
    figure.canvas.draw()
    assert len(figure.axes) == FIGURES[draw]


def test_figures_against_temperature(warm):
    figure = contact_gaps.figure_closing(warm)
    figure.canvas.draw()
    assert "closes at 1.2" in figure.axes[0].get_title(loc="left")
    figures.figure_contact_curvature(warm).canvas.draw()


def test_a_figure_that_has_nothing_to_show_says_why(dirty):
    for draw in (contact_gaps.figure_collective_gap, contact_gaps.figure_places):
        with pytest.raises(NothingToShowError, match="no peaks inside the gap"):
            draw(dirty)
    with pytest.raises(NothingToShowError, match="No closing"):
        contact_gaps.figure_closing(dirty)
    figures.figure_contact_curvature(dirty).canvas.draw()


@pytest.mark.parametrize("draw", [*FIGURES, contact_gaps.figure_closing])
def test_figures_of_runs_that_tell_nothing_say_so(draw):
    with pytest.raises(NothingToShowError, match=r"^No "):
        draw(ContactSeries(run(pairs(), places=1) * np.nan))
    if draw not in (figures.figure_contact_spectra, contact_gaps.figure_barrier):
        with pytest.raises(NothingToShowError, match="no contact is a tunnel junction"):
            draw(ContactSeries(run(pairs(), currents=[3e-7, 1e-6])))


def test_the_recipe_states_what_the_run_tells():
    contact = recipe("contact")
    dataset = run(pairs(), (0.1, 0.6, 0.9, 1.1, 1.4))
    assert contact.suits(dataset)
    assert not contact.suits(dataset.isel(set_current=0))
    found = {finding.key: finding for finding in contact.findings(dataset)}
    assert found["collective_gap"].value == pytest.approx(0.15, rel=0.01)
    ratio = 0.15e-3 / (K_B * 1.2)
    assert found["collective_gap_over_ktc"].value == pytest.approx(ratio, rel=0.03)
    assert found["closing_temperature"].value == pytest.approx(1.2, abs=0.05)
    assert found["single_gap_above_tc"].value == pytest.approx(1.0, abs=0.02)
    assert found["single_gap_factor"].value == pytest.approx(0.8 / 0.45, rel=0.01)
    assert found["barrier_highest"].value < found["barrier_lowest"].value
    assert all(math.isfinite(finding.value) for finding in found.values())
    assert len(contact.chapters(dataset)) == 6


def test_the_recipe_says_what_the_run_does_not_tell():
    found = {f.key: f for f in recipe("contact").findings(run(conventional, places=1))}
    assert math.isnan(found["collective_gap"].value)
    assert "no preformed pairs" in found["collective_gap"].remark
    assert found["barrier_highest"].value == pytest.approx(math.sqrt(CLOSED / 2.5e-4 - 1), rel=0.02)
    assert found["btk_misfit"].value < 0.1
