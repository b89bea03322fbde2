"""XEP-0486: MUC Avatars: what a room looks like."""

import hashlib
from binascii import Error, a2b_base64
from collections.abc import Awaitable, Callable

from commonroom.features.muc.affiliations import Privilege, may
from commonroom.features.muc.effects import Effects, RoomPut
from commonroom.features.muc.room import Room
from commonroom.protocol.errors import bad_request, forbidden, policy_violation, service_unavailable
from commonroom.protocol.jid import JID
from commonroom.protocol.muc import Status, user_element
from commonroom.protocol.stanza import Iq, Message, MessageType
from commonroom.storage.interfaces import RoomStore
from commonroom.xml.element import Element
from commonroom.xml.parser import parse_fragment
from commonroom.xml.serializer import serialize

NS_VCARD = "vcard-temp"

Show = Callable[[Room, tuple[str, ...], Effects], Awaitable[None]]


class RoomAvatars:
    """Keeps avatars with the rooms that last; `show` brings what follows from it to people and disk."""

    def __init__(self, store: RoomStore, show: Show, largest: int) -> None:
        self._store = store
        self._show = show
        self._largest = largest

    async def get(self, iq: Iq, room: Room) -> Element:
        """The vCard (XEP-0486 §3.4), for those who may find the room or enter it."""
        sender = _sender(iq)
        if not (room.config.public or room.may_enter(sender)):
            raise forbidden("this room is for its members")
        xml = await self._store.vcard(room.address)
        return Element(NS_VCARD, "vCard") if xml is None else parse_fragment(xml, NS_VCARD)

    async def put(self, iq: Iq, room: Room) -> None:
        """An owner gives the room an avatar, or takes it away (XEP-0486 §3.2)."""
        if not may(room.affiliation(_sender(iq)), Privilege.CONFIGURE):
            raise forbidden("only owners may set the avatar")
        if not room.config.persistent:
            raise service_unavailable("only rooms that last have an avatar")
        card = iq.request()
        xml = serialize(card, NS_VCARD)
        if len(xml) > self._largest:
            raise policy_violation(f"an avatar has {self._largest} bytes at most")
        hashes = tuple(_hash(photo) for photo in card.elements() if photo.name == "PHOTO")
        self._store.put_vcard(room.address, xml if card.elements() else None)
        effects = Effects()
        effects.writes.append(RoomPut())
        changed = user_element((Status.CONFIGURATION_CHANGED,))
        notice = Message(MessageType.GROUPCHAT, sender=room.address, children=[changed])
        effects.broadcast(notice, room.by_address)
        await self._show(room, hashes, effects)


def _sender(iq: Iq) -> JID:
    assert iq.sender is not None
    return iq.sender


def _hash(photo: Element) -> str:
    """As XEP-0153 §3.1 makes it: of the image, not of its text."""
    try:
        image = a2b_base64("".join((photo.child_text(NS_VCARD, "BINVAL") or "").split()), strict_mode=True)
    except (Error, ValueError):
        raise bad_request("BINVAL is not base 64") from None
    return hashlib.sha1(image, usedforsecurity=False).hexdigest()
