"""Compiled kernels are kept on the disk, and renewed when any kernel changes."""

from __future__ import annotations

import ast
import importlib.util
import logging
from pathlib import Path

import numba
import pytest

import stm_daq
from stm_daq.physics import kernel_cache

PACKAGE = Path(stm_daq.__file__).parent
INNER = """
from stm_daq.physics.kernel_cache import inner

@inner()
def part(x):
    return {factor} * x
"""
ENTRY = """
from callee_for_test import part
from stm_daq.physics.kernel_cache import entry

@entry()
def whole(x):
    return part(x)
"""


def load(folder, name, text, monkeypatch):
    """A module from text, as a new process would import it."""
    file = folder / f"{name}.py"
    file.write_text(text)
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(__import__("sys").modules, name, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def whole(tmp_path, monkeypatch):
    """Load a function whose callee, in another file, multiplies by a factor."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))

    def make(factor, digest):
        monkeypatch.setattr(kernel_cache, "digest", lambda: digest)
        load(tmp_path, "callee_for_test", INNER.format(factor=factor), monkeypatch)
        return load(tmp_path, "caller_for_test", ENTRY, monkeypatch).whole

    return make


def test_compiled_code_is_kept_until_any_source_changes(whole):
    first = whole(2.0, "one")
    assert first(3.0) == 6.0
    assert sum(first.stats.cache_misses.values()) == 1
    again = whole(2.0, "one")
    assert again(3.0) == 6.0
    assert sum(again.stats.cache_hits.values()) == 1
    changed = whole(5.0, "two")
    assert changed(3.0) == 15.0
    assert sum(changed.stats.cache_hits.values()) == 0


def test_the_digest_depends_on_every_kernel(tmp_path, monkeypatch):
    folder = tmp_path / "physics"
    folder.mkdir()
    (tmp_path / "fitting").mkdir()
    for name in ("physics/kernel.py", "physics/btk.py", "fitting/kernel_new.py"):
        (tmp_path / name).write_text("one")
    monkeypatch.setattr(kernel_cache, "__file__", str(folder / "kernel_cache.py"))
    seen = {kernel_cache.digest.__wrapped__()}
    for name in ("physics/kernel.py", "physics/btk.py", "fitting/kernel_new.py"):
        (tmp_path / name).write_text("two")
        seen.add(kernel_cache.digest.__wrapped__())
    assert len(seen) == 4


def sources():
    return sorted(file for pattern in kernel_cache.SOURCES for file in PACKAGE.glob(pattern))


def imported(file):
    """Modules of the package that a file imports at its top."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("stm_daq"):
            inside = PACKAGE.parent.joinpath(*node.module.split("."))
            for alias in node.names:
                module = inside / f"{alias.name}.py"
                yield module if module.exists() else inside.with_suffix(".py")


def test_kernels_are_made_of_nothing_that_the_digest_leaves_out():
    known = set(sources())
    assert len(known) > 8
    for file in known:
        assert set(imported(file)) <= known, file.name


def test_compiling_is_told_once(whole, caplog, monkeypatch):
    teller = kernel_cache._Teller()
    compiled = type("Event", (), {"data": {"dispatcher": kernel_cache}})()
    compiled.data = {"dispatcher": type("D", (), {"py_func": kernel_cache.digest.__wrapped__})}
    with caplog.at_level(logging.WARNING):
        teller.on_start(compiled)
        teller.on_start(compiled)
    assert [r.message for r in caplog.records] == [
        "compiling the physics of fits, once: some seconds"
    ]
