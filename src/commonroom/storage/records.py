"""What crosses the stores' interfaces: values, never rows or elements."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from commonroom.protocol.jid import JID
from commonroom.protocol.sasl.scram_keys import ScramKeys
from commonroom.protocol.subscription import SubscriptionState


@dataclass(frozen=True, slots=True)
class Account:
    """A local account; one whose password is kept elsewhere (LDAP, a password file) has no keys.

    `created` is aware. `changed` is the revision of the last change, which the store counts: what it
    says in an account that is put does not matter.
    """

    jid: JID
    keys: tuple[ScramKeys, ...]
    created: datetime
    disabled: bool = False
    changed: int = 0


class AccountState(Enum):
    """What became of an account by a change."""

    ACTIVE = "active"
    DISABLED = "disabled"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class AccountChange:
    """An account was made, changed (its password, perhaps), disabled, enabled or removed."""

    jid: JID
    state: AccountState
    revision: int


@dataclass(frozen=True, slots=True)
class RosterItem:
    """A contact as the server keeps it (RFC 6121 §2.1.2).

    groups      sorted, each once
    approved    the user pre-approved the contact's request (RFC 6121 §3.4)
    listed      whether clients see it: someone who merely asked is not in the roster (RFC 6121 §3.1.3)
    request     the contact's subscription request in full, kept until it is answered (RFC 6121 §3.1.3)
    version     the roster's version when this item last changed (RFC 6121 §2.6)
    """

    jid: JID
    name: str
    groups: tuple[str, ...]
    state: SubscriptionState
    approved: bool
    listed: bool
    request: str | None
    version: int


@dataclass(frozen=True, slots=True)
class StoredRoster:
    """A roster (RFC 6121 §2): `items` by address, `version` that of the last change.

    Removed items leave nothing behind. So a client whose version is older than `complete_from`, that of
    the last removal, has to get the whole roster instead of what changed (RFC 6121 §2.6.3).
    """

    items: tuple[RosterItem, ...] = ()
    version: int = 0
    complete_from: int = 0


@dataclass(frozen=True, slots=True)
class OfflineMessage:
    """A stanza that waits for its recipient; ids grow in the order in which they came (XEP-0160 §2)."""

    id: int
    stamp: datetime
    xml: str


@dataclass(frozen=True, slots=True)
class OfflineUsage:
    """How much waits for an account: stanzas, and the bytes of their XML."""

    count: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class LastActivity:
    """When an account was last online, and what its client said when it left (XEP-0012 §3)."""

    at: datetime
    status: str


@dataclass(frozen=True, slots=True)
class StoredUser:
    """What a login needs. `account` is None if there is none; the rest is empty then."""

    account: Account | None = None
    roster: StoredRoster = StoredRoster()
    offline: OfflineUsage = OfflineUsage()
