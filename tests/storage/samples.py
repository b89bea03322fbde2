"""Values for the storage tests."""

from datetime import UTC, datetime
from itertools import count

from commonroom.protocol.jid import JID
from commonroom.protocol.sasl.scram_keys import ScramKeys
from commonroom.protocol.subscription import SubscriptionState
from commonroom.storage.records import Account, RosterItem

JULIET = JID.parse("juliet@capulet.example")
ROMEO = JID.parse("romeo@montague.example")
NURSE = JID.parse("nurse@capulet.example")

IDS = count(1_700_000_000_000_000)  # of stored messages

CREATED = datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=UTC)
SHA1 = ScramKeys("SHA-1", b"salt", 4096, bytes(range(20)), bytes(range(20, 40)))
SHA256 = ScramKeys("SHA-256", b"more salt", 10_000, bytes(range(32)), bytes(range(32, 64)))
SHA512 = ScramKeys("SHA-512", b"much more salt", 4096, bytes(range(64)), bytes(range(64, 128)))


def account(jid: JID = JULIET, *keys: ScramKeys, disabled: bool = False) -> Account:
    return Account(jid, keys, CREATED, disabled)


def item(
    jid: JID = ROMEO,
    version: int = 1,
    *,
    name: str = "",
    groups: tuple[str, ...] = (),
    state: SubscriptionState = SubscriptionState.NONE,
    approved: bool = False,
    listed: bool = True,
    request: str | None = None,
) -> RosterItem:
    return RosterItem(jid, name, groups, state, approved, listed, request, version)
