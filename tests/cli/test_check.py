"""`commonroom check`."""

import json
from pathlib import Path

import pytest

from .commands import run, set_up, worked


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return set_up(tmp_path, "--port", "15222", "--tls-port", "15223")


def test_every_fault_of_the_configuration_is_an_error(config: Path) -> None:
    config.write_text('domains = ["a b"]\nstat = "var"\n')
    result = run("check", "-c", config)
    assert result.exit_code == 1
    assert [line.split(": ")[:3] for line in result.stdout.splitlines()] == [
        ["error", "configuration", "domains"],
        ["error", "configuration", "stat"],
    ]


def test_what_the_configuration_refers_to_is_looked_at(config: Path) -> None:
    (config.parent / "var" / "key.pem").unlink()
    result = run("check", "--json", "-c", config)
    assert result.exit_code == 1
    found = [finding for finding in json.loads(result.stdout) if finding["severity"] == "error"]
    assert [finding["about"] for finding in found] == ["certificate"]
    assert "key.pem: there is no such file" in found[0]["text"]


def test_a_service_that_was_set_up_has_no_errors(config: Path) -> None:
    text = worked(run("check", "-c", config))
    assert "note: certificate:" in text
    assert "error" not in text
    assert {finding["severity"] for finding in json.loads(worked(run("check", "--json", "-c", config)))} <= {
        "note",
        "warning",
    }
