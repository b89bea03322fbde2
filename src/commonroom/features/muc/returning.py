"""XEP-0198 §4: what a client says again after it lost its stream, looked for in the room's archive.

The room's history is short, and others speak while somebody is away; so the archive is asked once for what
the same user said, when a client that acknowledges speaks for the first time after it came in.
"""

from collections.abc import Sequence

from commonroom.features.muc.held import Held
from commonroom.features.muc.history import stamped
from commonroom.features.muc.loading import spoken
from commonroom.features.muc.repeats import Former, is_again, may_be_again
from commonroom.features.muc.room import Spoken
from commonroom.protocol.stanza import Message, Stanza
from commonroom.storage.records import ArchivedMessage


def must_look(held: Held, stanza: Stanza) -> bool:
    """Whether this is the first thing said by a client that came in, and whose stream acknowledges."""
    return (
        isinstance(stanza, Message)
        and stanza.owed is not None
        and stanza.sender in held.came
        and held.came[stanza.sender] is None
        and held.is_stored
        and held.room.config.is_archived
        and may_be_again(stanza)
    )


def looked(held: Held, message: Message, said: Sequence[ArchivedMessage]) -> None:
    """Remember what the archive has, as long as the client may say it again."""
    assert message.sender is not None
    if message.sender in held.came:
        held.came[message.sender] = Former(said)


def said_before(held: Held, message: Message) -> Spoken | None:
    """What the archive has of a message already."""
    assert message.sender is not None
    former = held.came.get(message.sender)
    if former is None:
        return None
    kept = former.find(message)
    if not former:
        del held.came[message.sender]
    if kept is None:
        return None
    for id, peer, original, stamp in spoken((kept,)):
        known = Spoken(id, peer, stamped(original, held.room.address, stamp), stamp)
        if is_again(known, message):
            return known
    return None
