"""Microwave hot spot: limits, independent solutions, refined meshes, bad input."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad, solve_bvp, solve_ivp

from stm_daq.errors import OutOfRangeError
from stm_daq.physics import hotspot
from stm_daq.physics.hotspot_mesh import heated_area

ROOM = {"epsabs": 0.0, "epsrel": 1e-10, "limit": 400}


def integrand_of_a3(energy, w, t, gap):
    coherence = energy * (energy + w) + gap * gap
    root = math.sqrt(abs(energy**2 - gap**2) * abs((energy + w) ** 2 - gap**2))
    return coherence / root


@pytest.mark.parametrize(("w", "t"), [(0.37, 0.43), (1.7, 0.81), (2.9, 0.88), (5.1, 0.65)])
def test_conductivity_by_direct_quadrature(w, t):
    gap = float(hotspot.gap(t))

    def difference(e):
        return math.tanh((e + w) / (2 * t)) - math.tanh(e / (2 * t))

    real = sum(
        quad(lambda e: integrand_of_a3(e, w, t, gap) * difference(e), a, b, **ROOM)[0]
        for a, b in ((gap, gap + 0.3 * t), (gap + 0.3 * t, gap + 40 * t))
    )
    if w > 2 * gap:
        middle = -0.5 * w
        real -= sum(
            quad(
                lambda e: integrand_of_a3(e, w, t, gap) * math.tanh((e + w) / (2 * t)), a, b, **ROOM
            )[0]
            for a, b in ((gap - w, middle), (middle, -gap))
        )
    low = max(gap - w, -gap)
    middle = 0.5 * (low + gap)
    imaginary = sum(
        quad(lambda e: integrand_of_a3(e, w, t, gap) * math.tanh((e + w) / (2 * t)), a, b, **ROOM)[
            0
        ]
        for a, b in ((low, middle), (middle, gap))
    )
    found = complex(hotspot.conductivity(w, t))
    assert found.real == pytest.approx(real / w, rel=1e-6)
    assert found.imag == pytest.approx(imaginary / w, rel=1e-6)


def test_conductivity_goes_over_into_its_limits():
    gap = float(hotspot.gap(0.1))
    slow = complex(hotspot.conductivity(1e-3, 0.1))
    assert slow.imag * 1e-3 == pytest.approx(math.pi * gap * math.tanh(gap / 0.2), rel=1e-4)
    assert complex(hotspot.conductivity(300.0, 0.5)) == pytest.approx(1.0, abs=1e-3)
    assert complex(hotspot.conductivity(1.0, 1.0)) == 1.0
    assert complex(hotspot.conductivity(1.0, 1 - 1e-9)) == pytest.approx(1.0, abs=1e-3)


def test_conductivity_is_smooth_in_its_quadrature_where_photons_meet_the_gap():
    t = np.full(3, 0.6)
    twice = 2 * float(hotspot.gap(0.6))
    at = hotspot.conductivity(twice * (1 + np.array([-1e-9, 0.0, 1e-9])), t)
    assert np.ptp(at.real) < 1e-7
    assert np.ptp(at.imag) < 1e-6


def test_conductivity_obeys_the_sum_rule():
    """What the real part lost is in the condensate: integral of (1 - sigma1) = pi/2 w sigma2(0)."""
    t = 0.4
    gap = float(hotspot.gap(t))
    edges = np.concatenate([np.logspace(-9, 3, 400), [2 * gap]])
    edges.sort()
    x, weight = np.polynomial.legendre.leggauss(12)
    half = 0.5 * np.diff(edges)[:, None]
    w = 0.5 * (edges[1:] + edges[:-1])[:, None] + half * x
    lost = np.sum(half * weight * (1 - hotspot.conductivity(w, t).real))
    weight_of_condensate = math.pi * gap * math.tanh(gap / (2 * t))
    tail = math.pi**2  # not needed: beyond the last edge 1 - sigma1 goes as log(w)/w^2
    assert lost == pytest.approx(0.5 * math.pi * weight_of_condensate, rel=2 * tail / 1000)


@pytest.mark.parametrize("n", [5, 6])
def test_phonon_power_by_direct_quadrature(n):
    t, cold = 0.62, 0.37
    gap = float(hotspot.gap(t))

    def over_energies(w):
        def f(e):
            value = abs(e * (e + w) - gap**2) / math.sqrt(
                (e * e - gap**2) * ((e + w) ** 2 - gap**2)
            )
            value = (e * (e + w) - gap**2) * math.copysign(1.0, e * (e + w))
            value /= math.sqrt((e * e - gap**2) * ((e + w) ** 2 - gap**2))
            return value * (math.tanh((e + w) / (2 * t)) - math.tanh(e / (2 * t)))

        total = 2 * quad(lambda s: 2 * s * f(gap + s * s), 0, math.sqrt(40 * t), **ROOM)[0]
        if w > 2 * gap:
            half = math.sqrt(0.5 * w - gap)
            total += 2 * quad(lambda s: 2 * s * f(-gap - s * s), 0, half, **ROOM)[0]
        return total

    def over_phonons(w):
        bose = 1 / math.tanh(w / (2 * t)) - 1 / math.tanh(w / (2 * cold))
        return w ** (n - 2) * bose * over_energies(w)

    options = {"epsabs": 0.0, "epsrel": 1e-7, "limit": 100}
    total = sum(
        quad(over_phonons, a, b, **options)[0] for a, b in ((1e-6, 2 * gap), (2 * gap, 40 * t))
    )
    zeta = {5: 1.03692775514337, 6: 1.01734306198445}[n]
    expected = total / (4 * math.factorial(n - 1) * zeta)
    assert float(hotspot.phonon_power(t, cold, n)) == pytest.approx(expected, rel=1e-6)


def test_phonon_power_changes_sign_and_joins_the_normal_one():
    assert float(hotspot.phonon_power(0.5, 0.5)) == 0.0
    assert float(hotspot.phonon_power(0.4, 0.5)) < 0.0 < float(hotspot.phonon_power(0.6, 0.5))
    assert float(hotspot.phonon_power(1 - 1e-9, 0.3, 6)) == pytest.approx(1 - 0.3**6, rel=1e-5)
    assert float(hotspot.phonon_power(1.5, 0.3, 6)) == pytest.approx(1.5**6 - 0.3**6, rel=1e-12)


def test_specific_heat_is_that_of_the_entropy():
    def entropy(t):
        gap = float(hotspot.gap(t))

        def f(x):
            p = 1 / (math.exp(math.hypot(x, gap) / t) + 1)
            return -(p * math.log(p) + (1 - p) * math.log1p(-p))

        return 6 / math.pi**2 * quad(f, 0, 30 * t, **ROOM)[0]

    for t in (0.3, 0.7, 0.95):
        slope = t * (entropy(t + 1e-4) - entropy(t - 1e-4)) / 2e-4
        assert float(hotspot.specific_heat(t)) == pytest.approx(slope, rel=1e-5)


def collocation(profile, w, phonons, lam, n):
    """The same steady state by solve_bvp, with unknowns theta = integral of K and flux."""
    knots = np.concatenate([np.linspace(phonons, 0.995, 800), 1 - np.geomspace(5e-3, 1e-7, 200)])
    knots = np.append(knots, np.linspace(1.0, 3.0, 800))
    x, weight = np.polynomial.legendre.leggauss(6)
    half = 0.5 * np.diff(knots)[:, None]
    inside = 0.5 * (knots[1:] + knots[:-1])[:, None] + half * x
    theta = np.append(
        0, np.cumsum((hotspot.thermal_conductivity(inside) * weight * half).sum(axis=1))
    )
    heating = (1 / hotspot.conductivity(w, knots)).real
    cooling = hotspot.phonon_power(knots, phonons, n)

    def excess(r, y):
        source = np.interp(y[0], theta, cooling)
        source -= (
            profile.drive**2
            * hotspot.heating_profile(r)
            / hotspot.H_MAX
            * np.interp(y[0], theta, heating)
        )
        flux = np.where(r > 0, y[1] / np.where(r > 0, r, 1.0), 0.0)
        return np.vstack([flux, r * source / (n * lam**2)])

    r = profile.radius[:: len(profile.radius) // 800]
    r = np.append(r[r < 40], 40.0)
    outer = float(np.interp(profile.temperature(40.0), knots, theta))
    guess = np.interp(profile.temperature(r), knots, theta)
    flux = r * np.gradient(guess, r)
    found = solve_bvp(
        excess,
        lambda a, b: np.array([a[1], b[0] - outer]),
        r,
        [guess, flux],
        tol=1e-6,
        max_nodes=40000,
    )
    assert found.success
    return r, np.interp(found.sol(r)[0], theta, knots)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_profiles_by_collocation(which):
    case = (1.3, 0.45, 0.25, 6)
    profile = hotspot.profiles(1.55, *case)[which]
    r, expected = collocation(profile, *case)
    assert profile.temperature(r) == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize(
    "case",
    [
        (0.1, 0.3, 0.16, 5),
        (0.25, 0.5, 0.16, 6),
        (0.7, 0.15, 0.22, 5),
        (2.0, 0.3, 0.16, 5),
        (3.1, 0.2, 0.7, 6),
    ],
)
def test_switching_drives_do_not_depend_on_the_mesh(case):
    from stm_daq.physics.hotspot_curve import SWITCHING

    coarse = hotspot.switching_drives(*case, nodes=SWITCHING)
    assert coarse == hotspot.switching_drives(*case)
    fine = hotspot.switching_drives(*case, nodes=2 * SWITCHING)
    assert np.array(coarse) == pytest.approx(np.array(fine), rel=5e-4)


def test_without_conduction_the_hot_spot_follows_the_uniform_film():
    """With little conduction the cold state ends where the uniform one does, at r = 1.272."""
    interval = hotspot.bistable_interval(2.0, 0.3)
    far = hotspot.switching_drives(2.0, 0.3, 0.16).up / interval[1] - 1
    near = hotspot.switching_drives(2.0, 0.3, 0.04).up / interval[1] - 1
    assert 0 < near < 0.35 * far


def test_walls_stand_at_the_maxwell_current():
    """The less conduction, the better: the walls are thin, and bent little."""
    drive, maxwell = 1.3, hotspot.maxwell_current(2.0, 0.3)
    errors = []
    for lam in (0.08, 0.04):
        hot = hotspot.profiles(drive, 2.0, 0.3, lam)[-1]
        local = drive * np.sqrt(hotspot.heating_profile(hot.outer_radius) / hotspot.H_MAX)
        errors.append(abs(local / maxwell - 1))
    assert errors[1] < 0.6 * errors[0] < 0.05


def test_the_hot_state_disappears_when_conduction_grows():
    """Fig. 5: at J = 1.2 hot and unstable state meet at lam = 0.624."""
    low, high = 0.5, 0.8
    while high - low > 1e-3:
        middle = 0.5 * (low + high)
        low, high = (
            (middle, high) if len(hotspot.profiles(1.2, 2.0, 0.3, middle)) == 3 else (low, middle)
        )
    assert low == pytest.approx(0.624, abs=2e-3)


def test_states_are_ordered_and_alternate():
    states = hotspot.profiles(6.0, 0.25, 0.3, 0.16)
    modes = [p.unstable_modes for p in states]
    assert len(states) > 3
    assert all(abs(b - a) <= 1 for a, b in pairwise(modes))
    assert states[0].stable
    assert states[-1].stable
    for r in (0.0, 1.272, 3.0):
        cold, hot = states[0].temperature(r), states[-1].temperature(r)
        assert all(cold - 1e-6 <= s.temperature(r) <= hot + 1e-6 for s in states)


def test_hysteresis_between_the_switching_drives():
    down, up = hotspot.switching_drives(2.0, 0.3, 0.3)
    drives = np.linspace(0.8 * down, 1.1 * up, 80)
    sweep = hotspot.power_sweep(drives, 2.0, 0.3, 0.3)
    assert sweep.switch_up[0] <= up <= sweep.switch_up[1]
    assert sweep.switch_down[0] <= down <= sweep.switch_down[1]
    reversible = hotspot.power_sweep(np.linspace(0.3, 2.0, 60), 3.0, 0.8, 0.3)
    assert reversible.switch_up is None
    assert reversible.switch_down is None
    assert abs(reversible.loop_core_temperature) < 1e-4
    open_loop = hotspot.power_sweep(np.linspace(0.8 * down, 0.9 * up, 40), 2.0, 0.3, 0.3)
    assert open_loop.switch_up is None


def test_absorbed_power_is_what_phonons_take():
    spot = hotspot.hot_spot(2.0, 0.3, 0.3, least_nodes=1600)
    hot = spot.developed(1.4, spot.local(1.4, hot=True))
    r = np.linspace(0.0, hot.radius[-1], 200_001)
    heating = (1 / hotspot.conductivity(2.0, np.linspace(0.3, 1.5, 4001))).real
    local = np.interp(hot.temperature(r), np.linspace(0.3, 1.5, 4001), heating)
    density = 1.4**2 * hotspot.heating_profile(r) / hotspot.H_MAX * local * r
    assert spot.absorbed_power(hot) == pytest.approx(
        2 * math.pi * np.trapezoid(density, r), rel=2e-3
    )
    further = spot.absorbed_power(hot, 1000.0) - spot.absorbed_power(hot)
    tail = heated_area(1000.0) - heated_area(float(r[-1]))
    assert further == pytest.approx(
        2 * math.pi * 1.4**2 / hotspot.H_MAX * local[-1] * tail, rel=1e-4
    )


def test_development_in_time_of_a_uniform_film():
    spot = hotspot.hot_spot(2.0, 0.3, 0.16, nodes=60)
    times = np.linspace(0.0, 20.0, 11)
    found = hotspot.development(spot, times, 0.0, np.full(60, 0.95))

    def cool(_, t):
        return -hotspot.phonon_power(t, 0.3) / (5 * hotspot.specific_heat(t))

    expected = solve_ivp(cool, (0, 20), [0.95], t_eval=times, rtol=1e-8, atol=1e-10).y[0]
    assert found[:, 0] == pytest.approx(expected, abs=3e-4)
    assert np.ptp(found, axis=1) == pytest.approx(0, abs=1e-9)


def test_development_in_time_ends_in_the_steady_states():
    spot = hotspot.hot_spot(2.0, 0.3, 0.3, nodes=200)
    down, up = hotspot.switching_drives(2.0, 0.3, 0.3)
    between = 0.5 * (down + up)
    cold, hot = spot.developed(between), spot.developed(between, spot.local(between, hot=True))
    assert hot.peak_temperature > cold.peak_temperature + 0.2
    times = np.linspace(0.0, 3000.0, 4)
    for drive, start, end in (
        (1.1 * up, cold.values, spot.developed(1.1 * up)),
        (0.9 * down, hot.values, spot.developed(0.9 * down)),
        (between, hot.values, hot),
    ):
        found = hotspot.development(spot, times, drive, start)
        assert found[-1] == pytest.approx(end.values, abs=1e-3)


@pytest.mark.parametrize("case", [(3.45, 0.8, 0.3, 5), (3.6, 0.1, 0.3, 5), (2.0, 0.97, 0.3, 5)])
def test_no_bistability_above_the_gap(case):
    assert hotspot.bistable_interval(case[0], case[1], case[3]) is None
    assert hotspot.maxwell_current(case[0], case[1], case[3]) is None
    assert hotspot.switching_drives(*case) is None


def test_a_good_conductor_has_no_sharp_wall():
    assert len(hotspot.profiles(1.2, 2.0, 0.3, 0.8)) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda: hotspot.uniform_branches(1.0, 1.0, 1.0),
        lambda: hotspot.uniform_branches(-1.0, 1.0, 0.5),
        lambda: hotspot.uniform_branches(1.0, 0.0, 0.5),
        lambda: hotspot.bistable_interval(1.0, 0.5, 4),
        lambda: hotspot.bistable_interval(1.0, math.nan),
        lambda: hotspot.profiles(-0.1, 1.0, 0.5, 0.3),
        lambda: hotspot.profiles(1.0, 1.0, 0.5, 0.0),
        lambda: hotspot.switching_drives(1.0, 1.2, 0.3),
        lambda: hotspot.switching_drives(1.0, 0.5, 0.3, nodes=3),
        lambda: hotspot.power_sweep([1.0, 0.5], 1.0, 0.5, 0.3),
        lambda: hotspot.power_sweep([-1.0, 0.5], 1.0, 0.5, 0.3),
        lambda: hotspot.conductivity(-1.0, 0.5),
        lambda: hotspot.gap(-0.1),
        lambda: hotspot.phonon_power(0.5, 0.3, 7),
        lambda: hotspot.development(hotspot.hot_spot(1.0, 0.5, 0.3), [0.0, 1.0], 1.0, [0.5]),
    ],
)
def test_bad_input_is_refused(call):
    with pytest.raises(OutOfRangeError):
        call()


def test_nothing_happens_without_drive():
    (only,) = hotspot.profiles(0.0, 1.0, 0.4, 0.3)
    assert only.stable
    assert only.temperature(1.0) == pytest.approx(0.4)
    assert hotspot.uniform_branches(0.0, 1.0, 0.4)[0] == (0.4, True)


def test_a_sweep_at_a_very_low_frequency_comes_to_its_end():
    slow = (0.0138, 0.3, 0.3, 6)
    down, up = hotspot.switching_drives(*slow)
    assert up > 70.0
    drives = np.array([0.9 * down, 1.1 * down, 0.9 * up, 1.1 * up, 2.0 * up])
    sweep = hotspot.power_sweep(drives, *slow)
    assert sweep.switch_down == (drives[0], drives[1])
    assert sweep.switch_up == (drives[2], drives[3])
