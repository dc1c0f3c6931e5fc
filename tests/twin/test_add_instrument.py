"""docs/add_instrument.md, carried out as it is written."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from sim.twin import Twin
from stm_daq.station.loader import load_station, open_station
from stm_daq.station.streams import streams_from

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "add_instrument.md").read_text(encoding="utf-8")
FILES = ("monitor.py", "station", "monitor.yaml", "use", "simulated.py", "simulation")
"""The blocks of the page, in order."""


@pytest.fixture
def blocks() -> dict[str, str]:
    found = re.findall(r"```(?:python|yaml)\n(.*?)```", PAGE, re.DOTALL)
    assert len(found) == len(FILES)
    return dict(zip(FILES, found, strict=True))


@pytest.fixture
def laboratory(
    blocks: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Return the folder in which my_lab lies."""
    folder = tmp_path / "my_lab"
    folder.mkdir()
    for name in ("monitor.py", "monitor.yaml", "simulated.py"):
        (folder / name).write_text(blocks[name], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("my_lab")]:
        del sys.modules[name]


def test_the_driver_and_its_adapter_have_thirty_lines(blocks: dict[str, str]) -> None:
    lines = [line for line in blocks["monitor.py"].splitlines() if line.strip()]
    assert len(lines) <= 30


def test_the_dialogue(blocks: dict[str, str], laboratory: Path) -> None:
    exec(compile(blocks["use"], "docs/add_instrument.md", "exec"), {})  # noqa: S102 - our own page


def test_the_station_on_the_twin(
    blocks: dict[str, str], laboratory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    station: dict[str, Any] = YAML(typ="safe").load(ROOT / "station.yaml")
    for name in ("station", "simulation"):
        merge(station, YAML(typ="safe").load(blocks[name]))
    path = laboratory / "station.yaml"
    YAML(typ="safe").dump(station, path)
    config = load_station(path)
    simulation = {key: value for key, value in config.simulation.items() if key != "type"}
    with Twin(simulation, config.instruments, epoch=1.8e9) as twin, streams_from(twin.open_stream):
        monkeypatch.setenv("PYVISA_LIBRARY", twin.visa_library)
        with open_station(config, twin.clock) as opened:
            reading = opened.thermometer.read()
            assert reading.fresh
            assert reading.kelvin == pytest.approx(0.5, abs=0.01)
            assert "monitor" in opened.snapshot()["instruments"]
        assert twin.unknown_commands() == []


def merge(target: dict[str, Any], changes: dict[str, Any]) -> None:
    """Put `changes` into nested dictionaries; a role is replaced as a whole."""
    for key, value in changes.items():
        if isinstance(value, dict) and key in target and "adapter" not in value:
            merge(target[key], value)
        else:
            target[key] = value
