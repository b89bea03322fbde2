"""What crosses the stores' interfaces: values, never rows or elements."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import NamedTuple

from commonroom.protocol.jid import JID
from commonroom.protocol.sasl.mechanism import Token
from commonroom.protocol.sasl.scram_keys import ScramKeys
from commonroom.protocol.subscription import SubscriptionState


@dataclass(frozen=True, slots=True)
class Account:
    """A local account; one whose password is kept elsewhere (LDAP, a password file) has no keys.

    `created` is aware. `changed` is the revision of the last change, which the store counts: what it
    says in an account that is put does not matter.
    `origin` is the source that lists the account, empty if it is kept here alone; `departed` is when it left
    that source, `login` the name that it has there. `verifier` stands for the hash that the keys were
    derived for.
    """

    jid: JID
    keys: tuple[ScramKeys, ...]
    created: datetime
    disabled: bool = False
    changed: int = 0
    origin: str = ""
    departed: datetime | None = None
    verifier: str = field(default="", repr=False)
    login: str = ""


class Renaming(NamedTuple):
    """An account gets another address."""

    former: JID
    new: JID


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
class OutboundStanza:
    """A stanza that waits for another server; ids are times, and rise (see `Ids`)."""

    id: int
    xml: str


@dataclass(frozen=True, slots=True)
class LastActivity:
    """When an account was last online, and what its client said when it left (XEP-0012 §3)."""

    at: datetime
    status: str


class ArchiveDefault(Enum):
    """Whose messages are archived when no rule names them (XEP-0441 §2.1)."""

    ALWAYS = "always"
    NEVER = "never"
    ROSTER = "roster"


@dataclass(frozen=True, slots=True)
class ArchivePreferences:
    """What an account's owner wants archived (XEP-0441 §2); `always` and `never` go before `default`."""

    default: ArchiveDefault
    always: frozenset[JID] = frozenset()
    never: frozenset[JID] = frozenset()


@dataclass(frozen=True, slots=True)
class PushService:
    """Where an account's notifications go (XEP-0357 §5): a node of a service, which may have no name.

    options     the form that goes along with each of them, as XML in jabber:x:data; empty if there is none
    """

    service: JID
    node: str
    options: str


@dataclass(frozen=True, slots=True)
class Device:
    """A client that logged in as XEP-0388 has it, with the tokens that it may log in with (XEP-0484).

    client      its installation's id, which is what it said (XEP-0388 §2.3)
    software, name  what it says of itself and of where it is installed; empty if nothing
    password    it knew the password once
    """

    client: str
    software: str
    name: str
    first_seen: datetime
    last_seen: datetime
    password: bool
    tokens: tuple[Token, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredUser:
    """What a login needs. `account` is None if there is none; the rest is empty then.

    `preferences` is None if the owner never said what is to be archived. `pushes` says whether
    notifications are wanted.
    """

    account: Account | None = None
    roster: StoredRoster = StoredRoster()
    offline: OfflineUsage = OfflineUsage()
    preferences: ArchivePreferences | None = None
    pushes: bool = False


@dataclass(frozen=True, slots=True)
class ArchivedMessage:
    """One message in one archive (XEP-0313 §4).

    id          from `Ids`: microseconds since 1970, and used once in the whole service
    peer        whom it came from or went to, bare or full
    outgoing    the owner sent it
    xml         the stanza; its default namespace is jabber:client
    body        what a search looks at, if it may be found by its words
    origin      the origin-id, or id, that its sender gave it
    """

    id: int
    peer: JID
    outgoing: bool
    xml: str
    body: str | None = None
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class ArchiveFilter:
    """Which messages of an archive; None: this does not matter (XEP-0313 §4.1).

    peer            a bare address stands for all of its resources, a full one for itself only
    after, before   ids, not included themselves; the id of a moment is its microseconds since 1970
    ids             only these
    text            all words of it occur in the body, whatever their case, accents and order
    """

    peer: JID | None = None
    after: int | None = None
    before: int | None = None
    ids: tuple[int, ...] | None = None
    text: str | None = None


EVERYTHING = ArchiveFilter()


@dataclass(frozen=True, slots=True)
class ArchivePage:
    """Messages, the oldest first; `complete` if nothing follows in the direction that was asked for."""

    messages: tuple[ArchivedMessage, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class ArchiveBounds:
    """The ids of the first and of the last message (XEP-0313 §5)."""

    first: int
    last: int


class Conversation(NamedTuple):
    """What an owner's archive has of one peer; both are bare addresses."""

    owner: JID
    peer: JID


@dataclass(frozen=True, slots=True)
class ArchiveAge:
    """Whose archive has messages since when: `first` is the id of its oldest one."""

    owner: JID
    first: int


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token of the HTTP API, by what is kept of it; it ends at `expires`, if that is set."""

    name: str
    digest: bytes
    scopes: tuple[str, ...]
    created: datetime
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """Something that happened: `who` did it, `peer` is whom it concerned, `address` where it came from.

    `tag` is one of audit/tags.py. `at` are microseconds since 1970; `facts` is an object of JSON.
    """

    at: int
    tag: str
    who: str | None = None
    peer: str | None = None
    address: str | None = None
    facts: str = "{}"


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which records are wanted: those to which all of this applies.

    `tag` is a tag, or the beginning of one that ends in a colon; `who` did it or is whom it concerned. The
    moment `since` is the first that fits, `until` the first that no longer does.
    """

    tag: str | None = None
    who: str | None = None
    address: str | None = None
    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class DailyStatistic:
    """A number of a day, which is counted since 1970."""

    day: int
    name: str
    value: int
