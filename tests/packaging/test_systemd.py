"""The unit: what systemd says of it, what it lets the service have, and what the service tells systemd."""

import re
import signal
import socket
import subprocess
import time
from configparser import ConfigParser
from pathlib import Path

import pytest

from commonroom.cli.root import COMMANDS
from tests.cli.commands import running, set_up
from tests.cli.operated import free_ports

UNIT = Path(__file__).parents[2] / "packaging" / "systemd" / "commonroom.service"
PROGRAM = "/srv/commonroom/venv/bin/commonroom"


class Lines(ConfigParser):
    """A unit may say a thing several times; names keep their case."""

    def __init__(self) -> None:
        super().__init__(interpolation=None, strict=False, delimiters=("=",), comment_prefixes=("#",))

    def optionxform(self, optionstr: str) -> str:
        return optionstr


@pytest.fixture
def service() -> dict[str, str]:
    unit = Lines()
    unit.read(UNIT)
    return dict(unit["Service"])


def test_the_commands_are_there(service: dict[str, str]) -> None:
    for line in (service["ExecStart"], service["ExecReload"]):
        program, command, *_ = line.split()
        assert program == PROGRAM
        assert command in COMMANDS


def test_it_is_watched_and_started_again(service: dict[str, str]) -> None:
    assert (service["Type"], service["Restart"]) == ("notify", "on-failure")
    assert 0 < int(service["WatchdogSec"]) <= 60
    assert int(service["LimitNOFILE"]) > 50_000


def test_it_has_nothing_of_the_machine_but_the_network_and_its_state(service: dict[str, str]) -> None:
    assert service["User"] not in ("", "root")
    assert service["CapabilityBoundingSet"] == service["AmbientCapabilities"] == ""
    for name in ("NoNewPrivileges", "PrivateDevices", "PrivateTmp", "ProtectHome", "ProtectKernelModules"):
        assert service[name] == "yes", name
    assert service["ProtectSystem"] == "strict"
    assert service["StateDirectory"] == "commonroom"
    assert set(service["RestrictAddressFamilies"].split()) == {"AF_INET", "AF_INET6", "AF_UNIX"}


def test_systemd_knows_every_line_and_finds_it_hardened(tmp_path: Path) -> None:
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace(PROGRAM, "/bin/true"))
    verified = subprocess.run(("systemd-analyze", "verify", copy), capture_output=True, text=True)
    assert (verified.returncode, verified.stderr) == (0, "")
    command = ("systemd-analyze", "security", "--offline=true", "--threshold=20", copy)
    said = subprocess.run(command, capture_output=True, text=True)
    assert said.returncode == 0, said.stdout[-500:]


def test_a_service_tells_systemd_each_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    starttls, direct = free_ports(2)
    config = set_up(tmp_path, "--port", str(starttls), "--tls-port", str(direct))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "400000")

        def until(text: str) -> list[str]:
            told = [sock.recv(200).decode()]
            while text not in told[-1]:
                told.append(sock.recv(200).decode())
            return told

        with running("serve", "--config", config, cwd=tmp_path) as it:
            assert "EXTEND_TIMEOUT_USEC=60000000" in until("READY=1")
            until("WATCHDOG=1")
            begun = time.monotonic()
            until("WATCHDOG=1")
            assert time.monotonic() - begun < 0.4
            it.process.send_signal(signal.SIGHUP)
            assert any(re.match(r"RELOADING=1\nMONOTONIC_USEC=\d+$", each) for each in until("RELOADING"))
            until("READY=1")
            it.process.terminate()
            until("STOPPING=1")
            assert it.process.wait(20) == 0
