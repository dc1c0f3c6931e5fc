"""Indium oxide: two gaps from tunnelling to contact; and films that microwaves heat."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sim.samples.inox import FILMS, LEAST_BARRIER, InoxFilm, barrier_of
from sim.samples.microwave import HeatedFilm, NbnFilm
from sim.samples.microwave import InoxFilm as HeatedInox

KB = 8.617333e-5
QUANTUM = 7.748e-5
CLOSED = 4 * QUANTUM
BIAS = np.linspace(-2e-3, 2e-3, 801)


def grid(side=300e-9, points=100):
    line = np.linspace(0.0, side, points)
    return np.meshgrid(line, line)


def peaks(spectrum):
    """Positive biases of the local maxima."""
    right = spectrum[400:]
    inside = (right[1:-1] > right[:-2]) & (right[1:-1] > right[2:])
    return BIAS[401:-1][inside]


@pytest.mark.parametrize(("film", "critical"), [(1, 1.45), (2, 1.5), (3, 1.9)])
def test_the_gap_of_single_electrons_varies_more_than_threefold_the_collective_one_not(
    film, critical
):
    inox = InoxFilm(1, film)
    gap = inox.gap(*grid())
    low, high = np.percentile(gap, [1, 99])
    assert high / low > 3.0
    assert gap.min() > KB * critical
    junctions = [inox.junction(x, 0.0, 0.05) for x in np.linspace(0, 200e-9, 20)]
    collective = {junction.truth["collective_gap"] for junction in junctions}
    assert len(collective) == 1
    assert collective.pop() == pytest.approx(KB * critical, rel=1e-3)
    assert len({junction.truth["gap"] for junction in junctions}) == 20


def test_neighbouring_places_have_similar_gaps():
    gap = InoxFilm(1).gap(*grid(300e-9, 301))  # 1 nm a pixel
    centred = np.log(gap / gap.mean())
    centred = centred - centred.mean()
    near, far = ((centred[:, :-n] * centred[:, n:]).mean() for n in (10, 60))
    variance = (centred**2).mean()
    assert near / variance == pytest.approx(math.exp(-1), rel=0.15)
    assert abs(far) < 0.1 * variance


def test_far_away_single_electrons_tunnel_into_their_gap():
    junction = InoxFilm(1).junction(0.0, 0.0, 0.05)
    far = junction.at(1e-3 * QUANTUM).conductance(BIAS, 10e-6)
    assert far[400] < 0.05
    assert peaks(far)[-1] == pytest.approx(junction.truth["gap"], rel=0.1)
    assert junction.conductance(BIAS, 10e-6) == pytest.approx(far, abs=0.01)


def test_as_the_contact_closes_peaks_appear_at_the_collective_gap_and_stay_there():
    junction = InoxFilm(1).junction(0.0, 0.0, 0.05)
    collective = junction.truth["collective_gap"]
    inside, heights, positions = [], [], []
    for conductance in np.array([0.5, 1.0, 2.0, 3.0]) * QUANTUM:
        spectrum = junction.at(conductance).conductance(BIAS, 10e-6)
        inside.append(spectrum[400])
        peak = np.argmax(np.where(np.abs(BIAS - collective) < 60e-6, spectrum, 0.0))
        positions.append(BIAS[peak])
        heights.append(spectrum[peak])
    assert np.all(np.diff(inside) > 0)
    assert np.all(np.diff(heights) > 0)
    assert positions == pytest.approx(np.full(4, collective), rel=0.1)
    wide = junction.at(2 * QUANTUM).conductance(np.array([-9e-3, 9e-3]), 0.0)
    assert wide == pytest.approx(1.0, abs=0.03)


def test_between_the_gaps_pairs_need_two_transmissions():
    """Two electrons at once: the conductance grows as the square of the contact's transparency."""
    junction = InoxFilm(1, broadening=0.0).junction(0.0, 0.0, 0.05)
    between = np.array([(junction.truth["gap"] + junction.truth["collective_gap"]) / 2])
    transparency = np.array([0.005, 0.01, 0.02, 0.04])
    inside = [t * junction.at(t * CLOSED).conductance(between, 0.0)[0] for t in transparency]
    power = np.diff(np.log(inside)) / np.diff(np.log(transparency))
    assert power == pytest.approx(np.full(3, 2.0), abs=0.06)


def test_the_excess_current_of_pairs_follows_the_collective_gap_and_ends_at_tc():
    """The integral of dI/dV - 1 does not depend on how temperature smears it."""
    inox = InoxFilm(1, 2, broadening=0.0)
    far = np.array([9e-3])
    excess, gaps = [], []
    for kelvin in (0.05, 0.9, 1.2, 1.4):
        junction = inox.junction(0.0, 0.0, kelvin)
        pairs = junction.at(0.5 * CLOSED).current(far, 0.0)[0]
        without = inox.junction(0.0, 0.0, 1.501).at(0.5 * CLOSED).current(far, 0.0)[0]
        excess.append(pairs - without)
        gaps.append(junction.truth["collective_gap"])
    assert np.array(excess) / excess[0] == pytest.approx(np.array(gaps) / gaps[0], abs=0.03)


def test_the_collective_gap_closes_at_tc_the_other_far_above():
    inox = InoxFilm(1, 2)
    cold, warm, above, hot = (inox.junction(0.0, 0.0, t).truth for t in (0.05, 1.2, 1.6, 6.1))
    assert 0 < warm["collective_gap"] < 0.8 * cold["collective_gap"]
    assert above["collective_gap"] == 0
    assert above["gap"] > 0.95 * cold["gap"]
    assert hot["gap"] == 0


def test_the_film_of_low_disorder_follows_btk_with_a_barrier_that_falls():
    inox = InoxFilm(1, 4)
    assert np.ptp(inox.gap(*grid())) == 0
    junction = inox.junction(0.0, 0.0, 0.05)
    assert junction.gap == pytest.approx(1.764 * KB * 3.2, rel=1e-3)
    series = [junction.at(c) for c in np.array([1e-3, 0.1, 1.0, 4.0]) * QUANTUM]
    barriers = [closer.barrier for closer in series]
    assert np.all(np.diff(barriers) < 0)
    assert barriers[-1] == LEAST_BARRIER
    at_zero = [float(closer.conductance(np.zeros(1), 0.0)[0]) for closer in series]
    assert np.all(np.diff(at_zero) > 0)  # monotonous, without peaks inside the gap


def test_barrier_and_transparency():
    assert barrier_of(CLOSED / 2, CLOSED) == pytest.approx(1.0)
    assert barrier_of(1e-4 * CLOSED, CLOSED) == pytest.approx(100.0, rel=1e-3)
    assert barrier_of(2 * CLOSED, CLOSED) == LEAST_BARRIER


def test_the_numbers_of_the_papers_table():
    rows = [(f.critical_temperature, f.sheet_resistance, f.thickness) for f in FILMS.values()]
    assert rows == [
        (1.45, 5770, 30e-9), (1.5, 5615, 30e-9), (1.9, 3885, 30e-9), (3.2, 400, 70e-9),
    ]  # fmt: skip
    with pytest.raises(ValueError, match="no film 5; there are 1, 2, 3, 4"):
        InoxFilm(1, 5)


@pytest.mark.parametrize(
    ("film", "length", "n"), [(HeatedInox(), 16.5e-9, 6), (NbnFilm(), 15.6e-9, 5)]
)
def test_microwave_materials_have_the_thermal_length_of_the_paper(film, length, n):
    assert film.thermal_length == pytest.approx(length, rel=0.005)
    cold, hot = film.electron_temperature(0.5, 0.0), film.electron_temperature(0.5, 1e-9)
    assert cold == pytest.approx(0.5)
    volume = math.pi * film.distance**2 * film.thickness
    balance = film.phonon_coupling * volume * (hot**n - 0.5**n)
    assert balance == pytest.approx(1e-9, rel=1e-9)


def test_a_few_nanowatts_warm_indium_oxide_to_its_tc():
    """The paper's estimate of the power that holds the hot spot at Tc."""
    film = HeatedFilm()
    powers = np.linspace(0.1e-9, 10e-9, 100)
    warm = [film.electron_temperature(0.3, p) for p in powers]
    assert 1e-9 < powers[np.argmax(np.array(warm) > 3.5)] < 5e-9


def test_microwaves_close_the_gap_of_the_film_but_do_not_warm_the_tip():
    film = HeatedInox()
    gaps = []
    for power in (0.0, 0.3e-9, 0.8e-9, 5e-9):
        junction = film.heated_junction(0.0, 0.0, 0.3, power)
        gaps.append(junction.truth["gap"])
        assert junction.truth["temperature"] == 0.3
    assert gaps[0] == pytest.approx(1.764 * KB * 3.5, rel=1e-3)
    assert np.all(np.diff(gaps) < 0)
    assert gaps[-1] == 0
    with pytest.raises(ValueError, match="must not be negative"):
        film.electron_temperature(0.3, -1e-12)
