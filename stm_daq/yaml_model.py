"""Checks a YAML file against a model and names every mistake with its position.

The model is written with pydantic: a subclass of :class:`Block` for each mapping in the file. The
file is walked block by block and value by value, so that one mistake does not hide another.
"""

from __future__ import annotations

from difflib import get_close_matches
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from stm_daq.errors import Problem
from stm_daq.quantities import parse
from stm_daq.yaml_source import KeyPath, YamlSource

Whole = Annotated[int, Field(strict=True)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Text = Annotated[str, Field(strict=True, min_length=1)]
DOTTED = r"^[^\W\d]\w*(\.[^\W\d]\w*)+$"
TIME_OF_DAY = r"^([01]\d|2[0-3]):[0-5]\d$"
PATTERNS = {
    DOTTED: "a dotted path such as package.module.Class",
    TIME_OF_DAY: 'a time of day such as "19:00"',
}
"""What a text that must have a certain form is."""
DottedPath = Annotated[str, Field(strict=True, pattern=DOTTED)]


def quantity(unit: str) -> BeforeValidator:
    """Return the validator of a quantity written with its unit; the value becomes SI."""
    return BeforeValidator(lambda written: parse(written, unit))


class Block(BaseModel):
    """A mapping in a file; keys that it does not name are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def dotted(path: KeyPath) -> str:
    """Write a path for people: ``sweep.bias.points``, ``frame.size[1]``."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in path]
    return "".join(parts).lstrip(".")


def nearest(word: str, known: list[str]) -> str:
    """Return ``" (did you mean 'dwell'?)"`` or, if nothing is near, the list of what is known."""
    close = get_close_matches(word, known, n=1)
    if close:
        return f" (did you mean '{close[0]}'?)"
    return f" (known: {', '.join(known)})"


class ModelReader:
    """Walks a file along its model.

    Attributes
    ----------
    problems : list of Problem
        Every mistake found, in any order.
    values : dict
        Every single value that could be read, by path, converted (quantities in SI).
    """

    def __init__(self, source: YamlSource) -> None:
        self.source = source
        self.problems: list[Problem] = list(source.problems)
        self.values: dict[KeyPath, Any] = {}

    def read[M: Block](self, model: type[M]) -> M | None:
        """Return the content of the file, or None if there are problems."""
        self.block(model, self.source.data, ())
        return None if self.problems else model.model_validate(self.source.data)

    def block(self, model: type[Block], data: Any, path: KeyPath) -> None:
        """Check the mapping at `path`."""
        fields = model.model_fields
        if not isinstance(data, dict):
            self.at_value(path, f"should be a block with the keys {', '.join(fields)}")
            return
        missing = [n for n, field in fields.items() if n not in data and field.is_required()]
        for key, value in data.items():
            meant = fields.get(key)
            if meant is None:
                guess = get_close_matches(key, list(fields), n=1)
                self.at_key((*path, key), f"unknown key{nearest(key, list(fields))}")
                if not guess or guess[0] in data:
                    continue
                meant = fields[guess[0]]  # go on inside, so that nothing in it stays hidden
                missing = [name for name in missing if name != guess[0]]
            self._field(meant, value, (*path, key))
        for name in missing:
            self.at_key((*path, name), "this key is missing")

    def _field(self, field: FieldInfo, data: Any, path: KeyPath) -> None:
        kind, metadata = _plain(_without_none(field.annotation))
        inner: Any = get_args(kind)[1] if get_origin(kind) is dict else None
        if data is None:
            self.at_key(path, "has no value")
        elif _is_block(kind):
            self.block(kind, data, path)
        elif _is_block(inner):
            self._blocks(inner, data, path)
        elif get_origin(kind) is tuple and _is_block(get_args(kind)[0]):
            self._list(kind, [*metadata, *field.metadata], data, path)
        else:
            self._leaf(kind, [*metadata, *field.metadata], data, path)

    def _list(self, kind: Any, metadata: list[Any], data: Any, path: KeyPath) -> None:
        """Check a list of blocks, each of them and its length."""
        before = len(self.problems)
        if isinstance(data, list):
            for number, value in enumerate(data):
                self.block(get_args(kind)[0], value, (*path, number))
        if len(self.problems) == before:
            self._leaf(kind, metadata, data, path)

    def _blocks(self, model: type[Block], data: Any, path: KeyPath) -> None:
        if not isinstance(data, dict):
            self.at_value(path, "should be a block of names, each with a block of keys")
            return
        for name, value in data.items():
            self.block(model, value, (*path, name))

    def _leaf(self, kind: Any, metadata: list[Any], data: Any, path: KeyPath) -> None:
        adapter = TypeAdapter(Annotated[kind, *metadata] if metadata else kind)
        try:
            self.values[path] = adapter.validate_python(data)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                where = (*path, *detail["loc"])
                self.at_value(where, _reason(detail, self._written(where)))

    def _written(self, path: KeyPath) -> Any:
        value: Any = self.source.data
        for part in path:
            try:
                value = value[part]
            except (LookupError, TypeError):
                return None
        return value

    def at_key(self, path: KeyPath, text: str) -> None:
        """Add a problem that points at a key."""
        self.problems.append(self.source.at_key(path, f"{dotted(path)}: {text}"))

    def at_value(self, path: KeyPath, text: str) -> None:
        """Add a problem that points at a value."""
        self.problems.append(self.source.at_value(path, f"{dotted(path)}: {text}"))


def _reason(detail: Any, written: Any) -> str:
    """Say what is wrong with a value in our words."""
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    if detail["type"] == "missing":
        return "this value is missing"
    if detail["type"] == "string_pattern_mismatch":
        return f"should be {PATTERNS[detail['ctx']['pattern']]}, not '{written}'"
    reason = str(detail["msg"]).removeprefix("Input ")
    return f"{reason}, not {written!r}" if reason.startswith("should") else reason


def _without_none(annotation: Any) -> Any:
    kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
    return kinds[0] if len(kinds) == 1 and NoneType in get_args(annotation) else annotation


def _plain(annotation: Any) -> tuple[Any, list[Any]]:
    """Take apart ``Annotated[kind, ...]``."""
    if get_origin(annotation) is Annotated:
        kind, *metadata = get_args(annotation)
        return kind, metadata
    return annotation, []


def _is_block(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Block)
