"""Two servers that are attacked, a strict one and a hasty one; both must live through it all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attack.client import online
from tests.attack.server import ITERATIONS, Server, Tables

TEST_SECONDS = 20

# As it comes, with quotas that a test can fill, and rates that it can pass, within a second.
STRICT: Tables = {
    "sasl": {"iterations": ITERATIONS, "delay_first": "200ms", "delay_longest": "1s"},
    "c2s": {
        "sessions_per_account": 4,
        "linger": "1s",
        "stanzas_per_second": 200,
        "stanza_burst": 200,
        "bytes_per_second": "512 KiB",
        "byte_burst": "512 KiB",
    },
    "roster": {"items": 20, "groups_per_item": 4, "name_length": 64, "group_length": 64},
    "offline": {"messages": 8, "bytes": "64 KiB"},
    "private_storage": {"bytes": "16 KiB"},
    "stream_management": {"stanzas": 200, "bytes": "1 MiB"},
    "rooms.limits": {
        "messages_per_second": 1,
        "message_burst": 5,
        "presences_per_minute": 1,
        "presence_burst": 5,
        "rooms_per_person": 10,
        "owned": 3,
        "message_bytes": "16 KiB",
    },
}
# Short of time and of connections, and otherwise generous: rates and delays are not what is tested there.
HASTY: Tables = {
    "sasl": {"iterations": ITERATIONS, "delay_first": "0s", "delay_longest": "0s", "tries_per_stream": 6},
    "c2s": {
        "login_timeout": "1s",
        "linger": "1s",
        "connections_per_address": 10,
        "resource_conflict": "rename",
        "pending_bytes": "256 KiB",
        "stanzas_per_second": 100_000,
        "stanza_burst": 100_000,
        "bytes_per_second": "64 MiB",
        "byte_burst": "64 MiB",
    },
    "devices": {"token_lifetime": "1s"},
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(TEST_SECONDS))


def _running(folder: Path, tables: Tables) -> Iterator[Server]:
    server = Server(folder, tables)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from _running(tmp_path_factory.mktemp("server"), STRICT)


@pytest.fixture(scope="session")
def shared_hasty_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from _running(tmp_path_factory.mktemp("hasty"), HASTY)


@pytest.fixture
def server(shared_server: Server) -> Iterator[Server]:
    """The strict server. When the attack is over, it still serves."""
    yield from still_serving(shared_server)


@pytest.fixture
def hasty(shared_hasty_server: Server) -> Iterator[Server]:
    """The hasty server. When the attack is over, it still serves."""
    yield from still_serving(shared_hasty_server)


def still_serving(server: Server) -> Iterator[Server]:
    """Afterwards two others log in and chat, and nothing was logged that is our fault."""
    before = len(server.log())
    yield server
    assert server.is_running, server.log()[before:]
    with online(server, "u0") as one, online(server, "u1") as other:
        one.send(f"<message to='{other.jid}' id='still-there'><body>Still there?</body></message>")
        while other.next().get("id") != "still-there":
            pass  # what the attack left for it
        other.leave()
    logged = server.log()[before:]
    assert "Traceback" not in logged, logged
