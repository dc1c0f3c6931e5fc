"""Dry runs of a laboratory's plans, and the fixtures for its own tests."""

import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from stm_daq.commands.ci import FAILED, rehearse_for_ci
from stm_daq.night.dry_run import dry_run
from stm_daq.rehearsal import Rehearsal

from .conftest import EPOCH, ROOT, STATION


def changed(plan, name, blocks="", changes=()):
    text = plan.read_text() + blocks
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    other = plan.parent / name
    other.write_text(text)
    return other


def fails(plan, tmp_path, sites=4):
    return dry_run(plan, STATION, tmp_path / "runs", Rehearsal(epoch=EPOCH), sites).failures


def test_one_line_a_plan_a_file_for_the_server_and_an_exit_code(plan, tmp_path, capsys):
    late = changed(plan, "late.yaml", 'finish_before: "10 s"\n')
    far = changed(plan, "far.yaml", changes=[('["0 nm", "0 nm"]', '["5 um", "0 nm"]')])
    junit = tmp_path / "out/dry.xml"
    code = rehearse_for_ci([plan, late, far], STATION, tmp_path, None, None, None, False, junit)
    assert code == FAILED
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["ok", "FAIL", "FAIL"]
    assert "16 of 16 sites, 16 good fits" in lines[0]
    suite = ElementTree.parse(junit).getroot().find("testsuite")
    assert (suite.get("tests"), suite.get("failures")) == ("3", "2")
    texts = [[f.get("message") for f in case.findall("failure")] for case in suite]
    assert texts[0] == []
    assert "cannot finish" in texts[1][0]
    assert "outside the station's limits" in texts[2][0]


def test_a_guard_fails_a_plan(plan, tmp_path):
    bad = changed(plan, "bad.yaml", 'guards:\n  - {z: {max: "-200 nm"}, action: stop}\n')
    found = fails(bad, tmp_path)
    assert any(text.startswith("stopped: guard: z is bad") for text in found)
    assert any(text.startswith("guard: z is bad") for text in found)
    assert any("were not measured" in text for text in found)


def test_fits_that_say_nothing_fail_a_plan(plan, tmp_path):
    blind = changed(
        plan, "blind.yaml", changes=[('end: "-4 mV", points: 64', 'end: "3.5 mV", points: 64')]
    )
    assert any("fits can be trusted" in text for text in fails(blind, tmp_path))


def test_a_plan_with_mistakes_names_them_all(plan, tmp_path):
    wrong = changed(plan, "wrong.yaml", "colour: red\n", [("points: 64", "points: 64.5")])
    assert len(fails(wrong, tmp_path)) == 2


@pytest.mark.parametrize(
    "name", ["contact_series", "line", "polygon", "there_and_back", "adaptive"]
)
def test_the_examples_pass(name, tmp_path):
    assert fails(ROOT / f"plans/examples/{name}.yaml", tmp_path, sites=3) == ()


def test_the_tests_in_the_documentation_pass(tmp_path):
    page = (ROOT / "docs/lab_ci.md").read_text()
    conftest, tests = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "conftest.py").write_text(conftest)
    (tmp_path / "test_our_station.py").write_text(tests)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "station.yaml").write_text(STATION.read_text())
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans/line.yaml").write_text((ROOT / "plans/examples/line.yaml").read_text())
    line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout
