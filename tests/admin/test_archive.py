"""Operations on archives."""

from datetime import timedelta
from pathlib import Path

import pytest

from commonroom.admin.archive import erase, expire, expiring, keep_rules
from commonroom.admin.errors import BadAddress, NoSuchAccount
from commonroom.admin.registry import Registry
from commonroom.config import Settings, parse
from commonroom.protocol.jid import JID
from commonroom.storage.records import EVERYTHING, Account, ArchivedMessage
from commonroom.storage.stamps import to_stamp

from .registries import NOW, done, registry

ALICE = JID.parse("alice@example.org")
BOB = JID.parse("bob@chat.example.org")
CAROL = JID.parse("carol@example.net/phone")


def settings(text: str) -> Settings:
    return parse('domains = ["example.org"]\n' + text, Path("commonroom.toml"))


def filled(*days_ago: int) -> Registry:
    """Two accounts with a message of so many days ago each."""
    found = registry()
    for number, owner in enumerate((ALICE, BOB)):
        found.stores.accounts.put(Account(owner, (), NOW))
        for days in sorted(days_ago, reverse=True):
            id = to_stamp(NOW - timedelta(days=days)) + number
            found.stores.archive.append(owner, ArchivedMessage(id, CAROL, True, "<message/>"))
    return found


def left(found: Registry, owner: JID) -> int:
    return len(done(found.stores.archive.page(owner, EVERYTHING, 100)).messages)


RULES = keep_rules(
    settings(
        '[archive]\nkeep = "365d"\n[archive.policies.chat]\naccounts = ["*@chat.example.org"]\nkeep = "30d"\n'
        '[archive.policies.unused]\naccounts = ["x@*"]\nkeep = "10d"\n'
    )
)


def test_what_nobody_configured_keeps_everything() -> None:
    assert keep_rules(settings("")).expire_nothing


def test_a_dry_run_tells_for_each_rule_what_would_go_and_since_when_and_removes_nothing() -> None:
    found = filled(1, 31, 100, 400)
    chat, others = reversed(done(expiring(found, RULES)))
    assert (chat.rule.name, chat.messages, chat.archives) == ("archive.policies.chat", 3, 1)
    assert (others.rule.name, others.messages, others.archives) == ("archive.keep", 1, 1)
    assert others.since == NOW - timedelta(days=400)
    assert (left(found, ALICE), left(found, BOB)) == (4, 4)


def test_expiring_removes_what_the_dry_run_told() -> None:
    found = filled(1, 31, 100, 400)
    told = [(each.rule.name, each.messages) for each in done(expiring(found, RULES))]
    assert [(each.rule.name, each.messages) for each in done(expire(found, RULES))] == told
    assert (left(found, ALICE), left(found, BOB)) == (3, 1)
    assert done(expiring(found, RULES)) == []


def test_an_archive_of_an_account_that_does_not_exist_cannot_be_erased() -> None:
    with pytest.raises(NoSuchAccount):
        done(erase(registry(), "alice@example.org"))
    with pytest.raises(BadAddress):
        done(erase(registry(), "alice@elsewhere.example"))


def test_a_peer_must_be_an_address() -> None:
    with pytest.raises(BadAddress, match="a@b@c"):
        done(erase(filled(1), ALICE, "a@b@c"))


def test_one_conversation_or_all_are_erased_for_the_account_alone() -> None:
    found = filled(1, 2)
    done(erase(found, ALICE, "dave@example.net"))
    assert left(found, ALICE) == 2
    done(erase(found, ALICE, "carol@example.net"))
    assert (left(found, ALICE), left(found, BOB)) == (0, 2)
    done(erase(found, BOB))
    assert left(found, BOB) == 0
