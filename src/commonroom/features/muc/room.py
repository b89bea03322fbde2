"""XEP-0045: what a room knows of itself. What happens in it are functions in the chapters' files."""

import unicodedata
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple, TypeVar

from commonroom.features.muc.affiliations import (
    ADMINS,
    Affiliation,
    Entry,
    Privilege,
    Role,
    may,
)
from commonroom.features.muc.config import RoomConfig, Whois
from commonroom.features.muc.confusables import look, skeleton
from commonroom.features.muc.occupant import Occupant
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Message

K = TypeVar("K")
V = TypeVar("V")

# Of those who lost their affiliations so many are remembered, so that clients need not get the whole lists
# again (XEP-0463 §5.2.1). The oldest is forgotten first.
MOST_FORMER = 500


class Subject(NamedTuple):
    """The message that set the subject, from the occupant who did, and when (XEP-0045 §7.2.15)."""

    message: Message
    stamp: datetime


class Spoken(NamedTuple):
    """A message in the room's history.

    id          its id in the archive, which its recipients were told
    user        the bare real address of whom it is from
    message     from room@service/nick, with its <delay/>: what somebody who enters gets
    """

    id: int
    user: JID
    message: Message
    stamp: datetime


class Relayed(NamedTuple):
    """A question of one occupant to another, on its way through the room (XEP-0045 §17.4 rule 3).

    asker       the full real address of whom will be answered, and `id` under what id
    asked       the real address that must answer: full, or bare if the account answers for its owner
    via         the occupant JID that was asked
    """

    asker: JID
    id: str
    asked: JID
    via: JID


class Hat(NamedTuple):
    """A title that occupants may wear (XEP-0317 §3.1)."""

    title: str
    hue: str | None = None


class Room:
    """One room.

    address     bare
    affiliations  who is on which list: bare addresses, or domains for all who have accounts there
    former      who was on one, with the version of the lists when that ended (XEP-0463)
    occupants   by nickname; `by_address` the same by full real addresses, `by_user` by bare ones
    reserved    whose a nickname is, by what `nick_key` makes of it; `_alike` by what `nick_looks` does
    is_locked   nobody else may enter: it was made and is not yet configured (XEP-0045 §10.1.1)
    next_id     gives ids for messages, as the archive has them
    version     of the lists; `complete_from`: whose version is older must get the whole lists
    fixed       settings, by their names in RoomConfig, that no owner may change: a policy says what they are
    hats        by URI; `worn` by bare address

    For a while only, and each bounded: `relayed` questions by our ids; `private` messages by recipient, the
    sender's occupant JID and id; `invited`: who invited whom, by the invitee and the inviter's name there;
    `requests` for registration with the nickname, `applied`: when; `asked`: when users asked for voice;
    `spoke`: when they spoke last (XEP-0500 §8); `voices`: the roles that moderators gave or took, which
    somebody has again who comes back (XEP-0045 §5.1).
    """

    __slots__ = (
        "_alike",
        "_looks",
        "address",
        "affiliations",
        "applied",
        "asked",
        "by_address",
        "by_user",
        "complete_from",
        "config",
        "fixed",
        "former",
        "hats",
        "history",
        "invited",
        "is_locked",
        "is_new",
        "next_id",
        "occupant_key",
        "occupants",
        "private",
        "relayed",
        "relays",
        "requests",
        "reserved",
        "spoke",
        "subject",
        "version",
        "voices",
        "worn",
    )

    def __init__(
        self, address: JID, config: RoomConfig, occupant_key: bytes, next_id: Callable[[], int]
    ) -> None:
        self.address = address
        self.config = config
        self.occupant_key = occupant_key
        self.next_id = next_id
        self.affiliations: dict[JID, Entry] = {}
        self.former: dict[JID, int] = {}
        self.reserved: dict[str, JID] = {}
        self.occupants: dict[str, Occupant] = {}
        self.by_address: dict[JID, Occupant] = {}
        self.by_user: dict[JID, list[Occupant]] = {}
        self.subject: Subject | None = None
        self.history: deque[Spoken] = deque()
        self.is_locked = False
        self.is_new = False
        self.version = 0
        self.complete_from = 0
        self.fixed: frozenset[str] = frozenset()
        self.hats: dict[str, Hat] = {}
        self.worn: dict[JID, tuple[str, ...]] = {}
        self.relayed: OrderedDict[str, Relayed] = OrderedDict()
        self.relays = 0
        self.private: OrderedDict[tuple[JID, JID, str | None], None] = OrderedDict()
        self.invited: OrderedDict[tuple[JID, str], JID] = OrderedDict()
        self.requests: dict[JID, str] = {}
        self.applied: OrderedDict[JID, datetime] = OrderedDict()
        self.asked: OrderedDict[JID, datetime] = OrderedDict()
        self.spoke: dict[JID, datetime] = {}
        self.voices: OrderedDict[JID, Role] = OrderedDict()
        self._looks: dict[str, Occupant] = {}
        self._alike: dict[str, JID] = {}

    # Lists

    def restore(
        self, entries: Iterable[tuple[JID, Entry]], former: Iterable[tuple[JID, int]], version: int
    ) -> None:
        """Take the lists as they were kept."""
        self.affiliations = dict(entries)
        self.former = dict(sorted(former, key=lambda item: item[1]))
        self.version = version
        if len(self.former) >= MOST_FORMER:  # older ones may have been forgotten
            self.complete_from = next(iter(self.former.values()))
        self.reserved.clear()
        self._alike.clear()
        for jid, entry in self.affiliations.items():
            if entry.nick:
                self.reserve(entry.nick, jid)

    def reserve(self, nick: str, jid: JID) -> None:
        """A nickname is somebody's for good."""
        self.reserved[nick_key(nick)] = jid
        self._alike.update(dict.fromkeys(nick_looks(nick), jid))

    def give_up(self, nick: str, jid: JID) -> None:
        """It is not any more."""
        self.reserved.pop(nick_key(nick), None)
        for seen in nick_looks(nick):
            if self._alike.get(seen) == jid:
                del self._alike[seen]

    def entry(self, jid: JID) -> Entry | None:
        """What the lists say of somebody: of the user before the domain (XEP-0045 §9.2)."""
        entry = self.affiliations.get(jid.bare)
        if entry is None and jid.local is not None:
            entry = self.affiliations.get(JID.parse(jid.domain))
        return entry

    def affiliation(self, jid: JID) -> Affiliation:
        """What somebody is to the room."""
        entry = self.entry(jid)
        return Affiliation.NONE if entry is None else entry.affiliation

    def listed(self, affiliation: Affiliation) -> Iterator[tuple[JID, Entry]]:
        """Who is on one of the lists."""
        return ((jid, entry) for jid, entry in self.affiliations.items() if entry.affiliation is affiliation)

    def may_enter(self, jid: JID) -> bool:
        """Whether the lists let somebody in (XEP-0045 §5.2.1); a password is another matter."""
        is_closed = self.config.members_only
        privilege = Privilege.ENTER_MEMBERS_ONLY_ROOM if is_closed else Privilege.ENTER_OPEN_ROOM
        return may(self.affiliation(jid), privilege)

    def may_read(self, jid: JID) -> bool:
        """Whether somebody may see what was said (XEP-0313 §6.1.2)."""
        if not self.may_enter(jid) or self.is_locked:
            return False
        return self.config.password is None or self.affiliation(jid) in ADMINS or jid in self.by_address

    # Occupants

    def holders(self, nick: str) -> list[Occupant]:
        """Who has a nickname, or one that looks the same to a reader in a hurry (XEP-0045 §7.2.8)."""
        found = [self._looks[seen] for seen in nick_looks(nick) if seen in self._looks]
        return found if len(found) < 2 or found[0] is not found[1] else found[:1]

    def owner_of_nick(self, nick: str) -> JID | None:
        """For whom a nickname is reserved, or one that looks the same."""
        owner = self.reserved.get(nick_key(nick))
        if owner is not None:
            return owner
        return next((self._alike[seen] for seen in nick_looks(nick) if seen in self._alike), None)

    def add(self, occupant: Occupant) -> None:
        """Somebody comes in, or has a new nickname."""
        self.occupants[occupant.nick] = occupant
        self._looks.update(dict.fromkeys(nick_looks(occupant.nick), occupant))
        self.by_user.setdefault(occupant.user, []).append(occupant)
        for session in occupant.sessions:
            self.by_address[session] = occupant

    def remove(self, occupant: Occupant) -> None:
        """Somebody leaves, or has another nickname from now on."""
        del self.occupants[occupant.nick]
        for seen in nick_looks(occupant.nick):
            if self._looks.get(seen) is occupant:
                del self._looks[seen]
        same = self.by_user[occupant.user]
        same.remove(occupant)
        if not same:
            del self.by_user[occupant.user]
        for session in occupant.sessions:
            del self.by_address[session]

    def sees_addresses(self, occupant: Occupant) -> bool:
        """Whether an occupant may see the others' real addresses (XEP-0045 §7.2.3, §7.2.4)."""
        return self.config.whois is Whois.ANYONE or occupant.role is Role.MODERATOR

    @property
    def is_anonymous(self) -> bool:
        """Whether it is semi-anonymous: only moderators see real addresses (XEP-0045 §4.2)."""
        return self.config.whois is not Whois.ANYONE

    def is_shown(self, occupant: Occupant) -> bool:
        """Whether the others see an occupant's presence (XEP-0045 §7.2.2)."""
        return occupant.role in self.config.presence_broadcast


def keep(kept: OrderedDict[K, V], key: K, value: V, most: int) -> None:
    """Put something into a bounded memory; the oldest is forgotten first."""
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > most:
        kept.popitem(last=False)


def nick_key(nick: str) -> str:
    """What nicknames that differ have different."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", nick).casefold()).strip()


@lru_cache(maxsize=1024)
def nick_looks(nick: str) -> tuple[str, str]:
    """What nicknames that look different have different: as they are written, and in small letters.

    With a capital I, `AIice` looks like `Alice`, and in small letters only like `aiice`. The two ways of
    looking are kept apart, by what no nickname has in it: `Ian` does not look like `Lan`.
    """
    written = unicodedata.normalize("NFKC", nick).strip()
    return f"\n{look(written)}", skeleton(nick_key(nick))
