"""Moments as people write them."""

from datetime import datetime

import pytest

from stm_daq.plan import moment

NOW = datetime(2026, 11, 21, 20, 30).timestamp()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("21:00", datetime(2026, 11, 21, 21, 0)),
        ("08:00", datetime(2026, 11, 22, 8, 0)),
        ("20:30", datetime(2026, 11, 22, 20, 30)),
        ("2026-11-23 08:00", datetime(2026, 11, 23, 8, 0)),
        ("90 min", datetime(2026, 11, 21, 22, 0)),
    ],
)
def test_a_moment_is_a_time_of_day_a_date_or_a_duration(text, expected):
    assert moment(text, NOW) == expected.timestamp()


@pytest.mark.parametrize("text", ["tomorrow", "25:00", "8", "4 mV", "2026-13-01 08:00", ""])
def test_anything_else_is_refused_with_examples(text):
    with pytest.raises(ValueError, match="time of day"):
        moment(text, NOW)
