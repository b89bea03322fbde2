"""`commonroom serve`, as a process of its own."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from commonroom.config import load

from .commands import PROGRAM, Running, failed, run, running, set_up, worked
from .raw_client import RawClient

# A running service looks for changes of accounts every two seconds.
NOTICE_SECONDS = 6.0


def free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Of a service with the account alice@localhost and her password `secret`."""
    starttls, direct = free_ports()
    path = set_up(tmp_path, "--port", str(starttls), "--tls-port", str(direct))
    worked(run("user", "add", "alice@localhost", "--password-stdin", "-c", path, stdin="secret"))
    return path


@pytest.fixture
def service(config: Path) -> Iterator[Running]:
    with running("serve", "--config", config, cwd=config.parent) as service:
        yield service


def client(config: Path) -> RawClient:
    (address,) = load(config).c2s.listen_direct_tls
    return RawClient(address.port, config.parent / "var" / "certificate.pem")


def user(config: Path, *words: str, stdin: str | None = None) -> None:
    worked(run("user", *words, "-c", config, stdin=stdin))


def test_a_faulty_configuration_is_told_fault_by_fault(config: Path) -> None:
    config.write_text('domains = ["localhost"]\nstat = "var"\n[c2s]\nlisten = ["nowhere"]\n')
    said = failed(run("serve", "-c", config))
    assert "stat: there is no such option; did you mean state? " in said
    assert "c2s.listen" in said


def test_a_certificate_that_is_not_there_is_told(config: Path) -> None:
    (config.parent / "var" / "certificate.pem").unlink()
    assert "certificate.pem: there is no such file" in failed(run("serve", "-c", config))


def test_a_database_that_is_none_is_told(config: Path) -> None:
    (config.parent / "var" / "commonroom.sqlite3").write_text("nothing" * 200)
    assert "not an SQLite database" in failed(run("serve", "-c", config))


def test_a_port_that_is_taken_is_told(config: Path) -> None:
    (address,) = load(config).c2s.listen
    with socket.create_server(address):
        said = failed(run("serve", "-c", config))
    assert f"{address}: another program listens there already; stop it, or choose another port" in said


def test_a_second_service_on_the_same_state_is_told(config: Path, service: Running) -> None:
    said = failed(run("serve", "-c", config))
    assert "commonroom.lock: another service is running with this state folder; stop it first" in said
    with client(config) as alice:
        alice.login("alice", "secret")


def test_one_line_says_that_it_is_ready_and_where(config: Path, service: Running) -> None:
    c2s = load(config).c2s
    where = f"{c2s.listen[0]} (STARTTLS), {c2s.listen_direct_tls[0]} (TLS)"
    assert re.fullmatch(
        rf"Common Room [^ ]+ is ready: localhost; clients: {re.escape(where)}\n", service.ready
    )
    assert service.end() == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_tells_clients_and_ends_with_0(
    config: Path, service: Running, number: signal.Signals
) -> None:
    with client(config) as alice:
        alice.login("alice", "secret")
        service.process.send_signal(number)
        assert "<system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>" in alice.closed()
    assert service.process.wait(10) == 0
    assert "Traceback" not in service.errors.read_text()


def test_a_second_signal_ends_it_at_once(config: Path, service: Running) -> None:
    with client(config) as alice:
        alice.login("alice", "secret")
        service.process.send_signal(signal.SIGTERM)
        alice.expect("<system-shutdown")  # and does not answer, so that the service waits for her
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(1) == -signal.SIGTERM


def test_a_signal_during_the_start_ends_it_all_the_same(config: Path) -> None:
    command = (*PROGRAM, "serve", "--config", str(config))
    for delay in (0.1, 0.3, 0.4):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            time.sleep(delay)
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=10)
        assert process.returncode in (0, -signal.SIGTERM)
        assert b"Traceback" not in said


# A service that is asked to reload while it starts, and ended as soon as it has.
HASTY = """
import os, signal, sys
from functools import partial
from pathlib import Path
from threading import Timer
from commonroom.app.logs import log_to_stderr
from commonroom.app.running import run
from commonroom.config import load

async def before():
    os.kill(os.getpid(), signal.SIGHUP)

def ready(service):
    Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()

path = Path(sys.argv[1])
settings = load(path)
log_to_stderr(settings.log)
run(settings, ready, before, partial(load, path))
"""


def test_a_reload_that_is_asked_for_during_the_start_comes_after_it(config: Path) -> None:
    done = subprocess.run(
        (sys.executable, "-c", HASTY, str(config)), capture_output=True, text=True, timeout=20
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("configuration reloaded") == 1


def test_what_was_accepted_is_there_after_a_restart(config: Path, service: Running) -> None:
    user(config, "add", "bob@localhost", "--password-stdin", stdin="geheim")
    with client(config) as alice:
        alice.login("alice", "secret")
        alice.send("<message to='bob@localhost' type='chat'><body>for later</body></message>")
        alice.send("<iq type='get' id='last' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
        alice.expect("'last'")
    service.end()
    with running("serve", "--config", config, cwd=config.parent), client(config) as bob:
        bob.login("bob", "geheim")
        assert "for later" in bob.expect("</message>")


def test_a_new_account_can_log_in_at_once(config: Path, service: Running) -> None:
    with client(config) as bob:
        assert "<failure" in bob.authenticate("bob", "geheim")
    user(config, "add", "bob@localhost", "--password-stdin", stdin="geheim")
    with client(config) as bob:
        bob.login("bob", "geheim")


@pytest.mark.parametrize(
    ("words", "stdin", "reason"),
    [
        (("disable", "alice@localhost"), None, "the account is disabled"),
        (("passwd", "alice@localhost", "--password-stdin"), "other", "the account was changed"),
        (("remove", "alice@localhost", "--yes"), None, "the account was removed"),
    ],
)
def test_who_is_connected_hears_of_a_change_within_seconds(
    config: Path, service: Running, words: tuple[str, ...], stdin: str | None, reason: str
) -> None:
    with client(config) as alice:
        alice.login("alice", "secret")
        user(config, *words, stdin=stdin)
        changed = time.monotonic()
        assert reason in alice.closed()
        assert time.monotonic() - changed < NOTICE_SECONDS
    with client(config) as alice:
        assert "<failure" in alice.authenticate("alice", "secret")


def test_the_log_has_no_passwords_and_can_be_json(config: Path) -> None:
    config.write_text(config.read_text().replace('#format = "text"', 'format = "json"'))
    with running("serve", "--config", config, cwd=config.parent) as service:
        with client(config) as alice:
            alice.login("alice", "secret")
        with client(config) as alice:
            alice.authenticate("alice", "hunter2")
        service.end()
    text = service.errors.read_text()
    assert "hunter2" not in text
    assert "secret" not in text
    entries = [json.loads(line) for line in text.splitlines()]
    assert {"listening", "logged in", "login failed"} <= {entry["event"] for entry in entries}
    assert "alembic" not in text
