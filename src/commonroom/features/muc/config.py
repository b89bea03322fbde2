"""XEP-0045 §16.5.3: what an owner may set of a room."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from commonroom.features.muc.affiliations import Role
from commonroom.protocol.jid import JID, InvalidJID

OCCUPYING = (Role.MODERATOR, Role.PARTICIPANT, Role.VISITOR)


class Whois(StrEnum):
    """Who may discover real addresses: semi-anonymous and non-anonymous rooms (XEP-0045 §10.1.3)."""

    MODERATORS = "moderators"
    ANYONE = "anyone"


class AllowPM(StrEnum):
    """Who may send private messages (XEP-0045 §7.5)."""

    ANYONE = "anyone"
    PARTICIPANTS = "participants"
    MODERATORS = "moderators"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class RoomConfig:
    """A room's configuration; the defaults are those of XEP-0045, or else the careful ones.

    password            None: none is needed
    max_users           0: as many as come
    presence_broadcast  the roles whose presence others see
    get_member_list     the roles that may get the member list, where addresses are not hidden from them
    logging             messages are archived, and occupants are told so
    history_length      how many messages somebody who enters may get at most
    allow_query_users   strangers may see who is inside (XEP-0045 §6.5)
    lock_nicks          whoever has a reserved nickname has no other one here (XEP-0045 §7.10)
    self_registration   anybody who may enter may become a member (XEP-0045 §7.10) ...
    approve_registration ... when an admin says so (§9.9)
    pubsub              the URI of a publish-subscribe node that goes with the room
    slow_mode_seconds   between two messages of somebody (XEP-0500)
    """

    name: str = ""
    description: str = ""
    lang: str = ""
    persistent: bool = False
    public: bool = False
    members_only: bool = False
    moderated: bool = False
    password: str | None = None
    whois: Whois = Whois.MODERATORS
    max_users: int = 0
    change_subject: bool = False
    allow_invites: bool = False
    allow_pm: AllowPM = AllowPM.ANYONE
    presence_broadcast: frozenset[Role] = frozenset(OCCUPYING)
    get_member_list: frozenset[Role] = frozenset(OCCUPYING)
    logging: bool = False
    history_length: int = 20
    contacts: tuple[JID, ...] = ()
    pubsub: str = ""
    allow_query_users: bool = False
    voice_requests: bool = True
    lock_nicks: bool = False
    self_registration: bool = True
    approve_registration: bool = True
    slow_mode_seconds: int = 0

    @property
    def is_archived(self) -> bool:
        """Whether what is said is kept: that of a temporary room is not, whatever it says."""
        return self.logging and self.persistent

    def to_dict(self) -> dict[str, Any]:
        """As values that JSON has."""
        return {
            field.name: _WRITERS.get(field.name, _same)(getattr(self, field.name)) for field in fields(self)
        }

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> "RoomConfig":
        """What `to_dict` gave: what is missing has its default, what nobody knows any more is left out."""
        known = {field.name for field in fields(RoomConfig)}
        return RoomConfig(
            **{key: _READERS.get(key, _same)(value) for key, value in values.items() if key in known}
        )


def _same(value: Any) -> Any:
    return value


def _roles(values: list[str]) -> frozenset[Role]:
    return frozenset(map(Role, values))


def _contacts(values: list[str]) -> tuple[JID, ...]:
    """Rules of addresses may change while a room sleeps: what is none any more is left out."""
    found = []
    for value in values:
        try:
            found.append(JID.parse(value))
        except InvalidJID:
            continue
    return tuple(found)


_WRITERS: dict[str, Callable[[Any], Any]] = {
    "whois": str,
    "allow_pm": str,
    "presence_broadcast": sorted,
    "get_member_list": sorted,
    "contacts": lambda contacts: [str(contact) for contact in contacts],
}
_READERS: dict[str, Callable[[Any], Any]] = {
    "whois": Whois,
    "allow_pm": AllowPM,
    "presence_broadcast": _roles,
    "get_member_list": _roles,
    "contacts": _contacts,
}
