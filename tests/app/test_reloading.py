"""Options that count without a restart: what a reload uses again depends on each of them."""

from dataclasses import replace
from typing import Any

import pytest

from commonroom.admin.archive import keep_rules
from commonroom.admin.places import server_key_pairs
from commonroom.admin.registry import hash_names
from commonroom.admin.roles import Roles, role_files
from commonroom.app.composition import days, recorded, stream_settings
from commonroom.app.entrance import Entrance, client_limits, connection_limits
from commonroom.config import Settings
from commonroom.config.kinds import toml_key
from commonroom.config.option import Key, Option, entries, options, walk
from commonroom.protocol.jid import JID
from tests.conversations.world import World, with_options

WORLD = World("alice@example.org")
LIVE = [
    (key, name) for key, table in walk(Settings) for name, option in options(table).items() if option.live
]


def used_again(settings: Settings) -> dict[str, Any]:
    """All that app/reloading.py makes of the configuration again, in terms that can be compared."""
    entrance = Entrance(WORLD.service, settings)
    rules = keep_rules(settings)
    rule = rules.rule(JID.parse("alice@example.org"))
    return {
        "clients": (client_limits(settings), connection_limits(settings)),
        "gate": entrance.gate._share,
        "streams": stream_settings(settings, WORLD.core, b"", bytes),
        "keys": hash_names(settings.sasl.mechanisms),
        "certificates": (server_key_pairs(settings), settings.tls.minimum_version),
        "archives": (rule, rules.expire_nothing),
        "roles": (Roles(settings)._scopes, role_files(settings)),
        "records": (recorded(settings), days(settings), settings.records),
        "log": settings.log,
    }


def base(key: Key) -> Settings:
    """Settings with one of each table that operators name."""
    settings = with_options()
    if key[:2] in (("tls", "domains"), ("archive", "policies")):
        table = getattr(settings, key[0])
        inner = entries(type(table))[key[1]]
        assert not isinstance(inner, Option)
        named = {"example.org": inner.settings()}
        settings = replace(settings, **{key[0]: replace(table, **{key[1]: named})})
    return settings


def changed(settings: Settings, key: Key, name: str) -> Settings:
    """With another value of one option."""
    if len(key) == 1:
        table = getattr(settings, key[0])
        return replace(settings, **{key[0]: replace(table, **{name: other(table, name)})})
    outer = getattr(settings, key[0])
    ((label, table),) = getattr(outer, key[1]).items()
    named = {label: replace(table, **{name: other(table, name)})}
    return replace(settings, **{key[0]: replace(outer, **{key[1]: named})})


def other(table: Any, name: str) -> Any:
    option = options(type(table))[name]
    before = getattr(table, name)
    if option.example != before:
        return option.example
    return before + 1 if isinstance(before, int | float) else ()


@pytest.mark.parametrize(("key", "name"), LIVE, ids=lambda part: part if isinstance(part, str) else "")
def test_what_is_said_to_count_at_once_is_used_again(key: Key, name: str) -> None:
    before = base(key)
    after = changed(before, key, name)
    assert used_again(before) == used_again(before)
    assert used_again(before) != used_again(after), f"{toml_key((*key, name))} is looked at once only"
