"""Checks that every section of a specification that the project cites exists in the text of that one.

    RFC 6121 §8.5.2.1.1, §8.5.3.1    XEP-0045 §7.2.8    RFC 6121 Appendix A.2.1    test_rfc6121_8_5_3_2_1_…

A § without a specification before it belongs to the one that the file's first line names.
"""

import re
import sys
from collections.abc import Iterator
from typing import NamedTuple

from tools import sections
from tools.files import ROOT, project_files, shown
from tools.sections import Specification

# Between two words of a reference: blanks, or a line's end with the next one's indentation and comment sign.
_GAP = r"(?:[ \t]+|[ \t]*\n[ \t]*(?:#:?[ \t]*)?)"
_NAME = r"(?:RFC[ -]?\d{3,5}|XEP[ -]\d{4})"
_NUMBER = r"(?:[A-Z](?:\.\d+)*|\d+(?:\.\d+)*)(?!\w)"
_SIGN = rf"(?:§§?[ ]?|[Ss]ections?{_GAP}|Appendix{_GAP})"
_SECTION = rf"{_SIGN}{_NUMBER}(?:[–-]{_NUMBER})?"
_BETWEEN = rf"(?:,|;|[ ]?[–/-])?{_GAP}?(?:(?:and|or|to){_GAP})?"

_CITATION = re.compile(rf"(?P<name>{_NAME}),?{_GAP}(?P<list>{_SECTION}(?:{_BETWEEN}{_SECTION})*)")
_LONE = re.compile(rf"§§?[ ]?{_NUMBER}(?:[–-]{_NUMBER})?")
_NUMBER_IN_LIST = re.compile(rf"(?<=[§\s–-]){_NUMBER}")
_TEST_NAME = re.compile(
    r"\bdef test_(?P<kind>rfc|xep)_?(?P<spec>\d{4})_(?P<number>(?:[a-z]_(?=\d))?\d+(?:_\d+)*)(?![a-z0-9])"
)
_FIRST_LINE_SPEC = re.compile(rf'\A(?:"""|# ){_NAME}')


class Citation(NamedTuple):
    """A section cited somewhere."""

    line: int
    specification: str  # "RFC 6121"; "" when the text does not say which
    section: str  # "8.5.2.1.1"


def citations(text: str) -> Iterator[Citation]:
    """The sections that a file cites, in the order of the file."""
    found = list(_named(text))
    covered = [span for _, span in found]
    found += [(lone, span) for lone, span in _lone(text) if not any(a <= span[0] < b for a, b in covered)]
    yield from (citation for citation, _ in sorted(found, key=lambda pair: pair[1]))


def wrong_in(text: str, known: dict[str, Specification]) -> Iterator[tuple[int, str]]:
    """Line and message for each citation that does not hold."""
    for line, name, section in citations(text):
        spec = known.get(name)
        if not name:
            yield line, f"§{section} of which specification? Write its name before it."
        elif spec is None:
            yield line, f"{name} §{section}: that text is not among ours; cite {name} without a section."
        elif section not in spec.sections:
            yield line, f"{name} has no §{section}. {_nearest(section, spec)}"


def main() -> None:
    """Print what is wrong in the project; exit with 1 if anything is."""
    known = sections.load()
    wrong = [
        f"{shown(path, ROOT)}:{line}: {message}"
        for path in project_files(ROOT, ".py", ".md", ".toml")
        for line, message in wrong_in(path.read_text("utf-8"), known)
    ]
    sys.exit("\n".join(wrong) or 0)


def _named(text: str) -> Iterator[tuple[Citation, tuple[int, int]]]:
    for match in _CITATION.finditer(text):
        name = _canonical(match["name"])
        for found in _NUMBER_IN_LIST.finditer(match["list"]):
            line = _line(text, match.start("list") + found.start())
            yield Citation(line, name, found[0]), match.span()
    for match in _TEST_NAME.finditer(text):
        name = _canonical(f"{match['kind'].upper()} {match['spec']}")
        number = match["number"].replace("_", ".").upper()
        yield Citation(_line(text, match.start()), name, number), match.span()


def _lone(text: str) -> Iterator[tuple[Citation, tuple[int, int]]]:
    first = _FIRST_LINE_SPEC.match(text)
    name = _canonical(first[0].lstrip('"# ')) if first else ""
    for match in _LONE.finditer(text):
        for number in _NUMBER_IN_LIST.finditer(match[0]):
            yield Citation(_line(text, match.start()), name, number[0]), match.span()


def _canonical(name: str) -> str:
    """ "RFC6121" -> "RFC 6121"; "XEP 0045" -> "XEP-0045"."""
    kind, number = name[:3], name[3:].strip(" -")
    return f"{kind} {number}" if kind == "RFC" else f"{kind}-{number}"


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _nearest(section: str, spec: Specification) -> str:
    """What there is instead: the closest existing ancestor and its parts."""
    parent = section.rpartition(".")[0]
    while parent and parent not in spec.sections:
        parent = parent.rpartition(".")[0]
    parts = [number for number in spec.sections if number.rpartition(".")[0] == parent]
    there = ", ".join(f"§{number}" for number in parts) or "nothing below"
    return f"There is {'§' + parent + ' with ' if parent else ''}{there}."


if __name__ == "__main__":
    main()
