"""`commonroom session`."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from commonroom.admin.registry import Registry
from commonroom.cli.with_registry import with_registry
from commonroom.protocol.jid import JID
from commonroom.protocol.sasl.mechanism import Token
from commonroom.storage.records import Device

from .commands import failed, run, set_up, worked

ALICE = JID.parse("alice@localhost")
PHONE, DESK = "d4565fa7-4d72-4749-b3d3-740edbf87770", "e4565fa7-4d72-4749-b3d3-740edbf87770"
EXPIRES = 4_000_000_000_000_000  # in 2096
FIRST, LAST = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A service with an account that has two clients, one of them with a token."""
    path = set_up(tmp_path)
    worked(run("user", "add", ALICE, "--password-stdin", "-c", path, stdin="secret"))

    async def fill(registry: Registry) -> None:
        account = await registry.stores.accounts.get(ALICE)
        assert account is not None
        token = Token("HT-SHA-256-NONE", bytes(32), EXPIRES, account.changed)
        registry.stores.devices.put(
            ALICE, Device(PHONE, "Nightingale", "Balcony", FIRST, LAST, True, (token,))
        )
        registry.stores.devices.put(ALICE, Device(DESK, "", "", FIRST, FIRST, True))
        await registry.stores.writes.flushed()

    with_registry(path, fill)
    return path


@pytest.mark.parametrize("address", ["alice@example.net", "nobody@localhost", "localhost"])
def test_an_account_that_is_not_there_is_told(config: Path, address: str) -> None:
    assert address in failed(run("session", "list", address, "-c", config))
    assert address in failed(run("session", "revoke", address, PHONE, "-c", config))


def test_a_client_that_is_not_there_is_told(config: Path) -> None:
    assert "has no such client" in failed(run("session", "revoke", ALICE, "phone", "-c", config))


def test_the_one_seen_last_comes_first(config: Path) -> None:
    assert worked(run("session", "list", ALICE, "-c", config)) == (
        f"{PHONE}\tNightingale (Balcony)\t2026-02-01T00:00:00Z\tuntil 2096-10-02T07:06:40Z\n"
        f"{DESK}\tunnamed\t2026-01-01T00:00:00Z\tneeds the password\n"
    )


def test_a_program_gets_json(config: Path) -> None:
    phone, desk = json.loads(worked(run("session", "list", ALICE, "--json", "-c", config)))
    assert phone == {
        "client": PHONE,
        "software": "Nightingale",
        "device": "Balcony",
        "first_seen": "2026-01-01T00:00:00Z",
        "last_seen": "2026-02-01T00:00:00Z",
        "returns_until": "2096-10-02T07:06:40Z",
    }
    assert desk["returns_until"] is None


@pytest.mark.parametrize("command", [("passwd", "--password-stdin"), ("disable",)])
def test_what_ends_tokens_is_seen(config: Path, command: tuple[str, ...]) -> None:
    name, *options = command
    run("user", name, ALICE, *options, "-c", config, stdin="another")
    phone, _ = json.loads(worked(run("session", "list", ALICE, "--json", "-c", config)))
    assert phone["returns_until"] is None


def test_one_that_was_revoked_is_gone(config: Path) -> None:
    result = run("session", "revoke", ALICE, PHONE.upper(), "-c", config)
    assert (result.exit_code, result.stdout) == (0, "")
    assert PHONE not in worked(run("session", "list", ALICE, "-c", config))
    run("session", "revoke", ALICE, DESK, "-c", config)
    assert run("session", "list", ALICE, "-c", config).stdout == ""
