"""`commonroom demo`, as a process of its own."""

import re
import signal
import socket
import time
from pathlib import Path

from commonroom.app.ports import free_port

from .commands import failed, run, running, worked
from .raw_client import RawClient


def passwords(text: str) -> dict[str, str]:
    """The accounts that were printed."""
    return dict(re.findall(r"^  (\w+)@localhost +([\w-]+)$", text, re.MULTILINE))


def tls_port(text: str) -> int:
    found = re.search(r"port (\d+) \(direct TLS\)", text)
    assert found
    return int(found[1])


def ports() -> tuple[str, ...]:
    """Options for ports that others rarely use."""
    port = free_port(42000, avoid=0)
    return ("--port", str(port), "--tls-port", str(free_port(port + 1, avoid=port)))


def test_the_folder_of_another_service_is_refused(tmp_path: Path) -> None:
    (tmp_path / "commonroom.toml").write_text("domains = ['localhost']\n")
    said = failed(run("demo", "--folder", tmp_path))
    assert (
        "commonroom.toml: this belongs to a service that is no demonstration; name another --folder" in said
    )


def test_a_second_one_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    with running("demo", "--folder", "var", *ports(), cwd=tmp_path):
        said = failed(run("demo", "--folder", tmp_path / "var", *ports()))
    assert "another service is running with this state folder" in said


def test_ports_that_are_taken_are_told_and_others_used(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        socket.create_server(("127.0.0.1", 0)) as taken_tls,
    ):
        port, direct = taken.getsockname()[1], taken_tls.getsockname()[1]
        options = ("--port", str(port), "--tls-port", str(direct))
        with running("demo", *options, cwd=tmp_path) as demo:
            rest = demo.end(signal.SIGINT)
    said = demo.ready + rest
    assert f"Port {port} is taken by another program; " in said
    assert f"Port {direct} is taken by another program; " in said
    assert tls_port(said) not in (port, direct)


def test_everything_that_is_needed_to_connect_is_printed(tmp_path: Path) -> None:
    with running("demo", *ports(), cwd=tmp_path) as demo:
        said = demo.ready + demo.end(signal.SIGINT)
    assert set(passwords(said)) == {"alice", "bob", "carol"}
    certificate = str(tmp_path / "var" / "certificate.pem")
    for text in (
        certificate,
        "Profanity",
        "Gajim",
        "Dino",
        "go-sendxmpp",
        "/connect alice@localhost",
        "STARTTLS",
    ):
        assert text in said
    assert said.endswith("Stopped. Everything is kept in var; the same command goes on from there.\n")
    assert demo.errors.read_text().count("Traceback") == 0


def test_friends_see_each_other_and_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    said = []
    for turn in range(2):
        with running("demo", *ports(), cwd=tmp_path) as demo:
            assert demo.process.stdout is not None
            lines = [demo.ready]
            while "Ctrl-C" not in lines[-1]:
                lines.append(demo.process.stdout.readline())
            said.append("".join(lines))
            port, words = tls_port(said[-1]), passwords(said[-1])
            with RawClient(port, tmp_path / "var" / "certificate.pem") as bob:
                bob.login("bob", words["bob"])
                with RawClient(port, tmp_path / "var" / "certificate.pem") as alice:
                    alice.login("alice", words["alice"])
                    bob.expect("from='alice@localhost/")
                    if turn == 0:
                        alice.send("<message to='carol@localhost' type='chat'><body>kept</body></message>")
                        alice.send(
                            "<iq type='get' id='last' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>"
                        )
                        alice.expect("'last'")
            if turn == 1:
                with RawClient(port, tmp_path / "var" / "certificate.pem") as carol:
                    carol.login("carol", words["carol"])
                    assert "kept" in carol.expect("</message>")
            demo.end(signal.SIGINT)
    assert passwords(said[0]) == passwords(said[1])


def test_other_commands_work_with_its_configuration(tmp_path: Path) -> None:
    with running("demo", *ports(), cwd=tmp_path) as demo:
        config = tmp_path / "var" / "commonroom.toml"
        listed = worked(run("user", "list", "-c", config))
        demo.end()
    assert listed == "alice@localhost\nbob@localhost\ncarol@localhost\n"


def test_it_is_ready_in_seconds(tmp_path: Path) -> None:
    begun = time.monotonic()
    with running("demo", *ports(), cwd=tmp_path):
        assert time.monotonic() - begun < 10  # 0.6 s on a machine that does nothing else
