"""Plans: every mistake at once, at its place; physics checked across blocks."""

from pathlib import Path

import numpy as np
import pytest

from stm_daq.errors import BadInputError
from stm_daq.plan import load_plan

ROOT = Path(__file__).parents[2]
DEMO = (ROOT / "plans/tin_demo.yaml").read_text(encoding="utf-8")


@pytest.fixture
def load(tmp_path):
    def load_changed(*changes: tuple[str, str]):
        text = DEMO
        for old, new in changes:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        path = tmp_path / "plan.yaml"
        path.write_text(text, encoding="utf-8")
        return load_plan(path)

    return load_changed


def problems(load, *changes) -> list[tuple[int, int, str]]:
    with pytest.raises(BadInputError) as caught:
        load(*changes)
    lines = str(caught.value).splitlines()
    assert [str(problem) for problem in caught.value.problems] == lines
    return [(p.line, p.column, p.text) for p in caught.value.problems]


def place(text: str, word: str, start: str = "") -> tuple[int, int]:
    """Line and column of `word` in `text`, after the first `start`."""
    at = text.index(word, text.index(start))
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


@pytest.mark.parametrize("name", ["tin_demo", "tin_overnight"])
def test_shipped_plans_are_clean(name):
    plan = load_plan(ROOT / f"plans/{name}.yaml")
    assert plan.warnings == ()
    assert plan.text == (ROOT / f"plans/{name}.yaml").read_text(encoding="utf-8")


def test_the_demo_in_si():
    plan = load_plan(ROOT / "plans/tin_demo.yaml")
    assert plan.setpoint_bias == pytest.approx(4e-3)
    assert plan.setpoint_current == pytest.approx(100e-12)
    assert plan.expected_temperature == pytest.approx(0.5)
    assert plan.temperature_tolerance == pytest.approx(0.05)
    assert plan.grid.frame.width == pytest.approx(42e-9)
    assert plan.grid.topograph_shape == (64, 64)
    assert plan.grid.shape == (32, 32)
    assert plan.grid.line_time == 2.0
    assert plan.sweep.bias.shape == (256,)
    assert plan.sweep.bias[[0, -1]] == pytest.approx([4e-3, -4e-3])
    assert np.all(np.diff(plan.sweep.bias) < 0)
    assert plan.sweep.dwell == pytest.approx(0.01)
    assert plan.sweep.modulation_peak == pytest.approx(140e-6)
    assert plan.sweep.modulation_frequency == 797.0
    assert plan.sweep.time_constant == pytest.approx(3e-3)
    assert plan.timing.settle == pytest.approx(0.15)
    assert plan.fit_model == "btk"


def test_optional_blocks_may_be_absent(load):
    plan = load(('temperature: {expect: "0.5 K", tolerance: "50 mK"}\n', ""))
    assert plan.expected_temperature is None
    assert plan.temperature_tolerance is None


def test_every_mistake_is_reported_at_once(load):
    changes = (
        ('current: "100 pA"', "current: 100"),
        ("every: 2 ", "evry: 2 "),
        ("points: 256", 'points: "256"'),
        ('dwell: "10 ms"', 'dwell: "2 ms"'),
        ('start: "4 mV"', 'start: "5 mV"'),
        ('"140 uV"', '"140 uA"'),
        ("model: btk", "model: bkt"),
        ("sample: TiN 50 nm (twin)", "name: again"),
        ("timing:", "timming:"),
        ('"150 ms"', '"-150 ms"'),
        ('size: ["42 nm", "42 nm"]', 'size: ["42 nm"]'),
    )
    text = DEMO
    for old, new in changes:
        text = text.replace(old, new)
    found = problems(load, *changes)
    expected = [
        (place(text, "plan:"), "sample: this key is missing"),
        (place(text, "name: again"), "the key 'name' appears twice (first in line 5)"),
        (
            place(text, "100}"),
            'setpoint.current: needs a unit: write it as text, for example "100 A"',
        ),
        (place(text, '["42 nm"]'), "sites.grid.frame.size[1]: this value is missing"),
        (place(text, "evry"), "sites.grid.evry: unknown key (did you mean 'every'?)"),
        (place(text, '"5 mV"'), "sweep.bias.start: the sweep starts at 5 mV but the set-point"),
        (place(text, '"256"'), "sweep.bias.points: should be a valid integer, not '256'"),
        (place(text, '"2 ms"', "dwell"), "sweep.bias.dwell: the dwell is only 0.67 lock-in"),
        (place(text, '"140 uA"'), "sweep.modulation.peak: '140 uA' is not a quantity in V"),
        (place(text, "timming"), "timming: unknown key (did you mean 'timing'?)"),
        (place(text, '"-150 ms"'), "timming.settle: should be greater than or equal to 0"),
        (place(text, "bkt"), "fit.model: should be 'btk', not 'bkt'"),
    ]
    assert [(line, column) for line, column, _ in found] == [where for where, _ in expected]
    for (_, _, text_found), (_, text_expected) in zip(found, expected, strict=True):
        assert text_found.startswith(text_expected)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("plan: 1 ", "plan: 2 ", "plan: this program reads version 1"),
        ("plan: 1 ", "plan: true ", "plan: this program reads version 1"),
        ('end: "-4 mV"', 'end: "4 mV"', "start and end must differ"),
        ("points: 256", "points: 1", "greater than or equal to 2"),
        ("points: 256", "points: 256.5", "valid integer"),
        ("points: 256", "points: true", "valid integer"),
        ("points: 256", "points: 20000", "less than or equal to 16000"),
        ("every: 2 ", "every: 3 ", "3 does not divide the 64 columns"),
        ("every: 2 ", "every: 0 ", "greater than or equal to 1"),
        ('["42 nm", "42 nm"]', '["42 nm", "0 nm"]', "greater than 0"),
        ('["42 nm", "42 nm"]', '["42 nm", "42 nm", "1 nm"]', "size"),
        ('peak: "140 uV"', 'peak: "0 V"', "greater than 0"),
        ('peak: "140 uV"', 'peak: "5 mV"', "as wide as the whole sweep"),
        ('constant: "3 ms"', 'constant: "1 ms"', "shorter than one period"),
        ('tolerance: "50 mK"', 'tolerance: "1 K"', "checks nothing"),
        ('current: "100 pA"', 'current: "-100 pA"', "greater than 0"),
        ("fit: {model: btk}", "fit:", "fit: has no value"),
        ("fit: {model: btk}", "fit: btk", "should be a block"),
        ("name: TiN demo map", 'name: ""', "at least 1 character"),
        ("name: TiN demo map", "name: 7", "valid string"),
        ('angle: "0 deg"', "angle: 0", "needs a unit"),
    ],
)
def test_one_mistake(load, old, new, says):
    ((line, column, text),) = problems(load, (old, new))
    assert says in text
    changed = DEMO.replace(old, new).splitlines()[line - 1]
    assert new.strip() in changed
    assert 1 <= column <= len(changed)


def test_a_setpoint_without_bias_is_refused(load):
    found = problems(load, ('setpoint: {bias: "4 mV"', 'setpoint: {bias: "0 mV"'))
    assert any("crash the tip" in text for _, _, text in found)


def test_doubts_are_warnings(load):
    plan = load(('dwell: "10 ms"', 'dwell: "4 ms"'), ("points: 256", "points: 20"))
    assert [(w.line, "only 1.3 lock-in" in w.text or "wider than" in w.text) for w in plan.warnings]
    assert len(plan.warnings) == 2
    where = place(DEMO.replace("10 ms", "4 ms").replace("256", "20"), '"4 ms"')
    assert where in [(w.line, w.column) for w in plan.warnings]
    assert str(plan.path) in str(plan.warnings[0])


def test_an_exact_third_of_the_dwell_is_enough(load):
    assert load(('dwell: "10 ms"', 'dwell: "9 ms"')).warnings == ()
