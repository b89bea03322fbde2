"""Checks that no file speaks of the machine it was written on, of a package registry, or of its making.

A file of the project is read on other machines, by people who were not there.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.files import ROOT, project_files, shown

# What must not appear, and what to do where it does.
FORBIDDEN = (
    (
        r"(?<![\w.~-])/(?:work|root|opt/wheels)/",
        "a path of one machine: make it relative, or an example of Debian's",
    ),
    (r"\b(?:pypi\.org|pythonhosted\.org)\b", "a package registry: leave the choice to who installs"),
    (
        r"--(?:extra-)?index-url|--find-links|--trusted-host",
        "a package registry: leave the choice to who installs",
    ),
    (r"\b(?:[Ss]ub-?agent|[Ll]anguage model)s?\b", "how it was written: say what it does"),
    (r"\b(?:TODO|FIXME)\b", "an unfinished thing: finish it, or take it to the tracker"),
)
_RULES = tuple((re.compile(pattern), advice) for pattern, advice in FORBIDDEN)


def wrong_in(text: str) -> Iterator[tuple[int, str]]:
    """Line and message for each forbidden word."""
    for number, line in enumerate(text.splitlines(), 1):
        for pattern, advice in _RULES:
            if found := pattern.search(line):
                yield number, f"{found[0]!r} is {advice}."


def main() -> None:
    """Print what is wrong in the project; exit with 1 if anything is."""
    itself = Path(__file__).resolve()
    tests = ROOT / "tests/tools/test_check_words.py"
    wrong = [
        f"{shown(path, ROOT)}:{line}: {message}"
        for path in project_files(ROOT)
        if path not in (itself, tests)
        for line, message in wrong_in(path.read_text("utf-8", errors="replace"))
    ]
    sys.exit("\n".join(wrong) or 0)


if __name__ == "__main__":
    main()
