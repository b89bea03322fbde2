"""The specifications' titles, versions and section numbers: sections.json, read and written."""

import json
from dataclasses import dataclass
from pathlib import Path

PATH = Path(__file__).with_name("sections.json")


@dataclass(frozen=True, slots=True)
class Specification:
    """One RFC or XEP: what we know of its text."""

    name: str  # "RFC 6121", "XEP-0280"
    title: str
    version: str  # of a XEP; an RFC has none: ""
    sections: tuple[str, ...]  # "8.5.2.1", "A.2.1"; in the order of the text


def load(path: Path = PATH) -> dict[str, Specification]:
    """The specifications by name."""
    document = json.loads(path.read_text("utf-8"))
    return {
        name: Specification(name, entry["title"], entry.get("version", ""), tuple(entry["sections"].split()))
        for name, entry in document.items()
    }


def save(specifications: list[Specification], path: Path = PATH) -> None:
    """Write one line per specification, so that a changed text is a change of one line."""
    lines = [
        f"{json.dumps(spec.name)}: {json.dumps(_entry(spec), ensure_ascii=False)}" for spec in specifications
    ]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


def _entry(spec: Specification) -> dict[str, str]:
    version = {"version": spec.version} if spec.version else {}
    return {"title": spec.title, **version, "sections": " ".join(spec.sections)}
