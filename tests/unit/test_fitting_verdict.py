"""Every flag that a fit can raise has an explanation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import stm_daq.fitting
from stm_daq.fitting import EXPLANATIONS, MODELS, explain, grade
from stm_daq.fitting.models import family
from stm_daq.fitting.verdict import FATAL, is_ok, meaning


def raised_in_the_source():
    """Flag-like words at the places where flags are raised."""
    folder = Path(stm_daq.fitting.__file__).parent
    for name, pattern in (
        ("judge.py", r'\("([a-z]+_[a-z_]+)"[,\)]'),
        ("stack.py", r'return "([a-z_]+)"'),
        ("measured.py", r'flags, "([a-z_]+)"'),
    ):
        yield from re.findall(pattern, (folder / name).read_text(encoding="utf-8"))


def test_every_flag_is_explained():
    raised = set(raised_in_the_source())
    assert {"no_gap", "second_minimum", "constant", "calibration"} <= raised
    assert {flag for flag in raised if meaning(flag) is None} == set()
    for model in MODELS.values():
        for name in set(model.names) - {"current_offset"}:
            if family(name) != "barrier":
                assert meaning(f"{name}_at_bound"), name
    assert set(EXPLANATIONS) >= FATAL


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ((), "good"),
        (("barrier_upper_limit", "correlated:gap-barrier", "not_white"), "good"),
        (("model_inadequate", "correlated:gap-barrier"), "doubtful"),
        (("model_inadequate", "gap2_at_bound"), "failed"),
        (("no_gap",), "failed"),
    ],
)
def test_grades(flags, expected):
    assert grade(flags) == expected
    assert is_ok(flags) == (expected == "good")


def test_ok_and_words_for_people():
    assert is_ok(())
    assert is_ok(("barrier_upper_limit", "correlated:gap-temperature"))
    assert not is_ok(("barrier_upper_limit", "no_gap"))
    assert not is_ok(("gap2_at_bound",))
    (sentence,) = explain(("correlated:gap1-gap2",))
    assert sentence.startswith("correlated:gap1-gap2: ")
    assert "told apart" in sentence


@pytest.mark.parametrize("flag", ["barrier_upper_limit", "barrier2_upper_limit", "gap1_at_bound"])
def test_numbers_of_channels_do_not_matter(flag):
    assert meaning(flag) is not None
    assert meaning("nonsense") is None
