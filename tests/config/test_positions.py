"""TOML 1.0: the lines of keys and list items, compared with what tomllib finds in the same text."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from commonroom.config.positions import Place, positions

DOCUMENT = '''\
# first = 0
top = 1
"quoted key" = "# no comment"  # a comment with [brackets]
'single.quoted' = 'C:\\temp'
a.b . "c d" = 2
[c2s]
listen = [
    "*:5222", # one = 1

    "[::]:5223", ["x",
        "y"],
]
text = """
port = 5 \\""" [no.table]
""""
after = \'\'\'
it's
\'\'\'\'
when = 1979-05-27 07:32:00.5
[ tls . domains . "example.org" ]
inline = { key = 1, nested = { "x.y" = [1, 2] }, list = [
  3] }
[[many]]
[[ many ]]
last = 1.5
'''

LINES: dict[Place, int] = {
    ("top",): 2,
    ("quoted key",): 3,
    ("single.quoted",): 4,
    ("a",): 5,
    ("a", "b"): 5,
    ("a", "b", "c d"): 5,
    ("c2s",): 6,
    ("c2s", "listen"): 7,
    ("c2s", "listen", 0): 8,
    ("c2s", "listen", 1): 10,
    ("c2s", "listen", 2): 10,
    ("c2s", "listen", 2, 0): 10,
    ("c2s", "listen", 2, 1): 11,
    ("c2s", "text"): 13,
    ("c2s", "after"): 16,
    ("c2s", "when"): 19,
    ("tls",): 20,
    ("tls", "domains"): 20,
    ("tls", "domains", "example.org"): 20,
    ("tls", "domains", "example.org", "inline"): 21,
    ("tls", "domains", "example.org", "inline", "key"): 21,
    ("tls", "domains", "example.org", "inline", "nested"): 21,
    ("tls", "domains", "example.org", "inline", "nested", "x.y"): 21,
    ("tls", "domains", "example.org", "inline", "nested", "x.y", 0): 21,
    ("tls", "domains", "example.org", "inline", "nested", "x.y", 1): 21,
    ("tls", "domains", "example.org", "inline", "list"): 21,
    ("tls", "domains", "example.org", "inline", "list", 0): 22,
    ("many",): 23,
    ("many", "last"): 25,
}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_key_and_item_has_its_line(end: str) -> None:
    text = DOCUMENT.replace("\n", end)
    assert tomllib.loads(text)
    assert positions(text).lines == LINES
    assert positions(text).repeated == []


def test_what_is_not_in_the_file_has_the_line_of_the_table_around_it() -> None:
    found = positions("[a]\nb = 1\n[c]\n")
    assert found.line(("c", "missing", "deeper")) == 3
    assert found.line(("missing",)) is None


@pytest.mark.parametrize(
    ("text", "place", "line"),
    [
        ("a = 1\nb = 2\na = 3\n", ("a",), 3),
        ("[t]\na = 1\n[t]\n", ("t",), 3),
        ("[t]\na = 1\n'a' = 2\n", ("t", "a"), 3),
        ("t.a = 1\nt.b = 1\nt.a = 1\n", ("t", "a"), 3),
        ("x = { a = 1,\n a = 2 }", ("x", "a"), 2),
        ("[[m]]\na = 1\n[[m]]\na = 1\nb = 1\nb = 2\n", ("m", "b"), 6),
    ],
)
def test_a_repeated_key_is_found(text: str, place: Place, line: int) -> None:
    with pytest.raises(tomllib.TOMLDecodeError):
        tomllib.loads(text)
    assert positions(text).repeated == [(place, line)]


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield (*place, key)
        yield from places(each, (*place, key))


KEYS = st.sampled_from(["a", "b-1", "3.14", '"a b"', "'a.b'", '"\\u00e9"', '"#"', 'a."b]"', "a . b", '"="'])
SCALARS = st.sampled_from(["1", "-2.5e3", "true", "0x1F", "inf", "1979-05-27", "1979-05-27 07:32:00.5"])
STRINGS = st.sampled_from(['""', "''", '"#"', '"]"', "'\\'", '"\\""', '"\\\\"', '"x = {"'])
LONG_STRINGS = st.sampled_from(
    [
        '""""""',
        '"""\n# "" \\"""" """"',
        "'''\n'x = 1\n'''",
        '"""a""""',
        '"""a"""""',
        '"""\\\n  b"""',
        "'''a''''",
    ]
)
SPACE = st.sampled_from(["", " ", "\n", " # ]\n\t", "\n\n"])


def lists(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    items = st.lists(st.tuples(SPACE, values, SPACE).map("".join), max_size=3)
    return st.tuples(items.map(",".join), SPACE).map(lambda parts: f"[{''.join(parts)}]")


def inline_tables(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(st.tuples(KEYS, values).map("=".join), max_size=3).map(
        lambda pairs: f"{{{', '.join(pairs)}}}"
    )


VALUES = st.recursive(
    SCALARS | STRINGS | LONG_STRINGS, lambda inner: lists(inner) | inline_tables(inner), max_leaves=6
)
STATEMENTS = st.one_of(
    st.tuples(KEYS, st.sampled_from(["=", " = "]), VALUES, st.sampled_from(["", " # x = [1"])).map("".join),
    KEYS.map(lambda key: f" [ {key} ]# c"),
    st.sampled_from(["", "# [a]", "   "]),
)


@given(st.lists(STATEMENTS, max_size=8), st.integers(0, 3))
def test_every_place_of_a_document_is_found_on_its_line(statements: list[str], blank: int) -> None:
    text = "\n".join(statements)
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        assume(False)
    found = positions(text)
    assert set(places(tree)) == set(found.lines)
    assert not found.repeated
    shifted = positions("# a = 1\n" * blank + text)
    assert shifted.lines == {place: line + blank for place, line in found.lines.items()}
    starts = [
        1 + sum(each.count("\n") + 1 for each in statements[:index]) for index in range(len(statements))
    ]
    assert {line for place, line in found.lines.items() if len(place) == 1} <= set(starts)


@given(st.text(st.sampled_from("[]{}=,.\n\"'#a \\")))
def test_the_scanner_comes_to_an_end_whatever_the_text(text: str) -> None:
    assert all(1 <= line <= text.count("\n") + 1 for line in positions(text).lines.values())
