"""TOML errors in words that help: what tomllib says, where, and what to write instead."""

from __future__ import annotations

import re
from dataclasses import dataclass

from commonroom.config.kinds import toml_key
from commonroom.config.positions import positions

WHERE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
WORDS_FOR_FLAGS = re.compile(r"(?i)(true|yes|on|false|no|off)\s*(?:#.*)?$")

QUOTES_OF_PRINT = ("\u201c", "\u201d", "\u201e", "\u2018", "\u2019")

HINTS = {
    "Expected '=' after a key": "write each option as: name = value",
    "Invalid initial character for a key": "write each option as: name = value",
    "Invalid statement": "write each option as: name = value, each table as: [name], and notes after #",
    "Expected ']'": "write a table as [name], alone on its line",
    "Expected newline": "write one option on a line, and text in double quotes",
    "Unclosed array": "close the list with ], and put a comma between its values",
    "Unclosed inline table": "close the table with } on the same line, and put commas between its options",
    "Unescaped '\\'": "write \\\\ for a backslash, or put the text in single quotes",
    "Illegal character '\\n'": "close the text with the quotes that opened it, on the same line",
    "Unterminated string": "close the text with the quotes that opened it",
    'Expected "\'"': "close the text with the quotes that opened it",
    "Illegal character": "remove this character, it cannot be seen; save the file as plain text",
    "Found invalid character '\\n'": "close the text with the quotes that opened it, on the same line",
    "Found invalid character": "remove this character, it cannot be seen; save the file as plain text",
    "Invalid hex value": "write \\\\ for a backslash, or put the text in single quotes",
    "Escaped character": "write the character itself",
    "Invalid date": "write text in double quotes",
    "Cannot": "this is in the file already, as an option or as a table; keep one of them",
    "Exceeds the limit": "write a smaller number",
}


@dataclass(frozen=True, slots=True)
class SyntaxFault:
    """A fault of the file as such: what it is, its line and column (None: no use to know)."""

    text: str
    line: int | None
    column: int | None = None


def explain(text: str, error: ValueError) -> SyntaxFault:
    """What to tell of an error that tomllib raised for this text."""
    found = WHERE.search(str(error))
    message = WHERE.sub("", str(error))
    lines = text.replace("\r\n", "\n").split("\n")
    line = int(found[1]) if found and found[1] else len(lines)
    column = int(found[2]) if found and found[2] else len(lines[-1]) + 1
    if message.startswith(("Cannot", "Duplicate")) and (fault := _repetition(lines[:line])):
        return fault
    hint = _hint(message, lines[line - 1][column - 1 :])
    if not found:
        return SyntaxFault(f"this is not TOML: {hint}", None)
    end = "; the file ends before that" if hint.startswith("close") and not found[1] else ""
    return SyntaxFault(f"this is not TOML: {hint}{end}", line, column)


def _repetition(lines: list[str]) -> SyntaxFault | None:
    found = positions("\n".join(lines))
    if not found.repeated:
        return None
    place, line = found.repeated[0]
    key = toml_key(tuple(map(str, place)))
    return SyntaxFault(
        f"{key}: it is written twice, first on line {found.lines[place]}; keep one of them", line
    )


def _hint(message: str, rest: str) -> str:
    if message == "Invalid value":
        return _value_hint(rest)
    return next((hint for start, hint in HINTS.items() if message.startswith(start)), message)


def _value_hint(rest: str) -> str:
    if flag := WORDS_FOR_FLAGS.match(rest):
        return f"write {'true' if flag[1].lower() in ('true', 'yes', 'on') else 'false'} for {flag[1]}"
    if rest[:1] in QUOTES_OF_PRINT:
        return 'write straight quotes around text: "text"'
    return (
        "write text in double quotes; this is no number, true or false"
        if rest.strip()
        else "a value is missing"
    )
