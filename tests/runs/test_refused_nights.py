"""Nights that plan, station and twin do not allow, and how that is told."""

from pathlib import Path

import pytest

from stm_daq import night
from stm_daq.errors import InstrumentError
from stm_daq.rehearsal import Rehearsal

ROOT = Path(__file__).parents[2]
STATION = (ROOT / "station.yaml").read_text(encoding="utf-8")


@pytest.fixture
def station(tmp_path):
    """Return a writer of changed stations."""

    def write(*changes: tuple[str, str]) -> Path:
        text = STATION
        for old, new in changes:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        path = tmp_path / "station.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_tip_that_comes_to_its_limits_of_z_is_noticed(plan, station, tmp_path):
    path = station(('z: {min: "-250 nm", max: "250 nm"}', 'z: {min: "-1 nm", max: "1 nm"}'))
    prepared = night.prepare_night(plan, path)
    with pytest.raises(InstrumentError, match="limits of z"):
        night.rehearse(prepared, tmp_path / "runs", Rehearsal(epoch=1.8e9))
