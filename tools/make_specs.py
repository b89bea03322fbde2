"""Writes docs/specs.md and doap.xml (XEP-0453) from what the code says of itself; --check only compares.

It says so in a feature class, `xep = Xep("0280", "1.0.1")`, `rfc = "6121"`, and in a module's first line,
`XEP-0280: Message Carbons.`; with a version where no class carries it, `XEP-0082: Dates, version 1.1.1.` An
extension that is nowhere given a version is one that we use in part.
"""

import argparse
import ast
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from tools import sections
from tools.files import ROOT, project_files, shown
from tools.sections import Specification

PACKAGE = "src/commonroom"

_NAMES = re.compile(r"RFC \d+|XEP-\d{4}")
_VERSION = re.compile(r"\bversion (\d\S*?)[.)]*$")


class Mark(NamedTuple):
    """One place in the code that names a specification."""

    specification: str  # "RFC 6121", "XEP-0280"
    version: str  # "" where the code does not say
    file: str  # "src/commonroom/features/carbons.py"


@dataclass(frozen=True, slots=True)
class Implemented:
    """A specification and all that the code says of it."""

    spec: Specification
    version: str  # "" where no mark has one
    files: list[str]

    @property
    def is_rfc(self) -> bool:
        """An RFC, not a XEP."""
        return self.spec.name.startswith("RFC")

    @property
    def link(self) -> str:
        """Where to read the text."""
        if self.is_rfc:
            return f"https://www.rfc-editor.org/info/rfc{self.spec.name[4:]}"
        return f"https://xmpp.org/extensions/{self.spec.name.lower()}.html"


def marks_in(source: str, file: str) -> Iterator[Mark]:
    """What one module says, in its first line and in its classes."""
    module = ast.parse(source)
    first_line = (ast.get_docstring(module) or "").partition("\n")[0]
    if _NAMES.match(first_line):
        version = _VERSION.search(first_line)
        for name in _NAMES.findall(first_line.partition(":")[0]):
            yield Mark(name, version[1] if version else "", file)
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef):
            yield from _class_marks(node, file)


def gather(marks: list[Mark], known: dict[str, Specification]) -> tuple[list[Implemented], list[str]]:
    """The specifications in the order of their numbers, and what is wrong with the marks."""
    by_name: dict[str, list[Mark]] = defaultdict(list)
    for mark in marks:
        by_name[mark.specification].append(mark)
    wrong = [message for mark in marks if (message := _objection(mark, known))]
    implemented = []
    for name in sorted(by_name.keys() & known.keys(), key=_by_kind_and_number):
        version = max(mark.version for mark in by_name[name])
        files = sorted({mark.file for mark in by_name[name]})
        implemented.append(Implemented(known[name], version, files))
    return implemented, wrong


def page(implemented: list[Implemented]) -> str:
    """docs/specs.md."""
    rfcs = [_row(one, ()) for one in implemented if one.is_rfc]
    xeps = [_row(one, (one.version or "*in part*",)) for one in implemented if not one.is_rfc]
    return f"""\
# Specifications

What Common Room implements, and where. Generated from the code by `make docs`; do not edit.

## RFCs

| RFC | Title | Where |
|---|---|---|
{"".join(rfcs)}
## XMPP extensions

Version: of the text that the code follows. *In part*: we use what we need of it.

| XEP | Title | Version | Where |
|---|---|---|---|
{"".join(xeps)}"""


def doap(implemented: list[Implemented], project: dict[str, str]) -> str:
    """doap.xml: what directories of XMPP software read about a project (XEP-0453 §4.1, §4.2)."""
    supported = "\n".join(_doap_entry(one) for one in implemented)
    return f"""\
<?xml version='1.0' encoding='UTF-8'?>
<!-- Generated from the code by `make docs`; do not edit. -->
<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'
         xmlns='http://usefulinc.com/ns/doap#'
         xmlns:xmpp='https://linkmauve.fr/ns/xmpp-doap#'>
  <Project xml:lang='en'>
    <name>Common Room</name>
    <shortdesc>{escape(project["description"])}</shortdesc>
    <license rdf:resource={quoteattr("https://spdx.org/licenses/" + project["license"])}/>
    <language>en</language>
    <programming-language>Python</programming-language>
    <os>Linux</os>
    <category rdf:resource='https://linkmauve.fr/ns/xmpp-doap#category-server'/>
{supported}
  </Project>
</rdf:RDF>
"""


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Write docs/specs.md and doap.xml from the code.")
    parser.add_argument("--check", action="store_true", help="only say whether they are up to date")
    check_only = parser.parse_args().check
    modules = project_files(ROOT / PACKAGE, ".py")
    marks = [mark for path in modules for mark in marks_in(path.read_text("utf-8"), shown(path, ROOT))]
    implemented, wrong = gather(marks, sections.load())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for name, text in (("docs/specs.md", page(implemented)), ("doap.xml", doap(implemented, project))):
        wrong += _compare(ROOT / name, text) if check_only else _write(ROOT / name, text)
    sys.exit("\n".join(wrong) or 0)


def _class_marks(node: ast.ClassDef, file: str) -> Iterator[Mark]:
    for statement in node.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="xep")], value=ast.Call(args=[number, version, *_])):
                yield Mark(f"XEP-{ast.literal_eval(number)}", ast.literal_eval(version), file)
            case ast.Assign(targets=[ast.Name(id="rfc")], value=ast.Constant(value=str(number))):
                yield Mark(f"RFC {number}", "", file)


def _objection(mark: Mark, known: dict[str, Specification]) -> str:
    spec = known.get(mark.specification)
    if spec is None:
        return f"{mark.file}: {mark.specification} is not in tools/sections.json: no text of it was there."
    if mark.version and mark.version != spec.version:
        return (
            f"{mark.file}: {mark.specification} says version {mark.version}, its text says {spec.version}. "
            f"Read what changed, then name the version that the code follows."
        )
    return ""


def _by_kind_and_number(name: str) -> tuple[str, int]:
    return name[:3], int(name[4:])


def _row(one: Implemented, more: tuple[str, ...]) -> str:
    inside = (file.removeprefix(f"{PACKAGE}/") for file in one.files)
    places = ", ".join(f"[{place}](../{PACKAGE}/{place})" for place in inside)
    return " | ".join((f"| [{one.spec.name}]({one.link})", one.spec.title, *more, places)) + " |\n"


def _doap_entry(one: Implemented) -> str:
    if one.is_rfc:
        return f"    <implements rdf:resource={quoteattr(one.link)}/>"
    version = f"\n        <xmpp:version>{escape(one.version)}</xmpp:version>" if one.version else ""
    return f"""\
    <implements>
      <xmpp:SupportedXep>
        <xmpp:xep rdf:resource={quoteattr(one.link)}/>
        <xmpp:status>{"complete" if one.version else "partial"}</xmpp:status>{version}
      </xmpp:SupportedXep>
    </implements>"""


def _compare(path: Path, text: str) -> list[str]:
    if path.exists() and path.read_text("utf-8") == text:
        return []
    return [f"{shown(path, ROOT)} is not what the code says. Run: make docs"]


def _write(path: Path, text: str) -> list[str]:
    path.write_text(text, "utf-8")
    return []


if __name__ == "__main__":
    main()
