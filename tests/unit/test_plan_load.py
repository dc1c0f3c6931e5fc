"""Plans: every mistake at once, at its place; physics checked across blocks."""

from pathlib import Path

import numpy as np
import pytest

from stm_daq.errors import BadInputError
from stm_daq.plan import groups, list_voltages, load_plan, step_count, steps

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
    assert plan.sites.frame.width == pytest.approx(42e-9)
    assert plan.sites.topograph_shape == (64, 64)
    assert plan.sites.shape == (32, 32)
    assert plan.sites.topograph.line_time == 2.0
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
        (place(text, '"256"'), "sweep.bias.points: should be a valid integer, not '256'"),
        (place(text, '"2 ms"', "dwell"), "sweep.bias.dwell: the dwell is only 0.67 lock-in"),
        (place(text, '"140 uA"'), "sweep.modulation.peak: '140 uA' is not a quantity in V"),
        (place(text, "timming"), "timming: unknown key (did you mean 'timing'?)"),
        (place(text, '"-150 ms"'), "timming.settle: should be greater than or equal to 0"),
        (place(text, "bkt"), "fit.model: should be 'btk' or 'none', not 'bkt'"),
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


AXES = """
axes:
  - temperature: {values: ["0.5 K", "1 K"], tolerance: "20 mK", stable: "60 s", deadline: "1 h"}
  - setpoint_current: {start: "100 pA", end: "1 nA", count: 3, spacing: logarithmic}
  - parameter: {name: magnet.field, unit: T, values: [0.0, 0.1], tolerance: 0.001}
  - repeat: 2
sites:
"""


def test_outer_axes_are_nested_the_last_one_the_fastest(load):
    plan = load(("\nsites:\n", AXES))
    assert [axis.name for axis in plan.axes] == [
        "set_temperature",
        "set_current",
        "magnet_field",
        "repeat",
    ]
    assert plan.axes[1].values == pytest.approx((1e-10, 10**-9.5, 1e-9))
    found = list(steps(plan.axes))
    assert len(found) == step_count(plan.axes) == 24
    assert [step.number for step in found] == list(range(24))
    assert found[0].changed == (0, 1, 2, 3)
    assert found[1].changed == (3,)
    assert found[2].changed == (2, 3)
    assert found[12].values == pytest.approx((1.0, 1e-10, 0.0, 0.0))
    assert found[12].changed == (0, 1, 2, 3)


@pytest.mark.parametrize(
    ("old", "new", "path", "says"),
    [
        ("- repeat: 2", "- {}", "axes[3]", "exactly one of temperature"),
        ("- repeat: 2", "- repeat: 2\n  - repeat: 3", "axes[4]", "'repeat' is an axis already"),
        ("count: 3, ", "", "axes[1].setpoint_current", "needs values, or start, end and count"),
        ("- repeat", "- repeet", "axes[3].repeet", "did you mean 'repeat'"),
        ('"20 mK"', '"20 mV"', "axes[0].temperature.tolerance", "not a quantity in K"),
        ("- repeat: 2", '- setpoint_bias: {values: ["0 V"]}', "axes[3].setpoint_bias", "crash"),
    ],
)
def test_mistakes_in_outer_axes_are_told_with_their_place(load, old, new, path, says):
    found = problems(load, ("\nsites:\n", AXES.replace(old, new)))
    assert any(text.startswith(f"{path}: ") and says in text for _, _, text in found), found


GRID = DEMO[DEMO.index("  grid:") : DEMO.index("sweep:")]


def test_a_grid_without_a_topograph(load):
    frame = 'frame: {centre: ["1 nm", "0 nm"], size: ["20 nm", "10 nm"]}'
    plan = load((GRID, f"  grid: {{{frame}, columns: 4, rows: 2}}\n"))
    assert plan.sites.shape == (2, 4)
    assert plan.sites.topograph is None
    assert plan.sites.x == pytest.approx(np.array([2.5, 7.5, 12.5, 17.5]) * 1e-9)
    assert plan.sites.positions[1, 3] == pytest.approx([1e-9 + 7.5e-9, 2.5e-9])


def test_a_line_and_a_list_of_points(load):
    plan = load((GRID, '  line: {start: ["0 nm", "0 nm"], end: ["3 nm", "4 nm"], count: 6}\n'))
    assert plan.sites.shape == (1, 6)
    assert plan.sites.x == pytest.approx(np.arange(6) * 1e-9)
    assert plan.sites.positions[0, 5] == pytest.approx([3e-9, 4e-9])
    plan = load((GRID, '  points: [["0 nm", "0 nm"], ["3 nm", "4 nm"], ["3 nm", "0 nm"]]\n'))
    assert plan.sites.x == pytest.approx(np.array([0, 5, 9]) * 1e-9)
    assert plan.sites.kind == "points"


def test_a_polygon_leaves_sites_out(load):
    polygon = (
        'polygon: [["0 nm", "-30 nm"], ["30 nm", "-30 nm"], ["30 nm", "30 nm"], ["0 nm", "30 nm"]]'
    )
    plan = load(("every: 2 ", f"{polygon}\n    every: 2 "))
    assert plan.sites.count == 32 * 16
    assert [s.col for s in groups(plan.sites)[0].sites] == list(range(16, 32))


@pytest.mark.parametrize(
    ("changes", "path", "says"),
    [
        ((("sites:\n", 'sites:\n  points: [["0 nm", "0 nm"]]\n'),), "sites", "exactly one of grid"),
        (((GRID, "  order: rows\n"),), "sites", "none of them"),
        ((("every: 2 ", "columns: 2 "),), "sites.grid", "needs topograph and every"),
        ((("points: 256, ", ""),), "sweep.bias", "needs end and points, or segments"),
        ((("sweep:\n", "sweep:\n  z_offset: 1 nm\n"),), "sweep.z_offset", ""),
    ],
)
def test_choices_left_open_are_told(load, changes, path, says):
    if path == "sweep.z_offset":
        bias = DEMO[DEMO.index("  bias: {start") : DEMO.index("  modulation:")]
        z = '  kind: points\n  z: {start: "0 pm", end: "-200 pm", points: 8, dwell: "20 ms"}\n'
        changes = (*changes, (bias, z))
        says = "belongs to a sweep of the bias"
    found = problems(load, *changes)
    assert any(text.startswith(f"{path}: ") and says in text for _, _, text in found), found


def test_segments_are_dense_where_the_gap_is_and_the_way_back_doubles_them(load):
    bias = DEMO[DEMO.index("  bias: {start") : DEMO.index("  modulation:")]
    parts = '[{end: "2 mV", points: 4}, {end: "-2 mV", points: 40}, {end: "-4 mV", points: 4}]'
    plan = load(
        (bias, f'  bias: {{start: "4 mV", segments: {parts}, dwell: "10 ms", back: true}}\n')
    )
    way = plan.sweep.bias[:49]
    assert plan.sweep.directions == 2
    assert len(plan.sweep.bias) == 98
    assert np.array_equal(plan.sweep.bias[49:], way[::-1])
    assert np.diff(way)[[0, 10, 47]] == pytest.approx([-0.5e-3, -0.1e-3, -0.5e-3])
    assert np.array_equal(list_voltages(plan.sweep, 1e-3, 1.0), plan.sweep.bias)


def test_a_sweep_of_z_keeps_the_bias_of_the_set_point(load):
    bias = DEMO[DEMO.index("  bias: {start") : DEMO.index("  modulation:")]
    z = '  kind: points\n  z: {start: "0 pm", end: "-200 pm", points: 8, dwell: "20 ms"}\n'
    plan = load((bias, z))
    assert plan.sweep.swept_name == "z"
    assert plan.sweep.swept == pytest.approx(np.linspace(0, -200e-12, 8))
    assert np.all(plan.sweep.bias == plan.setpoint_bias)
