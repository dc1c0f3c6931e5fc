"""Every flag that a fit can raise has an explanation."""

from __future__ import annotations

import ast
from pathlib import Path

import stm_daq.fitting
from stm_daq.fitting import EXPLANATIONS, explain
from stm_daq.fitting.models import MODELS, NAMES
from stm_daq.fitting.verdict import FATAL, is_ok


def words_in_the_source():
    """Flag-like string constants of the modules that raise flags."""
    folder = Path(stm_daq.fitting.__file__).parent
    for name in ("judge.py", "spectrum.py", "measured.py"):
        for node in ast.walk(ast.parse((folder / name).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in (
                "append",
                "_hopeless",
            ):
                yield from (a.value for a in node.args if isinstance(a, ast.Constant))


def test_every_flag_is_explained():
    raised = set(words_in_the_source()) - set(NAMES)
    assert len(raised) >= 8
    assert raised <= set(EXPLANATIONS)
    free = {name for model in MODELS.values() for name in model.free} | {"slope"}
    assert {f"{name}_at_bound" for name in free - {"barrier"}} <= set(EXPLANATIONS)
    assert set(EXPLANATIONS) >= FATAL


def test_ok_and_words_for_people():
    assert is_ok(())
    assert is_ok(("barrier_upper_limit", "correlated"))
    assert not is_ok(("barrier_upper_limit", "no_gap"))
    (sentence,) = explain(("no_gap",))
    assert sentence.startswith("no_gap: ")
    assert "background" in sentence
