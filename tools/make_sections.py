"""Makes sections.json from the texts of the specifications.

    python -m tools.make_sections FOLDER

FOLDER holds `rfc/rfcNNNN.txt`, as the RFC Editor publishes them, and `xep/xep-NNNN.md`, with headings like
`### 7.2. Title`.
"""

import argparse
import re
import sys
from pathlib import Path

from tools import sections
from tools.sections import Specification

# A heading stands at the left margin: "8.5.  Local User", "4.1 Examples", "A.2.  Server", "Appendix A.  S".
# Besides the lines at the top and bottom of a page and some tables of contents, nothing else of an RFC does.
_RFC_HEADING = re.compile(
    r"^(?:Appendix +(?P<appendix>[A-Z](?:\.\d+)*)|(?P<part>[A-Z](?:\.\d+)+)|(?P<number>\d+(?:\.\d+)*))"
    r"[.:]?(?:[ \t]+\S.*)?$"
)
_CONTENTS_LINE = re.compile(r"(?:\. ?){4,}\s*\d+$")
_RFC_TITLE = re.compile(r"\n\n(?P<title>(?: +\S.*\n)+)\n")

_XEP_TITLE = re.compile(r"^# XEP-\d{4}: (?P<title>.+)$", re.MULTILINE)
_XEP_VERSION = re.compile(r"^Version (?P<version>\S+) \(", re.MULTILINE)
_XEP_HEADING = re.compile(r"^#{2,} (?P<number>\d+(?:\.\d+)*)\. ")


def read_rfc(number: str, text: str) -> Specification:
    """An RFC's title and sections from its plain text."""
    found: list[str] = []
    for line in text.splitlines():
        heading = _RFC_HEADING.match(line)
        if heading and not _CONTENTS_LINE.search(line):
            found.append(heading["appendix"] or heading["part"] or heading["number"])
    return Specification(f"RFC {number}", _rfc_title(text), "", _unique(found))


def read_xep(number: str, text: str) -> Specification:
    """A XEP's title, version and sections from its Markdown text."""
    title, version = _XEP_TITLE.search(text), _XEP_VERSION.search(text)
    if title is None or version is None:
        raise ValueError(f"XEP-{number}: no title or no version in its text")
    found: list[str] = []
    in_example = False
    for line in text.splitlines():
        in_example ^= line.startswith("```")
        heading = _XEP_HEADING.match(line)
        if heading and not in_example:
            found.append(heading["number"])
    return Specification(f"XEP-{number}", title["title"].strip(), version["version"], _unique(found))


def read_folder(folder: Path) -> list[Specification]:
    """All specifications of the folder, in the order of their numbers."""
    rfcs = [read_rfc(path.stem[3:], path.read_text("utf-8")) for path in sorted(folder.glob("rfc/rfc*.txt"))]
    xeps = [read_xep(path.stem[4:], path.read_text("utf-8")) for path in sorted(folder.glob("xep/xep-*.md"))]
    return rfcs + xeps


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Make sections.json from the texts of the specifications.")
    parser.add_argument("folder", type=Path, help="holds rfc/rfcNNNN.txt and xep/xep-NNNN.md")
    found = read_folder(parser.parse_args().folder)
    if not found:
        sys.exit("no rfc/rfcNNNN.txt and no xep/xep-NNNN.md in that folder")
    sections.save(found)
    count = sum(len(spec.sections) for spec in found)
    print(f"{len(found)} specifications, {count} sections -> {sections.PATH.name}")


def _rfc_title(text: str) -> str:
    """The indented paragraph that follows the header's two columns."""
    _, blank, body = text.lstrip().partition("\n\n")
    title = _RFC_TITLE.search(blank + body.lstrip("\n"))
    return " ".join(title["title"].split()) if title else ""


def _unique(numbers: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(numbers))


if __name__ == "__main__":
    main()
