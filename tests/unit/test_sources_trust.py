"""Nothing in the program unpickles or evaluates anything, whoever it comes from."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path for part in ("stm_daq", "drivers", "sim") for path in (ROOT / part).rglob("*.py")
)
MODULES = {"pickle", "cPickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
CALLS = {"eval", "exec", "compile", "__import__", "execfile"}
METHODS = {
    "recv_pyobj",
    "send_pyobj",
    "unsafe_load",
    "full_load",
    "load_all",
    "read_pickle",
    "to_pickle",
    "literal_eval",
}
UNSAFE_WORDS = {("allow_pickle", True), ("typ", "unsafe"), ("shell", True)}


def misdeeds(text: str) -> list[str]:
    """Return everything in a source that could run what it is given."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.split(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES:
            found.append(node.module)
        elif isinstance(node, ast.Call):
            found += called(node)
    return found


def called(node: ast.Call) -> list[str]:
    found = []
    if isinstance(node.func, ast.Name) and node.func.id in CALLS:
        found.append(node.func.id)
    if isinstance(node.func, ast.Attribute):
        owner = node.func.value
        if node.func.attr in METHODS:
            found.append(node.func.attr)
        if node.func.attr == "load" and isinstance(owner, ast.Name) and owner.id == "yaml":
            found.append("yaml.load")
    words = [(w.arg, w.value.value) for w in node.keywords if isinstance(w.value, ast.Constant)]
    return found + [f"{name}={value}" for name, value in words if (name, value) in UNSAFE_WORDS]


def test_no_source_unpickles_or_evaluates():
    assert len(SOURCES) > 300
    guilty = {
        str(path.relative_to(ROOT)): found
        for path in SOURCES
        if (found := misdeeds(path.read_text(encoding="utf-8")))
    }
    assert guilty == {}


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from marshal import loads",
        "def f(x):\n    return eval(x)",
        "socket.recv_pyobj()",
        "yaml.load(text)",
        "np.load(path, allow_pickle=True)",
        "YAML(typ='unsafe')",
    ],
)
def test_the_search_finds_what_it_looks_for(text):
    assert misdeeds(text)
