"""XEP-0500: MUC Slow Mode: a pause between two messages of the same user, version 0.1.1."""

from datetime import datetime, timedelta

from commonroom.features.muc.affiliations import ADMINS
from commonroom.features.muc.occupant import Occupant
from commonroom.features.muc.room import Room
from commonroom.protocol.errors import ErrorType, StanzaError
from commonroom.protocol.stanza import Message
from commonroom.xml.names import NS_CLIENT


def check_pace(room: Room, occupant: Occupant, message: Message, now: datetime) -> None:
    """Raise policy-violation for who speaks too soon (XEP-0500 §6), under whatever nickname (§8).

    Messages without a body do not count, nor do admins and owners. A clock that was set back frees everybody.
    """
    seconds = room.config.slow_mode_seconds
    if not seconds or occupant.affiliation in ADMINS or message.child(NS_CLIENT, "body") is None:
        return
    last = room.spoke.get(occupant.user)
    if last is not None and timedelta(0) <= now - last < timedelta(seconds=seconds):
        text = f"this room is in slow mode: wait {seconds} seconds between two messages"
        raise StanzaError("policy-violation", ErrorType.WAIT, text)
    room.spoke[occupant.user] = now
    if len(room.spoke) > 2 * len(room.by_user) + 100:  # those who left long ago; leaving alone frees nobody
        _forget_old(room, now - timedelta(seconds=seconds))


def _forget_old(room: Room, since: datetime) -> None:
    room.spoke = {user: spoke for user, spoke in room.spoke.items() if since <= spoke or user in room.by_user}
