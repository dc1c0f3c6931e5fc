"""The command report on a run of power sweeps: findings, files, comparison, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import stm_daq
from stm_daq import night
from stm_daq.commands import report as command
from stm_daq.commands.report import ReportOptions, report_at_the_end, show_report
from stm_daq.errors import BadInputError
from stm_daq.rehearsal import Rehearsal
from stm_daq.report import recipes
from stm_daq.report.contents import findings_of

ROOT = Path(__file__).parents[2]
SHORTER = {
    '    - ["-400 nm", "-300 nm"]\n    - ["400 nm", "-300 nm"]\n    - ["-400 nm", "300 nm"]\n': "",
    "cycles: 4": "cycles: 2",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """Return one place of the microwave experiment, rehearsed."""
    folder = tmp_path_factory.mktemp("switching")
    text = (ROOT / "plans/inox_switching.yaml").read_text()
    for old, new in SHORTER.items():
        assert old in text
        text = text.replace(old, new)
    plan = folder / "plan.yaml"
    plan.write_text(text)
    prepared = night.prepare_night(plan, ROOT / "docs/stations/microwave_strip.yaml")
    result = night.rehearse(prepared, folder / "runs", Rehearsal(epoch=1.8e9, seed=3))
    assert result.ended.state == "finished"
    return result.folder


def test_the_switching_drives_are_those_of_the_equations(run: Path) -> None:
    name, findings = findings_of(stm_daq.open_run(run))
    found = {finding.key: finding for finding in findings}
    assert name == "bistability"
    assert found["bistable_share"].value == 100
    for key in ("up", "down"):
        measured, model = found[f"drive_{key}_18ghz"], found[f"model_drive_{key}_18ghz"]
        assert measured.value == pytest.approx(
            model.value, rel=0.08
        )  # Tc of one place: 1 %, J ~ Tc^3
    tc, true = found["critical_temperature"], found["true_critical_temperature"]
    assert abs(tc.value - true.value) < 3 * tc.std
    length, true = found["thermal_length"], found["true_thermal_length"]
    assert abs(length.value - true.value) < 3 * length.std


def test_findings_for_scripts_and_the_files(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show_report(run, ReportOptions(as_json=True))
    answer = json.loads(capsys.readouterr().out)
    assert answer["recipe"] == "bistability"
    assert answer["problems"] == []
    keys = {finding["key"] for finding in answer["findings"]}
    assert {"drive_up_18ghz", "width_18ghz", "thermal_length"} <= keys
    text = Path(answer["report"]).read_text()
    assert "from -34 dBm to -6 dBm and back in 43 points of 60 ms, 2 times at 18.23 GHz" in text
    assert "could not be drawn" not in text
    names = {file.name for file in (run / "report_figures").iterdir()}
    assert any(name.endswith("switching-drives-and-the-model.csv") for name in names)


def test_without_calibration_there_are_powers_and_no_drives(run: Path) -> None:
    dataset = stm_daq.open_run(run)
    text = dataset.attrs["plan_text"]
    dataset.attrs["plan_text"] = text[: text.index("report:")]
    found = {finding.key for finding in findings_of(dataset, "bistability")[1]}
    assert "width_18ghz" in found
    assert not any("drive" in key or "length" in key for key in found)


def test_a_comparison_with_itself_has_no_difference(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "both.html"
    show_report(run, ReportOptions(compare=run, out=out, as_json=True))
    answer = json.loads(capsys.readouterr().out)
    assert all(row["difference"] in (0, None) for row in answer["findings"])
    assert "The plans are the same." in out.read_text()


def test_what_the_command_refuses(run: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no recipe 'lead'"):
        show_report(run, ReportOptions(recipe="lead"))
    with pytest.raises(BadInputError, match="leave --pdf away"):
        show_report(run, ReportOptions(pdf=True, compare=run))
    with pytest.raises(BadInputError, match="--out FILE"):
        show_report(run, ReportOptions(out=tmp_path / "nowhere" / "report.html"))
    with pytest.raises(BadInputError):
        show_report(tmp_path / "missing.3ds", ReportOptions())


def test_a_file_of_another_program_has_a_report(tmp_path: Path) -> None:
    file = tmp_path / "spectrum.csv"
    rows = "\n".join(f"{k},{(k - 5) ** 2 + 1}" for k in range(11))
    file.write_text(f"Bias (mV),dI/dV (nS)\n{rows}\n")
    show_report(file, ReportOptions(recipe="none"))
    text = (tmp_path / "spectrum.csv.report.html").read_text()
    assert "spectrum.csv" in text
    assert "SHA-256" in text


def test_a_report_that_fails_costs_neither_night_nor_report(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(name: str) -> recipes.Recipe:
        raise RuntimeError("broken")

    monkeypatch.setattr(recipes, "recipe", fails)
    written = report_at_the_end(run)
    assert written is not None
    assert "broken" in written.read_text()
    monkeypatch.setattr(command, "report_run", lambda run, out: fails("all"))
    assert report_at_the_end(run) is None
    assert "tries again" in capsys.readouterr().err
