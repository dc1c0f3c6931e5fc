"""SI face of the microwave hot spot, and the hot tip."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad

from stm_daq.errors import OutOfRangeError
from stm_daq.physics import hotspot
from stm_daq.physics.hot_tip import HotTip, dipole_terms, hot_tip_profile, radiated_power
from stm_daq.physics.hotspot import switching_drives
from stm_daq.physics.hotspot_units import (
    ELECTRON,
    EPSILON0,
    HBAR,
    INOX,
    K_B,
    MATERIALS,
    NBN,
    FilmMaterial,
    TipAboveFilm,
)

SETUP = TipAboveFilm(INOX, 10e-9, 100e-9)
TIP = HotTip(300.0, 50e-9, 1e7)
SHEET = 4 * ELECTRON**2 / (2 * math.pi * HBAR)


@pytest.mark.parametrize(("film", "rounded"), [(INOX, 17e-9), (NBN, 16e-9)])
def test_thermal_length_of_the_table(film, rounded):
    assert film.thermal_length == pytest.approx(rounded, abs=0.6e-9)
    assert MATERIALS[film.name] is film


def test_drive_is_the_highest_current_density():
    """Integrating eq. (B3): rms over the film's thickness, largest at r_max."""
    amplitude = 1e-6
    r = SETUP.distance * hotspot.R_MAX
    sheet = amplitude / (2 * math.pi * r) * (1 - SETUP.distance / math.hypot(SETUP.distance, r))
    density = sheet / SETUP.thickness / math.sqrt(2)
    assert float(SETUP.drive(amplitude)) == pytest.approx(density / INOX.current_density, rel=1e-12)
    assert float(SETUP.amplitude(SETUP.drive(amplitude))) == pytest.approx(amplitude)
    ratio = density * SETUP.distance * SETUP.thickness / amplitude
    assert ratio == pytest.approx(0.0338, abs=5e-5)  # not 0.120


def test_power_of_a_normal_film():
    """The prefactor for J = 1 is 69.7, not 5.5, and agrees with the integral of the heating."""
    hertz = INOX.frequency
    length = SETUP.charge_length(hertz)
    amplitude = float(SETUP.amplitude(1.0))

    def density(r):
        current = (
            amplitude / (2 * math.pi * r) * (1 - SETUP.distance / math.hypot(SETUP.distance, r))
        )
        return 0.5 * current**2 / (INOX.conductivity * SETUP.thickness) * 2 * math.pi * r

    expected = sum(
        quad(density, a, b, epsrel=1e-10)[0]
        for a, b in ((0, SETUP.distance), (SETUP.distance, length))
    )
    found = SETUP.normal_power(1.0, hertz)
    assert found == pytest.approx(expected, rel=1e-6)
    unit = INOX.cooling * SETUP.distance**2 * SETUP.thickness
    assert found / unit / math.log(length / SETUP.distance / 4) == pytest.approx(69.7, rel=1e-2)


def test_currents_stay_below_the_depairing_one_only_at_moderate_drives():
    assert 0.1 < float(SETUP.depairing_ratio(1.0)) < 0.4
    assert not SETUP.too_strong(1.0)
    assert SETUP.too_strong([0.5, 10.0]).tolist() == [False, True]
    assert SETUP.sharp_wall
    assert not TipAboveFilm(INOX, 10e-9, 10e-9).sharp_wall


def test_translation_to_the_model_and_back():
    assert float(SETUP.temperature(1.4)) == pytest.approx(0.4)
    assert float(SETUP.frequency(INOX.frequency)) == pytest.approx(1.0)
    assert INOX.time == pytest.approx(INOX.thermal_length**2 / INOX.diffusion)
    assert INOX.gap == pytest.approx(1.764 * K_B * 3.5 / ELECTRON, rel=1e-4)
    reach = SETUP.displacement_current(1e-3, 10e9, 50e-9)
    assert reach == pytest.approx(2 * math.pi * 1e10 * 4 * math.pi * EPSILON0 * 50e-9 * 1e-3)


@pytest.mark.parametrize(
    "make",
    [
        lambda: FilmMaterial("x", -1.0, 1e4, 5, 1e9, 1e-5),
        lambda: FilmMaterial("x", 1.0, 1e4, 4, 1e9, 1e-5),
        lambda: TipAboveFilm(INOX, 0.0, 1e-7),
        lambda: TipAboveFilm(INOX, 1e-8, math.inf),
        lambda: SETUP.charge_length(0.0),
        lambda: SETUP.normal_power(-1.0, 1e10),
        lambda: HotTip(-1.0, 50e-9, 1e7),
        lambda: hot_tip_profile(SETUP, HotTip(20.0, 50e-9, 1e7), 0.3),
        lambda: hot_tip_profile(SETUP, TIP, 1.1),
    ],
)
def test_impossible_set_ups_are_refused(make):
    with pytest.raises(OutOfRangeError):
        make()


def test_hot_tip_example_of_the_paper():
    """Brackets 0.09 and 0.03; 6 W/m^2 with the printed prefactor, twice that with the right one."""
    film = FilmMaterial("example", 3.0, SHEET / 10e-9, 6, 2e9, 3e-5)
    setup = TipAboveFilm(film, 10e-9, 100e-9)
    electric, magnetic = dipole_terms(setup, TIP)
    assert (electric, magnetic) == (pytest.approx(0.09, abs=2e-3), pytest.approx(0.03, abs=2e-3))
    r = setup.distance / math.sqrt(2)
    assert float(radiated_power(r, setup, TIP)) == pytest.approx(2 * 6.2, rel=0.01)
    assert float(radiated_power(1.01 * r, setup, TIP)) < float(radiated_power(r, setup, TIP))


def test_prefactor_of_the_radiated_power():
    """The electric part of D7, integrated numerically over photon energies."""
    r = 80e-9
    thermal = K_B * TIP.temperature / HBAR

    def spectrum(x):
        return x**3 * (1 / math.tanh(x / 2) - 1)

    integral = 2 * HBAR * thermal**4 * quad(spectrum, 0, 60, epsrel=1e-10)[0] / (2 * math.pi)
    sheet = INOX.conductivity * SETUP.thickness
    shape = r**2 * TIP.radius**3 / (r**2 + SETUP.distance**2) ** 3
    expected = 3 / math.pi * shape * integral * EPSILON0**2 / (TIP.conductivity * sheet)
    electric, magnetic = dipole_terms(SETUP, TIP)
    found = float(radiated_power(r, SETUP, TIP)) * electric / (electric + magnetic)
    assert found == pytest.approx(expected, rel=1e-8)


def test_a_hot_tip_warms_but_does_not_switch():
    warm = hot_tip_profile(SETUP, TIP, 0.2)
    assert warm.stable
    assert 0.25 < warm.peak_temperature < 0.5
    assert warm.inner_radius is None
    far = float(warm.temperature(10.0))
    assert far > 0.5 * warm.peak_temperature  # blurred far beyond z0
    near_tc = hot_tip_profile(SETUP, TIP, 0.95)
    assert near_tc.peak_temperature == pytest.approx(0.95, abs=1e-3)
    order = [hot_tip_profile(SETUP, TIP, t).core_temperature for t in (0.1, 0.3, 0.5)]
    assert np.all(np.diff(order) > 0)


def test_doubts_are_said_in_words() -> None:
    assert SETUP.doubts(1.0, 100e9, 0.5) == ()
    (bistable,) = SETUP.doubts(1.0, 300e9, 0.5)
    assert "no bistability here" in bistable
    sharp, strong = TipAboveFilm(INOX, 10e-9, 5e-9).doubts(3.0, 100e9, 0.5)
    assert "3.29 times the distance" in sharp
    assert "depairing" in strong
    with pytest.raises(OutOfRangeError, match="below 1 Tc"):
        SETUP.doubts(1.0, 100e9, 3.5)
    with pytest.raises(OutOfRangeError, match="not negative"):
        SETUP.doubts(-1.0, 100e9, 0.5)


def test_at_a_fixed_drive_the_hot_state_ends_at_the_thermal_length_of_the_paper() -> None:
    below, above = (switching_drives(2.0, 0.3, length) for length in (0.61, 0.64))
    assert below is not None
    assert above is not None
    assert below.down < 1.2 < above.down  # Fig. 5; papers.json has 0.624
    wide = switching_drives(2.0, 0.3, 3.0)
    assert wide is not None
    assert wide.down > above.down
