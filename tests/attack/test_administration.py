"""Attacks on the admin socket, the HTTP API, and ad-hoc commands."""

import http.client
import json
import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.attack.client import condition, online
from tests.attack.server import DOMAIN, HOST, Server, Tables, free_ports

COMMAND = "/v1/user/list"
ADMIN = "http://jabber.org/protocol/admin"
REFUSED = 7
# Becomes nobody, and tries to get in.
NOBODY = f"""
import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    socket.socket(socket.AF_UNIX).connect(sys.argv[1])
except PermissionError:
    sys.exit({REFUSED})
"""
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def operated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, int]]:
    """A server with the HTTP API, and its port; u0 is an operator."""
    (port,) = free_ports(1)
    tables: Tables = {
        "api": {"listen": [f"{HOST}:{port}"]},
        "roles": {"operator": [f"u0@{DOMAIN}"]},
        "sasl": {"iterations": 4096, "delay_first": "0s"},
    }
    server = Server(tmp_path_factory.mktemp("operated"), tables)
    server.start()
    try:
        yield server, port
    finally:
        server.stop()


@pytest.fixture
def api(operated: tuple[Server, int]) -> Iterator[tuple[Server, int]]:
    """When the attack is over, it still serves."""
    yield operated
    server, port = operated
    assert server.is_running
    with closing(http.client.HTTPConnection(HOST, port, timeout=5)) as connection:
        connection.request("GET", "/health")
        assert connection.getresponse().read() == b"alive\n"
    with online(server, server.account()):
        pass


def post(
    port: int, path: str, body: bytes = b"{}", headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    with closing(http.client.HTTPConnection(HOST, port, timeout=10)) as connection:
        connection.request("POST", path, body, {**JSON, **(headers or {})})
        answer = connection.getresponse()
        return answer.status, answer.read()


def command(server: Server, *words: str) -> str:
    """What a command of the operator's prints."""
    return subprocess.run(
        (sys.executable, "-m", "commonroom", *words, "--config", str(server.configuration)),
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def raw(port: int) -> socket.socket:
    return socket.create_connection((HOST, port), timeout=15)


def read_all(sock: socket.socket) -> bytes:
    """All that comes until the end, or a reset."""
    got = b""
    try:
        while data := sock.recv(10_000):
            got += data
    except ConnectionResetError:
        pass
    return got


# Tokens


@pytest.mark.parametrize(
    "value",
    ["", "Bearer", "Bearer crt_x", "Basic cm9vdDpyb290", "Bearer " + "x" * 8000, "Bearer ' OR 1=1 --"],
)
def test_attack_api_without_a_token(api: tuple[Server, int], value: str) -> None:
    status, body = post(api[1], COMMAND, headers={"authorization": value})
    assert status == 401
    assert b"u1@" not in body


def test_attack_api_token_guessing_is_slowed(api: tuple[Server, int]) -> None:
    begun = time.monotonic()
    assert post(api[1], COMMAND, headers={"authorization": "Bearer crt_guess"})[0] == 401
    assert time.monotonic() - begun > 0.9
    assert "a token that does not count" in api[0].log()


def test_attack_api_token_without_the_scope(api: tuple[Server, int]) -> None:
    server, port = api
    made = json.loads(command(server, "token", "add", "small", "--scope", "metrics:read", "--json"))
    headers = {"authorization": f"Bearer {made['token']}"}
    assert post(port, COMMAND, headers=headers)[0] == 403
    grow = json.dumps({"name": "large", "scopes": ["tokens:write"]}).encode()
    assert post(port, "/v1/token/add", grow, headers)[0] == 403
    assert made["token"] not in server.log()
    assert made["token"].encode() not in (server.folder / "commonroom.sqlite3").read_bytes()


def test_attack_api_from_a_page_in_a_browser(api: tuple[Server, int]) -> None:
    assert post(api[1], COMMAND, headers={"origin": "https://evil.example"})[0] == 403
    assert post(api[1], COMMAND, headers={"content-type": "text/plain", "origin": "null"})[0] == 403


# Framing and load


def test_attack_api_huge_body(api: tuple[Server, int]) -> None:
    server, port = api
    before = server.usage().kib
    with raw(port) as sock:
        sock.sendall(b"POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000\r\n\r\n")
        try:
            for _ in range(200):
                sock.sendall(b"x" * 65536)
        except OSError:
            pass
        assert b"200" not in read_all(sock)
    assert server.usage().kib - before < 20_000


def test_attack_api_endless_header(api: tuple[Server, int]) -> None:
    with raw(api[1]) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 30_000)
        assert b"431" in read_all(sock)


def test_attack_api_slow_request(api: tuple[Server, int]) -> None:
    """One byte at a time puts nothing off: the whole request has 10 seconds."""
    begun = time.monotonic()
    with raw(api[1]) as sock:
        sock.settimeout(0.5)
        got = b""
        for byte in b"GET /health HTTP/1.1\r\nHost: " + b"x" * 100:
            try:
                sock.sendall(bytes((byte,)))
                got += sock.recv(1000)
            except TimeoutError:
                continue
            except OSError:
                break
            if got:
                break
        assert b"408" in got
    assert 8 < time.monotonic() - begun < 14


def test_attack_api_smuggled_request(api: tuple[Server, int]) -> None:
    smuggled = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
    for head in (
        b"Content-Length: 5\r\nContent-Length: 0\r\n",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        b"Transfer-Encoding : chunked\r\n",
    ):
        with raw(api[1]) as sock:
            sock.sendall(b"POST /health HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n0\r\n\r\n" + smuggled)
            sock.shutdown(socket.SHUT_WR)
            answer = read_all(sock)
        assert answer.count(b"HTTP/1.1 2") == 0, (head, answer)


def test_attack_api_many_connections(api: tuple[Server, int]) -> None:
    """They fill the API's own places; clients do not notice, and the places come back."""
    server, port = api
    sockets = [raw(port) for _ in range(200)]
    with online(server, server.account()):
        pass
    for sock in sockets:
        sock.close()
    time.sleep(0.2)


@pytest.mark.parametrize(
    "body", [b"[" * 500_000, b'{"a":' * 100_000, b'{"limit":' + b"9" * 900_000 + b"}", b"\xff\xfe"]
)
def test_attack_api_hostile_json(api: tuple[Server, int], body: bytes) -> None:
    server, port = api
    token = json.loads(
        command(server, "token", "add", f"j{time.monotonic_ns()}", "--scope", "accounts:read", "--json")
    )
    assert post(port, COMMAND, body, {"authorization": f"Bearer {token['token']}"})[0] == 400


# The socket


def test_attack_socket_of_another_user(api: tuple[Server, int]) -> None:
    """Who is not the service's account does not get in; the test can become somebody else only as root."""
    folder = api[0].folder
    assert stat.S_IMODE((folder / "commonroom.socket").stat().st_mode) == 0o600
    if os.getuid() != 0:
        return
    folder.chmod(0o711)  # so that nothing but the socket itself is in the way
    opened = os.open(folder, os.O_PATH)
    try:
        command = (sys.executable, "-c", NOBODY, f"/proc/self/fd/{opened}/commonroom.socket")
        assert subprocess.run(command, pass_fds=(opened,)).returncode == REFUSED
    finally:
        os.close(opened)
        folder.chmod(0o700)


def test_attack_socket_with_noise(api: tuple[Server, int]) -> None:
    path = api[0].folder / "commonroom.socket"
    for noise in (os.urandom(5000), b"\x00" * 100_000, b"<stream:stream>", b""):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(15)
            sock.connect(str(path))
            try:
                sock.sendall(noise)
                sock.shutdown(socket.SHUT_WR)
            except OSError:
                continue
            assert b"HTTP/1.1 200" not in read_all(sock)


# Ad-hoc commands


@pytest.mark.parametrize("inside", ["", "<x xmlns='jabber:x:data' type='submit'/>"])
def test_attack_command_of_an_operator(api: tuple[Server, int], inside: str) -> None:
    with online(api[0], api[0].account()) as mallory:
        answer = mallory.ask(wish(f"{ADMIN}#delete-user", inside=inside))
        assert condition(answer) == "forbidden"


def test_attack_command_session_of_an_operator(api: tuple[Server, int]) -> None:
    """What an operator began is no use to others, also if they know its name."""
    server, _ = api
    with online(server, "u0") as operator, online(server, server.account()) as mallory:
        (begun,) = operator.ask(wish(f"{ADMIN}#delete-user"))
        session = f"sessionid='{begun.get('sessionid')}'"
        form = (
            "<x xmlns='jabber:x:data' type='submit'><field var='accountjids'>"
            f"<value>u1@{DOMAIN}</value></field></x>"
        )
        assert condition(mallory.ask(wish(f"{ADMIN}#delete-user", session, form))) == "forbidden"
        with online(server, "u1"):
            pass


def test_attack_commands_without_end(api: tuple[Server, int]) -> None:
    """What is begun and never ended is bounded, for operators as well."""
    with online(api[0], "u0") as operator:
        answers = [operator.ask(wish(f"{ADMIN}#delete-user")) for _ in range(40)]
        assert condition(answers[-1]) == "resource-constraint"


def wish(node: str, more: str = "", inside: str = "") -> str:
    return (
        f"<iq type='set' id='{time.monotonic_ns()}' to='{DOMAIN}'>"
        f"<command xmlns='http://jabber.org/protocol/commands' node='{node}' {more}>{inside}</command></iq>"
    )
