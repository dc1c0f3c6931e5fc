"""station.yaml: every mistake at once, at its place; nothing is imported or opened."""

import sys
from pathlib import Path

import pytest

from stm_daq.errors import BadInputError, OutOfRangeError
from stm_daq.station.loader import load_station

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "station.yaml").read_text(encoding="utf-8")


@pytest.fixture
def load(tmp_path):
    def load_changed(*changes: tuple[str, str]):
        text = REFERENCE
        for old, new in changes:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        path = tmp_path / "station.yaml"
        path.write_text(text, encoding="utf-8")
        return load_station(path)

    return load_changed


def mistakes(load, *changes) -> list[str]:
    """Return the text of every problem."""
    with pytest.raises(BadInputError) as caught:
        load(*changes)
    return [problem.text for problem in caught.value.problems]


def test_the_reference_station():
    config = load_station(ROOT / "station.yaml")
    assert list(config.instruments) == ["nanonis", "sr830", "qdac", "preamp", "ls372", "sgs100a"]
    assert config.instruments["nanonis"]["port"] == 6501
    assert config.roles["bias"].instrument == "qdac"
    assert config.roles["bias"].adapter == "drivers.qdac2.Qdac2Bias"
    assert config.roles["bias"].options == {"channel": 1, "divider": 0.01, "trigger": 1}
    assert (config.limits.bias.low, config.limits.bias.high) == pytest.approx((-0.01, 0.01))
    assert config.limits.bias_slew == pytest.approx(0.2)
    assert config.limits.bias_step == pytest.approx(1e-3)
    assert config.limits.setpoint_current.high == pytest.approx(2e-9)
    assert config.limits.microwave_power.high == -20
    assert config.simulation is not None
    assert config.simulation["type"] == "sim.twin.Twin"
    assert config.text == REFERENCE


def test_loading_imports_no_driver(load):
    load(("type: drivers.nanonis.NanonisController", "type: no.such.package.Driver"))
    assert "no" not in sys.modules


def test_optional_roles_and_blocks_may_be_absent(load):
    roles = REFERENCE[REFERENCE.index("  thermometer:") : REFERENCE.index("limits:\n")]
    limits = REFERENCE[REFERENCE.index("  microwave_power:") : REFERENCE.index("simulation:\n")]
    simulation = REFERENCE[REFERENCE.index("simulation:\n") :]
    config = load((roles, ""), (limits, ""), (simulation, ""))
    assert set(config.roles) == {"stm", "bias", "lockin", "preamplifier"}
    assert config.simulation is None


@pytest.mark.parametrize("limit", ["microwave_power", "temperature"])
def test_a_role_needs_its_limit(load, limit):
    line = next(x for x in REFERENCE.splitlines() if x.startswith(f"  {limit}:"))
    assert "this key is missing (there is a" in mistakes(load, (line, ""))[0]


def test_without_a_limit_nothing_is_allowed(load):
    roles = REFERENCE[REFERENCE.index("  thermometer:") : REFERENCE.index("limits:\n")]
    limits = REFERENCE[REFERENCE.index("  microwave_power:") : REFERENCE.index("simulation:\n")]
    config = load((roles, ""), (limits, ""))
    for allowed in (config.limits.microwave_power, config.limits.temperature):
        with pytest.raises(OutOfRangeError):
            allowed.require(0.5, "a value")


def test_every_mistake_is_reported_at_once(load):
    changes = (
        ("    port: 6501", "    port: abc\n    parameters: {z: {limit: [0, 1]}}"),
        ("    address: GPIB0::8::INSTR", "    adress: GPIB0::8::INSTR"),
        ("    instrument: qdac", "    instrument: qdak"),
        ("  thermometer: {", "  thermometr: {"),
        ('slew: "200 mV/s"', 'slew: "200 mV"'),
        ('step: "1 mV"', "step: 0.001"),
        ('max: "2 nA"', 'max: "0.5 pA"'),
        ("  fridge:", "  fridg:"),
        ("    sgs100a: {type", "    sgs100: {type"),
        ("type: drivers.dlpca200.Dlpca200\n", "type: Dlpca200\n"),
    )
    with pytest.raises(BadInputError) as caught:
        load(*changes)
    text = REFERENCE
    for old, new in changes:
        text = text.replace(old, new)
    expected = [
        ("abc", "instruments.nanonis.port: should be a valid integer"),
        (
            "limit: [",
            "instruments.nanonis.parameters.z.limit: unknown key (did you mean 'limits'?)",
        ),
        ("adress", "instruments.sr830.adress: unknown key (did you mean 'address'?)"),
        ("Dlpca200\n", "instruments.preamp.type: should be a dotted path"),
        ("qdak", "roles.bias.instrument: there is no instrument 'qdak' (did you mean 'qdac'?)"),
        ("thermometr:", "roles.thermometr: unknown key (did you mean 'thermometer'?)"),
        ('"200 mV"', "limits.bias.slew: '200 mV' is not a quantity in V/s"),
        ("0.001", "limits.bias.step: needs a unit"),
        ('"1 pA"', "limits.setpoint_current.min: min (1 pA) must be less than max (500 fA)"),
        ("sgs100: ", "simulation.devices.sgs100: there is no instrument 'sgs100'"),
        ("fridg:", "simulation.fridg: unknown key (did you mean 'fridge'?)"),
    ]
    found = caught.value.problems
    assert len(found) == len(expected)
    for problem, (word, says) in zip(found, expected, strict=True):
        assert problem.text.startswith(says)
        line = text.splitlines()[problem.line - 1] + "\n"
        assert line[problem.column - 1 :].startswith(word)


@pytest.mark.parametrize("key", ["initial_value: 0", "scale: 100", "offset: 1"])
@pytest.mark.parametrize(
    ("instrument", "role"),
    [
        ("nanonis", "stm"),
        ("qdac", "bias"),
        ("sr830", "lockin"),
        ("preamp", "preamplifier"),
        ("ls372", "thermometer"),
        ("sgs100a", "microwave"),
    ],
)
@pytest.mark.parametrize(
    "block",
    ["parameters: {{a: {{{0}}}}}", "add_parameters: {{a: {{{0}}}}}", "ch01: {{a: {{{0}}}}}"],
)
def test_settings_that_could_move_tip_bias_or_power_are_refused(load, instrument, role, key, block):
    old = f"\n  {instrument}:\n"
    (text,) = mistakes(load, (old, f"{old}    {block.format(key)}\n"))
    assert f"not allowed on the instrument of the role '{role}'" in text


def test_the_amplitude_of_the_lock_in_is_not_written_on_opening(load):
    old = "\n  sr830:\n"
    change = (old, f"{old}    parameters: {{amplitude: {{initial_value: 1.0}}}}\n")
    (text,) = mistakes(load, change)
    assert "role 'lockin': it would be written to the hardware" in text


def test_without_a_role_an_initial_value_is_allowed(load):
    spare = "parameters: {phase: {initial_value: 0, limits: [-1, 1]}}"
    config = load(("instruments:\n", f"instruments:\n  spare: {{type: a.Box, {spare}}}\n"))
    (limit,) = config.narrowed
    assert (limit.instrument, limit.parameter, limit.low, limit.high) == ("spare", "phase", -1, 1)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ("parameters: {phase: {limits: [1, 0]}}", "must be less"),
        ("parameters: {phase: {limits: [0]}}", "missing"),
        ("parameters: {phase: {limits: [null, 1]}}", "valid number"),
        ("parameters: {phase: {limits: high}}", "valid tuple"),
        ("parameters:", "has no value"),
        ("paramters: {phase: {label: x}}", "did you mean 'parameters'?"),
        ("inlt: {timeout: 1}", "did you mean 'init'?"),
        ("driver: qcodes.x", "write the whole dotted path"),
        ("buffers: {ch1: {lable: x}}", "did you mean 'label'?"),
        ("visalib: '@sim'", "unknown key"),
        ("enable_forced_reconnect: 1", "valid boolean"),
    ],
)
def test_mistakes_in_an_instrument(load, settings, says):
    old = "\n  sr830:\n"
    (text,) = mistakes(load, (old, f"{old}    {settings}\n"))
    assert says in text


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ("{limits: [0, 1], initial_value: 2}", "outside the limits"),
        ("{initial_value: {a: 1}}", "not a block"),
    ],
)
def test_mistakes_in_an_initial_value(load, settings, says):
    spare = f"  spare: {{type: a.Box, parameters: {{phase: {settings}}}}}\n"
    (text,) = mistakes(load, ("instruments:\n", f"instruments:\n{spare}"))
    assert says in text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('min: "-10 mV"', 'min: "1 mV"'), "0 V must lie between"),
        (('min: "-10 mV"', 'min: "20 mV"'), "must be less than max"),
        (('step: "1 mV"', 'step: "30 mV"'), "wider than the whole range"),
        (('step: "1 mV"', 'step: "0 mV"'), "greater than 0"),
        (('min: "1 pA"', 'min: "-1 pA"'), "greater than 0"),
        (('min: "-250 nm"', 'min: "300 nm"'), "must be less than max"),
        (('min: "-120 dBm"', 'min: "-120"'), "dBm"),
        (("  microwave_power: {", "  microwave_powr: {"), "did you mean 'microwave_power'?"),
        (
            ("adapter: drivers.sr830.Sr830LockIn", "adaptor: drivers.sr830.Sr830LockIn"),
            "'adapter'?",
        ),
        (("instruments:\n", "instrument:\n"), "did you mean 'instruments'?"),
    ],
)
def test_mistakes_in_limits_and_roles(load, change, says):
    assert any(says in text for text in mistakes(load, change))


def test_a_microwave_needs_its_limit(load):
    power = next(x for x in REFERENCE.splitlines() if x.startswith("  microwave_power:"))
    (text,) = mistakes(load, (power, ""))
    assert "there is a microwave" in text


def with_monitor(block):
    head = "instruments:\n  nanonis:"
    return head, f"monitor: {block}\n{head}"


def test_how_a_station_is_watched(load):
    plain = load().monitor
    assert (plain.name, plain.listen, plain.port, plain.keys) == ("", "127.0.0.1", 5550, None)
    config = load(with_monitor("{name: STM 2, listen: 0.0.0.0, port: 6000, keys: our keys}"))
    assert (config.monitor.name, config.monitor.listen, config.monitor.port) == (
        "STM 2",
        "0.0.0.0",
        6000,
    )
    assert config.monitor.keys == config.path.parent / "our keys"


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ("{listen: 0.0.0.0}", "only with keys"),
        ("{listen: everywhere}", "'everywhere' is no address"),
        ("{port: 70000}", "monitor.port: should be less than or equal to 65533"),
        ("{port: '5550'}", "monitor.port: should be a valid integer"),
        ("{lisen: 127.0.0.1}", "unknown key (did you mean 'listen'?)"),
        ("{keys: 3}", "monitor.keys: should be a valid string"),
    ],
)
def test_mistakes_in_how_a_station_is_watched(load, block, text):
    (mistake,) = mistakes(load, with_monitor(block))
    assert text in mistake
