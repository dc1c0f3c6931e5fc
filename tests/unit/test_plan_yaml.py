"""YAML with positions: broken files are refused with the place of the mistake."""

import pytest

from stm_daq.errors import BadInputError
from stm_daq.yaml_source import read_yaml


@pytest.fixture
def read(tmp_path):
    def read_text(content: str | bytes):
        path = tmp_path / "file.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_yaml(path)

    return read_text


def refused(read, content) -> tuple[int, int, str]:
    with pytest.raises(BadInputError) as caught:
        read(content)
    (problem,) = caught.value.problems
    assert str(caught.value) == str(problem)
    return problem.line, problem.column, problem.text


def test_values_are_plain_and_follow_yaml_1_2(read):
    source = read("a: 1e-3\nb: on\nc: 2019-01-01\nd: [1, {x: ~}]\ne: 0x10\n")
    assert source.data == {"a": 1e-3, "b": "on", "c": "2019-01-01", "d": [1, {"x": None}], "e": 16}
    assert all(type(v) in (float, str, list, int) for v in source.data.values())


def test_positions_of_keys_and_values(read):
    source = read("a: 1\nb:\n  - {c: x}\n  - {c: y}\n")
    assert source.keys[("b", 1, "c")] == (4, 6)
    assert source.values[("b", 1, "c")] == (4, 9)
    assert str(source.at_value(("b", 0, "c"), "bad")).endswith("file.yaml:3:9: bad")
    assert source.at_key(("b", 0, "missing", "deep"), "bad").line == 3  # the nearest parent


@pytest.mark.parametrize(
    ("content", "line", "column", "says"),
    [
        ("", 1, 1, "empty"),
        ("# only a comment\n", 1, 1, "empty"),
        ("- 1\n", 1, 1, "top level"),
        ("just text", 1, 1, "top level"),
        ("a:\n\tb: 1\n", 2, 1, "spaces, not with tabs"),
        ("a: [1, 2\nb: 3\n", 2, 2, "not valid YAML"),
        ("a: b: c\n", 1, 5, "not valid YAML"),
        ("a: *nowhere\n", 1, 4, "nowhere"),
        ("a: 1\n---\nb: 2\n", 2, 1, "single document"),
        ("a: 1\nb: \x00\n", 2, 4, "not allowed"),
        (b"a: 1\nbc: \xff\n", 2, 5, "UTF-8"),
        ("a: &x [*x]\n", 1, 4, "alias"),
    ],
)
def test_unreadable_files(read, content, line, column, says):
    found_line, found_column, text = refused(read, content)
    assert (found_line, found_column) == (line, column)
    assert says in text


def test_aliases_that_multiply_are_refused_early(read):
    lines = ["l0: &l0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 10)}]" for i in range(1, 12)]
    assert "alias" in refused(read, "\n".join(lines))[2]


def test_aliases_and_merges_work(read):
    source = read("a: &a {x: 1, y: 2}\nb: *a\nc:\n  <<: *a\n  x: 3\n")
    assert source.data["b"] == {"x": 1, "y": 2}
    assert source.data["c"] == {"x": 3, "y": 2}


@pytest.mark.parametrize(
    "content", ["a: " + "[" * 5000, "- " * 3000, 'a: "\\U00110000"', "!!set {a}"]
)
def test_what_no_parser_should_choke_on(read, content):
    with pytest.raises(BadInputError):
        read(content)


@pytest.mark.parametrize(
    "value",
    [
        "!!python/object/apply:os.system [x]",
        "!!python/name:os.system x",
        "!thing {a: 1}",
        "!!int x",
        "!!str {b: 1}",
    ],
)
def test_tags_construct_nothing(read, value):
    source = read(f"a: {value}\nb: 1\n")
    assert source.data["a"] is None
    assert [(p.line, p.column) for p in source.problems] == [(1, 4)]


def test_every_repeated_key_is_found(read):
    source = read("a: 1\nb: {c: 1, c: 2}\na: 3\n")
    assert source.data == {"a": 1, "b": {"c": 1}}
    assert [(p.line, p.column) for p in source.problems] == [(2, 11), (3, 1)]


def test_missing_file_and_folder(tmp_path):
    for path in (tmp_path / "absent.yaml", tmp_path):
        with pytest.raises(BadInputError, match="cannot be read"):
            read_yaml(path)


def test_text_is_verbatim(read):
    text = "a: 1   # größe\r\n\r\nb: 2"
    assert read(text).text == text
