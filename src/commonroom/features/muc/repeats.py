"""XEP-0198 §4: what a client says again, because it could not know that the room has it, is said once."""

from commonroom.features.muc.room import Room, Spoken
from commonroom.protocol.stanza import Message, MessageType

# A shorter id may be a number that is counted from 1 on each stream.
SHORTEST = 16


def repeated(room: Room, message: Message) -> Spoken | None:
    """What the room has of it already: the same words of the same user under the same id.

    The room knows its last messages, after a restart those of its archive; so far back clients repeat.
    """
    id = message.id
    if id is None or len(id) < SHORTEST or message.type is not MessageType.GROUPCHAT:
        return None
    assert message.sender is not None
    user = message.sender.bare
    for spoken in reversed(room.history):
        if spoken.message.id == id and spoken.user == user and spoken.message.body() == message.body():
            return spoken
    return None
