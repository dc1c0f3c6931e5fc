"""The twin's film under microwaves: two states, early switching, no bistability where there is none."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sim.samples.bistable import InoxFilm, NbnFilm
from sim.samples.film_memory import Escape, FilmMemory
from sim.samples.hot_response import hot_response
from stm_daq.physics.hotspot import switching_drives

NEVER = Escape(attempts=0.0)


def test_thermal_lengths_are_those_of_the_paper() -> None:
    even = {"critical_scatter": 0.0, "length_scatter": 0.0}
    assert InoxFilm(**even).local_length(0.0, 0.0) == pytest.approx(16.472e-9, rel=1e-4)
    assert NbnFilm(**even).local_length(0.0, 0.0) == pytest.approx(15.630e-9, rel=1e-4)


def test_the_state_depends_on_what_happened() -> None:
    response = hot_response(0.5, 0.3, 0.25, 6)
    down, up = switching_drives(0.5, 0.3, 0.25, n=6)
    memory = FilmMemory(NEVER, np.random.default_rng(1))
    middle = (up + down) / 2
    drives = [0.5 * down, middle, 1.01 * up, middle, 1.01 * down, 0.99 * down, middle]
    states = [memory.drive(float(k), drive, response) for k, drive in enumerate(drives)]
    assert states == [False, False, True, True, True, False, False]
    hot, cold = response.state(True), response.state(False)
    assert hot.core_temperature(middle) > 0.9 > 0.6 > cold.core_temperature(middle)
    assert hot.normal_radius(middle) > 1.0
    assert cold.normal_radius(middle) == 0.0


def test_photons_above_the_gap_leave_one_state() -> None:
    response = hot_response(4.0, 0.3, 0.25, 5)
    assert response.switches is None
    memory = FilmMemory(Escape(), np.random.default_rng(1))
    assert not any(memory.drive(0.0, drive, response) for drive in np.linspace(0.5, 4, 20))
    assert math.isinf(memory.due)
    cold, hot = response.state(False), response.state(True)
    np.testing.assert_allclose(cold.core, hot.core, atol=2e-3)


def test_a_state_ends_early_only_near_its_end() -> None:
    rng = np.random.default_rng(2)
    escape = Escape(attempts=20.0, barrier=2000.0)
    near = [escape.delay(0.999, 1.0, rng) for _ in range(200)]
    assert np.mean(near) == pytest.approx(math.exp(2000 * 0.001**1.5) / 20, rel=0.2)
    assert min(escape.delay(0.9, 1.0, rng) for _ in range(50)) > 3600
    assert math.isinf(escape.delay(0.7, 1.0, rng))


def test_the_drive_follows_equations_1_and_2() -> None:
    film = InoxFilm(critical_scatter=0.0, length_scatter=0.0)
    power = 1e-9
    current = math.sqrt(2 * power / film.transfer)
    highest = 0.0338 * current / (film.distance * film.thickness)
    assert film.drive_of(power, 3.5) == pytest.approx(highest / 271165309.4, rel=1e-3)
    with pytest.raises(ValueError, match="must not be negative"):
        film.drive_of(-1e-9, 3.5)
