"""Changing a service that runs: configuration, certificates, its end. What is wrong changes nothing."""

import json
import os
import signal
import socket
import sqlite3
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from commonroom.accounts.libcrypt import crypt
from commonroom.config import load
from commonroom.net.certificates import create_self_signed

from .commands import Running, failed, run, worked
from .operated import free_ports, online, operated
from .raw_client import RawClient

SECONDS = 15.0


@pytest.fixture
def service(tmp_path: Path) -> Iterator[tuple[Path, Running]]:
    with operated(tmp_path) as it:
        yield it


def wait_until(true: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def serial(config: Path, port: int = 0) -> int:
    """The serial number of the certificate that a new connection is shown, of a client or at this port."""
    (address,) = load(config).c2s.listen_direct_tls
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port or address.port), 5) as sock,
        context.wrap_socket(sock, server_hostname="localhost") as tls,
    ):
        return x509.load_der_x509_certificate(tls.getpeercert(True) or b"").serial_number


STREAM = (
    "<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='jabber:{side}'"
    " xmlns:stream='http://etherx.jabber.org/streams'{more}>"
)


def serial_behind_starttls(port: int, side: str) -> int:
    """That of a port where TLS begins later, as clients and other servers see it."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    more = " xmlns:db='jabber:server:dialback' from='example.net'" if side == "server" else ""
    with socket.create_connection(("127.0.0.1", port), 5) as sock:
        sock.sendall(STREAM.format(side=side, more=more).encode())
        _read_until(sock, b"</stream:features>")
        sock.sendall(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        _read_until(sock, b"<proceed")
        with context.wrap_socket(sock, server_hostname="localhost") as tls:
            return x509.load_der_x509_certificate(tls.getpeercert(True) or b"").serial_number


def _read_until(sock: socket.socket, text: bytes) -> None:
    got = b""
    while text not in got:
        data = sock.recv(10_000)
        assert data, got
        got += data


def certify(folder: Path) -> None:
    """Another certificate in the place of the one that is there."""
    pair = folder / "certificate.pem", folder / "key.pem"
    news = folder / "new.pem", folder / "new-key.pem"
    create_self_signed(*news, ("localhost",), datetime.now(UTC))
    for new, old in zip(news, pair, strict=True):
        new.rename(old)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("[log]\nlevel = 'loud'\n", "log.level"),
        ("[log\n", "commonroom.toml:"),
        ("[tls]\ncertificate = 'nothing.pem'\n", "nothing.pem: there is no such file"),
        ("[limits]\nstanza_bytes = '10000 B'\nstanza_bytes_before_login = '64 KiB'\n", "is larger than"),
    ],
)
def test_a_bad_configuration_leaves_the_old_one_in_force(
    service: tuple[Path, Running], more: str, told: str
) -> None:
    config, _ = service
    good = config.read_text()
    config.write_text(good + more)
    assert told in _by_signal(config)
    assert told in failed(run("reload", "-c", config))
    config.write_text(good)
    assert "restart" in worked(run("reload", "-c", config))
    with online(config) as alice:
        alice.send("<iq type='get' id='p' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
        alice.expect("id='p'")
    assert "level: info" in " ".join(worked(run("log", "level", "-c", config)).split())


def _by_signal(config: Path) -> str:
    """What the log says of it."""
    log = config.parent / "errors.txt"
    before = log.read_text()
    _signal(config)
    wait_until(lambda: "was not reloaded" in log.read_text()[len(before) :], "the log says nothing")
    return log.read_text()[len(before) :]


def _signal(config: Path) -> None:
    """SIGHUP to whoever has the socket."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(config.parent / "var" / "commonroom.socket"))
        credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    os.kill(int.from_bytes(credentials[:4], "little"), signal.SIGHUP)


def test_what_can_count_at_once_does_and_the_rest_is_named(service: tuple[Path, Running]) -> None:
    config, _ = service
    text = config.read_text()
    more = "[limits]\nstanza_bytes = '12000 B'\n[roster]\nitems = 7\n[log]\nlevel = 'warning'\n"
    config.write_text(text + more)
    with online(config) as before:
        said = worked(run("reload", "-c", config))
        assert "limits.stanza_bytes, log.level" in said
        assert "after restart:     roster.items" in said
        large = f"<message to='alice@localhost'><body>{'x' * 20_000}</body></message>"
        before.send(large)  # whoever is here keeps what was agreed
        before.expect("</message>")
        with online(config) as after:
            after.send(large)
            assert "<policy-violation" in after.closed()
    assert "warning" in worked(run("log", "level", "-c", config))


def test_what_the_privacy_policy_says_counts_at_once(service: tuple[Path, Running]) -> None:
    config, _ = service
    text = config.read_text()

    def recorded() -> int:
        return len(json.loads(worked(run("audit", "find", "--tag", "message:", "--json", "-c", config))))

    def say(alice: RawClient) -> None:
        alice.send("<message to='alice@localhost' type='chat'><body>hello</body></message>")
        alice.expect("</message>")

    with online(config) as alice:
        say(alice)
        config.write_text(text + "[records]\nmessages = '1d'\nreaders = []\n")
        assert "records.messages, records.readers" in worked(run("reload", "-c", config))
        say(alice)
        wait_until(lambda: recorded() == 1, "who wrote to whom is not recorded")
        config.write_text(text)
        worked(run("reload", "-c", config))
        say(alice)
        time.sleep(1.5)  # records are gathered for a second
        assert recorded() == 1


def test_accounts_in_files_get_the_keys_that_are_offered_since(tmp_path: Path) -> None:
    (tmp_path / "passwd").write_text(f"juliet:{crypt(b'secret', b'ab').decode()}\n")
    more = (
        "[accounts]\nkeys = 'offered'\n[accounts.files.people]\npasswords = ['passwd']\n"
        "[sasl]\nmechanisms = ['SCRAM-SHA-1', 'PLAIN']\n"
    )

    def derived(config: Path) -> list[str]:
        """For which hashes there are keys after a login."""
        (address,) = load(config).c2s.listen_direct_tls
        with RawClient(address.port, tmp_path / "var" / "certificate.pem") as juliet:
            juliet.login("juliet", "secret")
        with closing(sqlite3.connect(tmp_path / "var" / "commonroom.sqlite3")) as database:
            (text,) = database.execute("SELECT scram_keys FROM account WHERE origin <> ''").fetchone()
        return [line.partition("$")[0] for line in text.splitlines()]

    with operated(tmp_path, more) as (config, _):
        assert derived(config) == ["SCRAM-SHA-1"]
        config.write_text(config.read_text().replace("'PLAIN'", "'SCRAM-SHA-256', 'PLAIN'"))
        assert "sasl.mechanisms" in worked(run("reload", "-c", config))
        wait_until(lambda: derived(config) == ["SCRAM-SHA-1", "SCRAM-SHA-256"], "no keys for what is offered")


def test_a_signal_reloads(service: tuple[Path, Running]) -> None:
    config, _ = service
    config.write_text(config.read_text() + "[log]\nlevel = 'debug'\n")
    _signal(config)
    wait_until(lambda: "debug" in worked(run("log", "level", "-c", config)), "nothing was reloaded")


def test_a_certificate_is_swapped_under_open_sessions(service: tuple[Path, Running]) -> None:
    config, _ = service
    with online(config) as alice:
        before = serial(config)
        certify(config.parent / "var")
        said = worked(run("reload", "-c", config))
        assert "certificate.pem" in said
        assert serial(config) != before
        alice.send("<iq type='get' id='p' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
        alice.expect("id='p'")


def test_every_door_shows_the_new_certificate(tmp_path: Path) -> None:
    servers, secured = free_ports(2)
    more = (
        f"[federation]\nenabled = true\nlisten = ['127.0.0.1:{servers}']\n"
        f"listen_direct_tls = ['127.0.0.1:{secured}']\n"
    )
    with operated(tmp_path, more) as (config, _):
        (clients,) = load(config).c2s.listen

        def shown() -> set[int]:
            return {
                serial(config),
                serial(config, secured),
                serial_behind_starttls(clients.port, "client"),
                serial_behind_starttls(servers, "server"),
            }

        (before,) = shown()
        certify(tmp_path / "var")
        wait_until(lambda: serial(config) != before, "nobody noticed the new files")
        (after,) = shown()
        assert after != before


def test_a_certificate_is_swapped_when_its_files_change_and_a_broken_one_is_not(
    service: tuple[Path, Running],
) -> None:
    config, _ = service
    folder, log = config.parent / "var", config.parent / "errors.txt"
    with online(config) as alice:
        before = serial(config)
        (folder / "certificate.pem").write_text("torn")
        wait_until(lambda: "a certificate cannot be used" in log.read_text(), "nobody noticed the torn file")
        assert serial(config) == before
        (folder / "certificate.pem").unlink()
        (folder / "key.pem").unlink()
        worked(run("certificate", "self-signed", "-c", config))
        wait_until(lambda: serial(config) != before, "nobody noticed the new files")
        alice.send("<iq type='get' id='p' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
        alice.expect("id='p'")


def test_a_drain_lets_nobody_in_and_sends_everybody_away(service: tuple[Path, Running]) -> None:
    config, _ = service
    (address,) = load(config).c2s.listen_direct_tls
    with online(config) as alice:
        assert "connections:       1" in worked(run("drain", "-c", config))
        assert "<system-shutdown" in alice.closed()
    with pytest.raises(ConnectionRefusedError):
        RawClient(address.port, config.parent / "var" / "certificate.pem")
    assert "sessions:          0" in worked(run("stats", "-c", config))


def test_a_drain_can_end_the_service(service: tuple[Path, Running]) -> None:
    config, process = service
    assert "connections:       0" in worked(run("drain", "--stop", "-c", config))
    assert process.process.wait(SECONDS) == 0
    assert "not running" in failed(run("stats", "-c", config))


@pytest.mark.parametrize("seconds", ["-1", "99999", "soon"])
def test_a_drain_takes_no_longer_than_an_hour(service: tuple[Path, Running], seconds: str) -> None:
    config, _ = service
    assert run("drain", "--over", seconds, "-c", config).exit_code in (1, 2)
    with online(config):
        pass
