"""An account that is in memory: its roster and its connected resources."""

from typing import Protocol

from commonroom.core.roster import Roster
from commonroom.protocol.errors import StreamError
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Presence, Stanza
from commonroom.storage.records import ArchivePreferences

# What users want who have notifications sent while none of their clients is there: it is on disk, and read
# with them.
PUSH = "push"
# … and what of a user's messages is archived has to be looked at.
ARCHIVE = "archive"

NOTHING = frozenset[str]()  # since Python 3.10 each empty one is a new one, of 216 bytes


class Resource(Protocol):
    """A connected resource as those who deliver to it see it."""

    jid: JID
    presence: Presence | None  # the last one broadcast; None while the resource is not available
    priority: int
    ready: bool  # whether messages to the bare address may come here yet

    @property
    def is_attended(self) -> bool:
        """Whether somebody may be looking: it is available, connected, and does not say otherwise."""

    def send(self, stanza: Stanza) -> None:
        """Deliver to this client."""

    def end(self, error: StreamError) -> None:
        """Close the client's stream with an error."""


class User:
    """A `disabled` account gets messages, but no sessions; `changed` is the revision that is in memory.

    `mail_waits` is False when surely no offline message waits: then a login need not look. `mail_count` and
    `mail_size` are the messages on disk that no client surely has, and their bytes.
    `wants` names what this user turned on; it selects the stages of their messages. `archiving` is what the
    user wants archived, if that was ever said.

    The tuples are derived from the resources' presence, so that a message costs no search:
    `available` holds all available resources, `non_negative` those that take messages to the bare
    address, `most_available` those of them with the highest priority (RFC 6121 §8.5.2.1.1).
    """

    __slots__ = (
        "__weakref__",
        "archiving",
        "available",
        "changed",
        "disabled",
        "jid",
        "mail_count",
        "mail_size",
        "mail_waits",
        "most_available",
        "non_negative",
        "roster",
        "sessions",
        "wants",
    )

    def __init__(
        self, jid: JID, roster: Roster, disabled: bool = False, changed: int = 0, mail_waits: bool = True
    ) -> None:
        self.jid = jid
        self.disabled = disabled
        self.changed = changed
        self.mail_waits = mail_waits
        self.mail_count = self.mail_size = 0
        self.roster = roster
        self.archiving: ArchivePreferences | None = None
        self.sessions: dict[str, Resource] = {}
        self.wants = NOTHING
        self.available: tuple[Resource, ...] = ()
        self.non_negative: tuple[Resource, ...] = ()
        self.most_available: tuple[Resource, ...] = ()

    def add(self, resource: Resource) -> None:
        """A resource was bound; the caller has settled conflicts (RFC 6120 §7.7.2.2)."""
        assert resource.jid.resource is not None
        self.sessions[resource.jid.resource] = resource

    def remove(self, resource: Resource) -> None:
        """A resource is gone; one that was replaced meanwhile takes nothing with it."""
        name = resource.jid.resource
        if name is not None and self.sessions.get(name) is resource:
            del self.sessions[name]
        self.presence_changed()

    def presence_changed(self) -> None:
        """A resource became available or unavailable, or its priority changed."""
        self.available = tuple(r for r in self.sessions.values() if r.presence is not None)
        self.non_negative = tuple(r for r in self.available if r.priority >= 0 and r.ready)
        top = max((r.priority for r in self.non_negative), default=0)
        self.most_available = tuple(r for r in self.non_negative if r.priority == top)

    def shows_presence_to(self, entity: JID) -> bool:
        """Whether the entity may see this user's presence: the user, and those subscribed to it."""
        return entity.bare == self.jid or self.roster.item(entity.bare).state.has_from
