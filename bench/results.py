"""Results: JSON of every measurement, and medians with their spread."""

import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from bench.scenarios.scenario import Row

FOLDER = Path(__file__).parent / "results"
SUMMARY = FOLDER / "summary.json"


class Spread(NamedTuple):
    """The median of some rounds, the least and the most."""

    median: float
    least: float
    most: float


def spread(values: Sequence[float]) -> Spread:
    """Of at least one value."""
    return Spread(median(values), min(values), max(values))


# Case -> server -> figure -> spread, all in the order in which they were measured.
Cases = dict[str, dict[str, dict[str, Spread]]]


def summarize(rows: Iterable[Row]) -> Cases:
    """Medians over the rounds of each case and server."""
    gathered: dict[str, dict[str, dict[str, list[float]]]] = {}
    for row in rows:
        figures = gathered.setdefault(row.case, {}).setdefault(row.server, {})
        for key, value in row.figures.items():
            figures.setdefault(key, []).append(value)
    return {
        case: {
            server: {key: spread(values) for key, values in figures.items()}
            for server, figures in servers.items()
        }
        for case, servers in gathered.items()
    }


def machine() -> dict[str, Any]:
    """What it was measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    names = [line.partition("=")[2].strip('"') for line in _release() if line.startswith("PRETTY_NAME")]
    return {
        "processor": model or platform.processor(),
        "cores": sum(line.startswith("processor") for line in lines),
        "system": names[0] if names else platform.system(),
        "kernel": platform.release().partition("-")[0],
    }


def _release() -> list[str]:
    path = Path("/etc/os-release")
    return path.read_text().splitlines() if path.exists() else []


def document(
    scenario: str, rows: Sequence[Row], options: dict[str, Any], versions: dict[str, str]
) -> dict[str, Any]:
    """All that is kept of a run."""
    return {
        "scenario": scenario,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "options": options,
        "versions": versions,
        "rows": [row._asdict() for row in rows],
    }


def keep(found: dict[str, Any], folder: Path = FOLDER) -> Path:
    """Write a run's document; its name tells scenario and time."""
    stamp = found["when"].replace(":", "").replace("+0000", "Z")
    path = folder / f"{found['scenario']}-{stamp}.json"
    path.write_text(json.dumps(found, indent=1) + "\n")
    return path


def cases_of(found: Mapping[str, Any] | None) -> Cases:
    """From what the summary holds of a scenario; empty if that is nothing."""
    return {
        case: {
            server: {key: Spread(*values) for key, values in figures.items()}
            for server, figures in servers.items()
        }
        for case, servers in (found["cases"] if found else {}).items()
    }


def rows_of(found: dict[str, Any]) -> list[Row]:
    """The rows of a document."""
    return [Row(**row) for row in found["rows"]]
