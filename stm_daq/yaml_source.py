"""YAML files that remember where everything was written.

One parser (ruamel.yaml, YAML 1.2) for all our files. The values are plain Python types; nothing in
a file is ever constructed or evaluated beyond text, numbers, lists and mappings.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from stm_daq.errors import BadInputError, Problem

type KeyPath = tuple[str | int, ...]
"""How to get to a value from the top of the file: ("sweep", "bias", "points")."""
type Position = tuple[int, int]
"""Line and column, from 1."""

_KINDS: dict[type[Node], set[str]] = {
    MappingNode: {"map"},
    SequenceNode: {"seq"},
    ScalarNode: {"str", "timestamp", "int", "float", "bool", "null"},
}
"""What each form may be; every other tag is refused."""

_LARGEST = 100_000
"""Values in one file; more is a mistake (aliases that multiply one another)."""


@dataclass(frozen=True)
class YamlSource:
    """A YAML file that was read."""

    path: Path
    text: str
    """The file, verbatim."""
    data: dict[str, Any]
    """Its content as plain dict, list, str, int, float, bool, None, in the order of the file."""
    problems: tuple[Problem, ...] = ()
    """Mistakes of form that did not stop the reading, such as keys that appear twice."""
    keys: dict[KeyPath, Position] = field(default_factory=dict, repr=False)
    """Where each key stands."""
    values: dict[KeyPath, Position] = field(default_factory=dict, repr=False)
    """Where each value begins."""

    def at_key(self, path: KeyPath, text: str) -> Problem:
        """Return a problem that points at the key of `path` (or at its nearest parent)."""
        return self._problem(self.keys, path, text)

    def at_value(self, path: KeyPath, text: str) -> Problem:
        """Return a problem that points at the value of `path` (or at its nearest parent)."""
        return self._problem(self.values, path, text)

    def _problem(self, positions: dict[KeyPath, Position], path: KeyPath, text: str) -> Problem:
        while path:
            position = positions.get(path) or self.keys.get(path) or self.values.get(path)
            if position is not None:
                return Problem(str(self.path), *position, text)
            path = path[:-1]
        return Problem(str(self.path), *self.values.get((), (1, 1)), text)


def read_yaml(path: str | Path) -> YamlSource:
    """Read a YAML file whose top level is a mapping.

    Raises
    ------
    BadInputError
        If there is no such file, it is not UTF-8, not YAML, empty, or not a mapping.
    """
    path = Path(path)
    return parse_yaml(_read_text(path), path)


def parse_yaml(text: str, path: Path) -> YamlSource:
    """Read the text of a YAML file, which came from `path`, as :func:`read_yaml` does."""
    reader = _Reader(path)
    try:
        root = YAML(typ="safe", pure=True).compose(io.StringIO(text))
        if root is None:
            empty = Problem(str(path), 1, 1, "the file is empty; it must hold keys and values")
            raise BadInputError.from_problems([empty])
        data = reader.read(root, ())
    except YAMLError as error:
        raise BadInputError.from_problems([_syntax_problem(path, text, error)]) from None
    except (ValueError, RecursionError) as error:  # a character that cannot be; far too deep
        raise _whole_file(path, f"not valid YAML: {error}") from None
    if not isinstance(data, dict):
        raise _whole_file(path, "the top level must be keys and values (key: value)", root)
    return YamlSource(path, text, data, tuple(reader.problems), reader.keys, reader.values)


def _read_text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        cause = error.strerror or error
        raise _whole_file(path, f"cannot be read ({cause}); check the path") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line = before.count(b"\n") + 1
        column = error.start - before.rfind(b"\n")
        text = f"byte 0x{raw[error.start]:02x} is not UTF-8; save the file with encoding UTF-8"
        raise BadInputError.from_problems([Problem(str(path), line, column, text)]) from None


def _whole_file(path: Path, text: str, node: Node | None = None) -> BadInputError:
    line, column = _position(node) if node is not None else (0, 0)
    return BadInputError.from_problems([Problem(str(path), line, column, text)])


def _position(node: Node) -> Position:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _syntax_problem(path: Path, text: str, error: YAMLError) -> Problem:
    if isinstance(error, MarkedYAMLError):
        parts = [str(part) for part in (error.context, error.problem) if part]
        what = "not valid YAML: " + ", ".join(parts)
        if "\\t" in what:
            what += " (indent with spaces, not with tabs)"
        mark = error.problem_mark or error.context_mark
        return Problem(str(path), mark.line + 1, mark.column + 1, what)
    at = getattr(error, "position", 0)  # of a character that no YAML file may contain
    before = text[:at]
    line, column = before.count("\n") + 1, at - before.rfind("\n")
    return Problem(str(path), line, column, "not valid YAML: a character that is not allowed")


class _Reader:
    """Turns the nodes of the parser into plain values and notes where they stand."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._constructor = YAML(typ="safe", pure=True).constructor
        self._open: list[Node] = []
        self._count = 0
        self.problems: list[Problem] = []
        self.keys: dict[KeyPath, Position] = {}
        self.values: dict[KeyPath, Position] = {}

    def read(self, node: Node, path: KeyPath) -> Any:
        self.values[path] = _position(node)
        self._count += 1
        if self._count > _LARGEST or any(node is parent for parent in self._open):
            raise _whole_file(self._path, "an alias (*) leads back to itself or too far", node)
        kind = str(node.tag).rpartition(":")[2]
        if kind not in _KINDS[type(node)]:
            self._add(node, f"the tag '{node.tag}' is not allowed here; write plain values")
            return None
        self._open.append(node)
        try:
            if isinstance(node, MappingNode):
                return self._mapping(node, path)
            if isinstance(node, SequenceNode):
                return [self.read(item, (*path, i)) for i, item in enumerate(node.value)]
            return self._scalar(node, kind)
        finally:
            self._open.pop()

    def _mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: list[Node] = []
        for key_node, value_node in node.value:
            if str(key_node.tag).endswith(":merge"):
                merged.append(value_node)
                continue
            key = self._key(key_node)
            if key in result:
                first = self.keys[(*path, key)][0]
                self._add(key_node, f"the key '{key}' appears twice (first in line {first})")
                continue
            self.keys[(*path, key)] = _position(key_node)
            result[key] = self.read(value_node, (*path, key))
        for source in self._merge_sources(merged):
            for key_node, value_node in source.value:
                key = self._key(key_node)
                if key not in result:
                    self.keys[(*path, key)] = _position(key_node)
                    result[key] = self.read(value_node, (*path, key))
        return result

    def _merge_sources(self, nodes: list[Node]) -> Iterator[MappingNode]:
        """Yield the mappings that ``<<:`` merges, the strongest first."""
        for node in nodes:
            for source in node.value if isinstance(node, SequenceNode) else [node]:
                if isinstance(source, MappingNode):
                    yield source
                else:
                    self._add(source, "'<<' must be followed by an alias of a block (*name)")

    def _key(self, node: Node) -> str:
        if not isinstance(node, ScalarNode):
            self._add(node, "a key must be a word")
            return f"<key in line {_position(node)[0]}>"
        return str(node.value)

    def _scalar(self, node: Node, kind: str) -> Any:
        if kind in ("str", "timestamp"):  # dates stay as they were written
            return str(node.value)
        try:
            return self._constructor.construct_object(node)
        except (YAMLError, ValueError):
            self._add(node, f"'{node.value}' is not of the kind '{kind}' that its tag names")
            return None

    def _add(self, node: Node, text: str) -> None:
        self.problems.append(Problem(str(self._path), *_position(node), text))
