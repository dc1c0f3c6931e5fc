"""Every reply may fail: a sample of the cases of ``benchmarks/every_reply.py``."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from sim.faults import KINDS

PATH = Path(__file__).parents[2] / "benchmarks" / "every_reply.py"
SAMPLES = 3
"""Messages per kind of fault, spread over the run and shifted from kind to kind."""


def campaign() -> ModuleType:
    """Import the benchmark."""
    name = "every_reply"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, PATH)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="module")
def laboratory() -> Iterator:
    with campaign().Laboratory() as made:
        yield made


@pytest.mark.parametrize("kind", list(KINDS))
def test_whatever_fails_the_tip_is_safe_and_bad_data_are_flagged(laboratory, kind):
    number = list(KINDS).index(kind)
    struck = 0
    for sample in range(SAMPLES):
        part = (sample + (number + 0.5) / len(KINDS)) / SAMPLES
        message = 1 + int(part * laboratory.messages)
        outcome = laboratory.run(**campaign().fault_of(kind, message))
        assert outcome.complaints == [], f"{kind}:{message}"
        struck += outcome.faults
    assert struck > 0


def test_the_campaign_notices_what_must_not_be(laboratory, monkeypatch):
    """A judge that never complains is no judge."""
    from stm_daq.sequencer.sweep import DacSweep

    monkeypatch.setattr(DacSweep, "_suspicions", lambda *_: ())
    outcome = laboratory.run(kind="stuck", count=laboratory.messages // 2, lasting=1e4)
    assert any("unflagged" in complaint for complaint in outcome.complaints)
