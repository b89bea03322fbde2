"""What a use case changes of a room, on its way to the disk."""

from contextlib import suppress
from datetime import datetime, timedelta

from commonroom.features.muc.effects import (
    AffiliationPut,
    Archived,
    Effects,
    MessageRetracted,
    RoomDestroyed,
    RoomPut,
)
from commonroom.features.muc.held import Held
from commonroom.features.muc.loading import all_affiliations, to_affiliation, to_head
from commonroom.protocol.jid import JID
from commonroom.protocol.muc import NS_OCCUPANT_ID, NS_RETRACT
from commonroom.protocol.stanza_ids import origin_of
from commonroom.storage.errors import StorageError
from commonroom.storage.interfaces import ArchiveStore, RoomStore
from commonroom.storage.records import ArchivedMessage
from commonroom.storage.room_records import RoomGrave
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT
from commonroom.xml.parser import parse_fragment
from commonroom.xml.serializer import serialize

_DAY = timedelta(days=1)


class Keeping:
    """Writes what changed. Temporary rooms are in memory only, so they have no archive either.

    A room that is destroyed leaves a grave, if graves are kept at all.
    """

    def __init__(self, store: RoomStore, archive: ArchiveStore, with_graves: bool) -> None:
        self._store = store
        self._archive = archive
        self._with_graves = with_graves

    def keep(
        self, held: Held, effects: Effects, now: datetime, original: ArchivedMessage | None = None
    ) -> None:
        """Everything that one use case has brought about; `original` is what it retracts."""
        room = held.room
        ended = next((change for change in effects.writes if isinstance(change, RoomDestroyed)), None)
        if ended is not None:
            self._end(held, ended, now)
        elif not room.config.persistent or room.is_locked:
            if held.is_stored:  # it lives as long as somebody is there
                self._store.remove(room.address)
                held.is_stored = False
        elif not held.is_stored:
            self._keep_all(held, now)
        else:
            self._keep_changes(held, effects, now, original)
        if held.is_stored:
            for archived in effects.archive:
                self._archive.append(room.address, _kept(archived))

    def note_use(self, held: Held, now: datetime) -> None:
        """Keep in mind, to the day, that somebody is there, or was until now; nothing else fails with it."""
        if held.is_stored and now - held.used >= _DAY:
            held.used = now
            held.announced = None
            with suppress(StorageError):
                self._keep_head(held)

    def _end(self, held: Held, ended: RoomDestroyed, now: datetime) -> None:
        if not held.is_stored:
            return
        held.is_stored = False
        address, config = held.room.address, held.room.config
        if self._with_graves and config.persistent:  # a temporary one just ends
            # Whoever comes reads it, so that of a closed room says nothing: who was a member is forgotten.
            is_open = not config.members_only and config.password is None
            words = (ended.reason, ended.alternate) if is_open else (None, None)
            self._store.bury(RoomGrave(address, now, *words))
        else:
            self._store.remove(address)

    def _keep_all(self, held: Held, now: datetime) -> None:
        held.is_stored = True
        held.used = now
        self._store.put(to_head(held), tuple(all_affiliations(held.room)))

    def _keep_changes(
        self, held: Held, effects: Effects, now: datetime, original: ArchivedMessage | None
    ) -> None:
        is_changed = False
        for change in effects.writes:
            if isinstance(change, AffiliationPut):
                self._keep_affiliation(held, change.jid)
                is_changed = True  # the version of the lists
            elif isinstance(change, RoomPut):
                is_changed = True
            elif isinstance(change, MessageRetracted) and original is not None:
                self._retract(held.room.address, change, original)
        if is_changed:
            self._keep_head(held)

    def _retract(self, room: JID, change: MessageRetracted, original: ArchivedMessage) -> None:
        """Only who said it, or a moderator (XEP-0424 §5, XEP-0425 §4), and only what can be retracted."""
        if original.id != change.id or (
            change.author is not None and change.author.bare != original.peer.bare
        ):
            return
        element = parse_fragment(original.xml, NS_CLIENT)
        if element.child(NS_RETRACT, "retract") is None and element.child(NS_RETRACT, "retracted") is None:
            self._archive.replace(room, change.id, _tombstone(element, change.xml))

    def _keep_head(self, held: Held) -> None:
        self._store.put(to_head(held))

    def _keep_affiliation(self, held: Held, jid: JID) -> None:
        room = held.room
        affiliation = to_affiliation(room, jid)
        if affiliation is None:
            self._store.remove_affiliation(room.address, jid)
        else:
            self._store.put_affiliation(room.address, affiliation)


def _kept(archived: Archived) -> ArchivedMessage:
    """From the occupant, without `to` (XEP-0313 §6.1.2); who it really was stands beside it."""
    message = archived.message
    copy = message.addressed(None, message.sender)
    return ArchivedMessage(
        archived.id, archived.sender, False, copy.xml(), message.body(), origin_of(message)
    )


def _tombstone(message: Element, left: str) -> str:
    """The same message with only this in it, and by which occupant it was (XEP-0421 §3)."""
    author = message.child(NS_OCCUPANT_ID, "occupant-id")
    if author is not None and not left.startswith("<occupant-id"):
        left = serialize(author, NS_CLIENT) + left
    start = serialize(Element(NS_CLIENT, "message", message.attributes), NS_CLIENT)
    return f"{start.removesuffix('/>')}>{left}</message>"
