"""`commonroom trace message`: the order of a message's life is pinned, so that a change of it is seen."""

import json
from importlib import import_module
from pathlib import Path

import pytest

from commonroom.app.trace import LINE
from commonroom.core.message import Received, Sent

from .commands import failed, run, worked

GOLDEN = Path(__file__).parent / "golden" / "trace-message.txt"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "commonroom.toml"
    path.write_text('domains = ["example.org"]\n')
    return path


def test_a_configuration_with_faults_has_no_path(config: Path) -> None:
    config.write_text("")
    assert "domains: it is missing" in failed(run("trace", "message", "-c", config))


def test_the_path_is_the_one_in_the_file(config: Path) -> None:
    """After a change that is meant: commonroom trace message > tests/cli/golden/trace-message.txt."""
    assert worked(run("trace", "message", "-c", config)) == GOLDEN.read_text()


def test_nothing_is_written_to_show_it(config: Path) -> None:
    worked(run("trace", "message", "-c", config))
    assert list(config.parent.iterdir()) == [config]


def test_programs_get_the_same_as_json(config: Path) -> None:
    path = json.loads(worked(run("trace", "message", "--json", "-c", config)))
    assert [station["name"] for station in path["line"]] == [station.name for station in LINE]
    orders = {"sent": [stage.value for stage in Sent], "received": [stage.value for stage in Received]}
    for side, order in orders.items():
        stages = [step["stage"] for step in path[side]]
        assert stages == sorted(stages, key=order.index)
    assert {
        "stage": "deliver",
        "feature": "Delivery",
        "method": "deliver",
        "module": "core.delivery",
        "spec": "RFC 6121",
        "wants": None,
    } in path["received"]


@pytest.mark.parametrize("station", LINE, ids=lambda station: station.name)
def test_every_name_on_the_line_is_there(station: tuple[str, str, str]) -> None:
    module, name, _ = station
    found: object = import_module(f"commonroom.{module}")
    for part in name.split("."):
        found = getattr(found, part)
    assert callable(found)
