"""Whose names are whose: who may make a room of what name, and how such rooms begin."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from commonroom.config.rooms import Fixed, RoomClass, Rooms, WhoCreates
from commonroom.features.muc.config import RoomConfig
from commonroom.features.muc.confusables import skeleton
from commonroom.protocol.errors import StanzaError, not_acceptable, not_allowed
from commonroom.protocol.jid import JID

_EVERYBODY = "*@"
_FIXED = {
    Fixed.PERSISTENT: "persistent",
    Fixed.MEMBERS_ONLY: "members_only",
    Fixed.MODERATED: "moderated",
    Fixed.PUBLIC: "public",
    Fixed.ARCHIVED: "logging",
}


class Groups:
    """The groups of the configuration: their members are addresses, or `*@domain`."""

    def __init__(self, groups: Mapping[str, Iterable[str]]) -> None:
        self._groups = {name: frozenset(map(_address, members)) for name, members in groups.items()}

    def addresses(self, people: Iterable[str]) -> Iterator[JID]:
        """All that are meant: bare addresses, and domains for everybody of them."""
        for person in people:
            if person.startswith("@"):
                yield from sorted(self._groups.get(person[1:], ()))
            else:
                yield _address(person)

    def hold(self, people: Iterable[str], who: JID) -> bool:
        """Whether somebody is among these people."""
        bare, domain = who.bare, JID.of(None, who.domain)
        for person in people:
            members = self._groups.get(person[1:], ()) if person.startswith("@") else (_address(person),)
            if bare in members or domain in members:
                return True
        return False


@dataclass(frozen=True, slots=True)
class Beginning:
    """How a room begins. `kind` names its class; "" stands for none."""

    kind: str
    config: RoomConfig
    owners: tuple[JID, ...] = ()
    admins: tuple[JID, ...] = ()
    members: tuple[JID, ...] = ()


class NamePolicy:
    """The name space of rooms. `local` are the domains whose accounts are ours."""

    def __init__(self, rooms: Rooms, groups: Groups, local: frozenset[str]) -> None:
        self._rooms = rooms
        self._groups = groups
        self._local = local
        self._classes = tuple((name, each, Names(each.names)) for name, each in rooms.classes.items())
        self._forbidden = Names(rooms.forbidden)
        self._declared = {JID.of(name, "rooms").local or name for name in rooms.declared}
        self._looks: dict[str, str] | None = None

    def may_create(self, name: str, who: JID) -> Beginning:
        """How the room begins that somebody makes; raises StanzaError if that is not for them.

        not-allowed tells that making this room is restricted (XEP-0045 §7.2), not-acceptable that the name
        itself will not do.
        """
        self.check(name)
        if not self.is_creator(name, who):
            raise not_allowed("you may not make a room of this name here")
        return self.beginning(name)

    def is_creator(self, name: str, who: JID) -> bool:
        """Whether it is for them to make such a room."""
        if name in self._declared:
            return False  # it is made by the service
        found = self._class(name)
        if found is not None:
            return self._groups.hold(found[1].creators, who)
        rooms = self._rooms
        if rooms.create is WhoCreates.LOCAL:
            return who.domain in self._local
        return rooms.create is WhoCreates.CREATORS and self._groups.hold(rooms.creators, who)

    def check(self, name: str) -> None:
        """Raise not-acceptable for a name that nobody gets, or that is not what it seems.

        Deviation: XEP-0045 §10.1.1 knows not-allowed only; this is not a matter of who asks.
        """
        rooms = self._rooms
        if not rooms.shortest_name <= len(name) <= rooms.longest_name:
            raise not_acceptable(
                f"a room's name has {rooms.shortest_name} to {rooms.longest_name} characters"
            )
        if self._forbidden.fit(name) or self._forbidden.look_like(name):
            raise not_acceptable("no room may have this name")
        if not rooms.look_alikes:
            self._check_looks(name)

    def _check_looks(self, name: str) -> None:
        """Names of a class are taken by their look: what seems to be one of them has to be one."""
        if self._looks is None:
            self._looks = {skeleton(declared): declared for declared in self._declared}
        if self._looks.get(skeleton(name), name) != name:
            raise alike()
        if self._class(name) is None and any(names.look_like(name) for _, _, names in self._classes):
            raise alike()

    def beginning(self, name: str) -> Beginning:
        """How a room of this name begins, whoever makes it."""
        rooms = self._rooms
        config = RoomConfig(
            persistent=rooms.persistent,
            members_only=rooms.members_only,
            moderated=rooms.moderated,
            public=rooms.public,
            logging=rooms.archived,
        )
        found = self._class(name)
        if found is None:
            return Beginning("", config)
        kind, each = found
        addresses = self._groups.addresses
        return Beginning(
            kind,
            _of_class(config, each),
            tuple(addresses(each.owners)),
            tuple(addresses(each.moderators)),
            tuple(addresses(each.members)),
        )

    def declared(self, name: str) -> Beginning:
        """How a room of the configuration begins, under its name there."""
        room = self._rooms.declared[name]
        begun = self.beginning(name)
        addresses = self._groups.addresses
        config = replace(
            begun.config, name=room.title or name, description=room.description or "", persistent=True
        )
        return Beginning(
            begun.kind,
            config,
            (*begun.owners, *addresses(room.owners)),
            (*begun.admins, *addresses(room.moderators)),
            (*begun.members, *addresses(room.members)),
        )

    @property
    def forbids_look_alikes(self) -> bool:
        """Whether a new room's name is compared with those that there are."""
        return not self._rooms.look_alikes

    def is_declared(self, name: str) -> bool:
        """Whether the room is one that always exists."""
        return name in self._declared

    def fixed(self, name: str) -> frozenset[str]:
        """What of such a room's configuration its owners cannot change."""
        found = self._class(name)
        return frozenset(_FIXED[each] for each in found[1].fixed) if found is not None else frozenset()

    def unused_after(self, name: str) -> float | None:
        """After how many seconds such a room counts as unused; None: it stays."""
        if name in self._declared:
            return None
        found = self._class(name)
        own = None if found is None else found[1].unused_after
        return self._rooms.unused_after if own is None else own

    def shortest_unused(self) -> float | None:
        """The least of these; None if all rooms stay."""
        classes = (each.unused_after for _, each, _ in self._classes)
        return min((each for each in (self._rooms.unused_after, *classes) if each is not None), default=None)

    def _class(self, name: str) -> tuple[str, RoomClass] | None:
        return next(((kind, each) for kind, each, names in self._classes if names.fit(name)), None)


class Names:
    """Names in which `*` stands for any text."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = patterns
        self._exact = _compile(patterns)
        self._looks: re.Pattern[str] | None = None

    def fit(self, name: str) -> bool:
        """Whether a name is one of them."""
        return self._exact.fullmatch(name) is not None

    def look_like(self, name: str) -> bool:
        """Whether a name looks like one of them."""
        if not self._patterns:
            return False
        if self._looks is None:
            parts = (pattern.lower().split("*") for pattern in self._patterns)
            self._looks = _compile(["*".join(map(skeleton, each)) for each in parts])
        return self._looks.fullmatch(skeleton(name)) is not None


def alike() -> StanzaError:
    """The refusal of a name that looks like another one."""
    return not_acceptable("this name looks like that of another room; choose one that cannot be mistaken")


def _compile(patterns: Sequence[str]) -> re.Pattern[str]:
    one = (r"[\s\S]*".join(map(re.escape, pattern.lower().split("*"))) for pattern in patterns)
    return re.compile("|".join(f"(?:{text})" for text in one) or r"(?!)")


def _address(person: str) -> JID:
    """A bare address, or a domain that stands for everybody there."""
    if person.startswith(_EVERYBODY):
        return JID.of(None, person.removeprefix(_EVERYBODY))
    return JID.parse(person).bare


def _of_class(config: RoomConfig, each: RoomClass) -> RoomConfig:
    said: dict[str, Any] = {
        "persistent": each.persistent,
        "members_only": each.members_only,
        "moderated": each.moderated,
        "public": each.public,
        "logging": each.archived,
    }
    return replace(config, **{name: value for name, value in said.items() if value is not None})
