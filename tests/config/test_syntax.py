"""TOML errors: each says where it is and what to write instead, and shows nothing that could be a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from commonroom.config import ConfigError, parse

OPTION = "write each option as: name = value"
STATEMENT = f"{OPTION}, each table as: [name], and notes after #"
ONE_A_LINE = "write one option on a line, and text in double quotes"
TEXT = "write text in double quotes; this is no number, true or false"
BACKSLASH = "write \\\\ for a backslash, or put the text in single quotes"
CLOSE = "close the text with the quotes that opened it"
LIST = "close the list with ], and put a comma between its values"
TABLE = "close the table with } on the same line, and put commas between its options"
INVISIBLE = "remove this character, it cannot be seen; save the file as plain text"
TWICE = "this is in the file already, as an option or as a table; keep one of them"
END = "; the file ends before that"


def fault(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, Path("x.toml"))
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "words", "where"),
    [
        ("\n[log]\nlevel 'info'", OPTION, "3, column 7"),
        ("level: 'info'", OPTION, "1, column 6"),
        ("'level' = 1\n[]", OPTION, "2, column 2"),
        ("= 3", STATEMENT, "1, column 1"),
        ("\u201clevel\u201d = 1", STATEMENT, "1, column 1"),
        ("linger = 30s", ONE_A_LINE, "1, column 12"),
        ("a = 1 b = 2", ONE_A_LINE, "1, column 7"),
        ("level = loud", TEXT, "1, column 9"),
        ("listen = [::]:5222", TEXT, "1, column 11"),
        ("level =\nformat = 'text'", "a value is missing", "1, column 8"),
        ("x = True # note", "write true for True", "1, column 5"),
        ("x = off", "write false for off", "1, column 5"),
        ("x = \u201cyes\u201d", 'write straight quotes around text: "text"', "1, column 5"),
        ('key = "C:\\keys"', BACKSLASH, "1, column 12"),
        ('key = "C:\\x\\y"', BACKSLASH, "1, column 12"),
        ('key = "\\ud800"', "write the character itself", "1, column 14"),
        ('a = "b\nc = 1', f"{CLOSE}, on the same line", "1, column 7"),
        ("a = 'b\nc = 'd'", f"{CLOSE}, on the same line", "1, column 7"),
        ("a = 'b\nc = 1", CLOSE + END, "2, column 6"),
        ('a = """b\nc = 1\n', CLOSE + END, "3, column 1"),
        ("a = [1,\n2", LIST + END, "2, column 2"),
        ("a = [1 2]", LIST, "1, column 8"),
        ("a = {b = 1\n}", TABLE, "1, column 11"),
        ("[c2s\na = 1", "write a table as [name], alone on its line", "1, column 5"),
        ('a = "\x01"', INVISIBLE, "1, column 6"),
        ("# \x01", INVISIBLE, "1, column 3"),
        ("a.b = 1\na = 2", TWICE, "2, column 6"),
        ("a = {x = 1}\na.y = 2", TWICE, "2, column 8"),
    ],
)
def test_a_syntax_error_says_what_to_write(text: str, words: str, where: str) -> None:
    assert fault(text) == f"this is not TOML: {words} (x.toml:{where})"


@pytest.mark.parametrize(
    ("text", "key", "first", "second"),
    [
        ("[c2s]\nlinger = '1s'\nlinger = '2s'", "c2s.linger", 2, 3),
        ("[c2s]\n[log]\n\n[c2s]", "c2s", 1, 4),
        ("state = 'a'\n'state' = '''\n'''", "state", 1, 2),
        ("tls = {key = 'a', key = 'b'}", "tls.key", 1, 1),
        ("[tls.domains.'a.b']\nkey = 'a'\n[tls.domains.\"a.b\"]", 'tls.domains."a.b"', 1, 3),
    ],
)
def test_a_repeated_key_is_told_with_both_lines(text: str, key: str, first: int, second: int) -> None:
    assert (
        fault(text)
        == f"{key}: it is written twice, first on line {first}; keep one of them (x.toml:{second})"
    )


def test_a_number_of_thousands_of_digits() -> None:
    assert fault("a = " + "9" * 5000) == "this is not TOML: write a smaller number (x.toml)"


def test_what_stands_at_the_error_is_not_shown_since_it_may_be_a_password() -> None:
    assert "secret" not in fault("[database]\nurl = postgresql://u:secret@h/d\n")
    assert "secret" not in fault('[database]\nurl = "postgresql://u:secret@h/d\n')
