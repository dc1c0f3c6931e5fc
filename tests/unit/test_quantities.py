"""Quantities: units are required, and nothing but a number with its unit is accepted."""

import math
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stm_daq.quantities import parse, show, show_duration

PREFIXES = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "µ": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3}
UNITS = ("V", "A", "m", "s", "Hz", "eV", "K")
finite = st.floats(-1e9, 1e9, allow_nan=False).filter(lambda x: x == 0 or abs(x) > 1e-9)


@given(
    finite, st.sampled_from(sorted(PREFIXES)), st.sampled_from(UNITS), st.sampled_from(["", " "])
)
@settings(deadline=None)
def test_prefixes_scale_by_their_power_of_ten(number, prefix, unit, space):
    value = parse(f"{number!r}{space}{prefix}{unit}", unit)
    assert value == pytest.approx(number * PREFIXES[prefix], rel=1e-12)


@given(finite.filter(lambda x: 1e-15 < abs(x) < 9e8 or x == 0), st.sampled_from(("V", "A", "m")))
@settings(deadline=None)
def test_what_is_shown_can_be_read_again(value, unit):
    assert parse(show(value, unit, digits=12), unit) == pytest.approx(value, rel=1e-10)


@given(st.text(max_size=30))
@settings(deadline=None)
def test_any_text_is_a_number_or_a_value_error(text):
    with suppress(ValueError):
        assert math.isfinite(parse(text, "V"))


@pytest.mark.parametrize("value", [4, 4e-3, True, None, [1], "4", " 4e-3 "])
def test_without_a_unit_it_is_refused(value):
    with pytest.raises(ValueError, match="needs a unit"):
        parse(value, "V")


@pytest.mark.parametrize(
    "text",
    ["mV", "4 mV + 1 mV", "2 * 2 mV", "1 2 V", "(4 mV", "4 mV)", "4 mA", "4 parrots", "1e400 V",
     "nan V", "inf V", "", "__import__('os')", "1 V**9**9**9", "4 m V"],
)  # fmt: skip
def test_only_one_number_and_its_unit_are_read(text):
    with pytest.raises(ValueError, match=r"quantity|unit"):
        parse(text, "V")


@pytest.mark.parametrize("text", ["60 rpm", "6.28 rad/s", "360 deg/s"])
def test_angular_frequencies_do_not_pass_as_frequencies(text):
    with pytest.raises(ValueError, match="not a quantity in Hz"):
        parse(text, "Hz")


def test_angles_powers_and_compound_units():
    assert parse("180 deg", "rad") == pytest.approx(math.pi)
    assert parse("-7.5 dBm", "dBm") == -7.5
    assert parse("2 pm/min", "m/s") == pytest.approx(2e-12 / 60)
    assert parse("4.3e-15 A/Hz**0.5", "A/Hz**0.5") == pytest.approx(4.3e-15)
    assert parse("200 mV/s", "V/s") == pytest.approx(0.2)
    for wrong in ("-7.5", "7 dB", "x dBm", "nan dBm"):
        with pytest.raises(ValueError, match="dBm"):
            parse(wrong, "dBm")


def test_people_see_prefixes():
    assert show(4e-3, "V") == "4 mV"
    assert show(-1.4e-4, "V") == "-140 µV"
    assert show(0.99999, "V") == "1 V"
    assert show(-20, "dBm") == "-20 dBm"
    assert show_duration(11.7 * 3600) == "11 h 42 min"
    assert show_duration(0.5) == "0.5 s"
