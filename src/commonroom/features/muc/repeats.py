"""XEP-0198 §4: what a client says again, because it could not know that the room has it, is said once."""

from collections.abc import Sequence

from commonroom.features.muc.room import Room, Spoken
from commonroom.protocol.stanza import Message, MessageType
from commonroom.protocol.stanza_ids import origin_of
from commonroom.storage.records import ArchivedMessage

# A shorter id may be a number that is counted from 1 on each stream.
SHORTEST = 16
# For how many messages of a client what was found of former ones is kept.
MESSAGES = 100


class Former:
    """What a user said before, by its origin."""

    __slots__ = ("_left", "_said")

    def __init__(self, said: Sequence[ArchivedMessage]) -> None:
        self._left = MESSAGES
        self._said = {kept.origin: kept for kept in said if kept.origin is not None}

    def find(self, message: Message) -> ArchivedMessage | None:
        """What may be the same message."""
        self._left -= 1
        return self._said.get(origin_of(message) or "")

    def __bool__(self) -> bool:
        """Whether there is anything left to compare with."""
        return self._left > 0 and bool(self._said)


def may_be_again(message: Message) -> bool:
    """Whether its id tells it from all others."""
    return message.type is MessageType.GROUPCHAT and message.id is not None and len(message.id) >= SHORTEST


def is_again(spoken: Spoken, message: Message) -> bool:
    """Whether it is the same words of the same user under the same id."""
    assert message.sender is not None
    return (
        spoken.message.id == message.id
        and spoken.user == message.sender.bare
        and spoken.message.body() == message.body()
    )


def repeated(room: Room, message: Message) -> Spoken | None:
    """What the room's history has of it already. What is older is in the archive (`returning`)."""
    if not may_be_again(message):
        return None
    return next((spoken for spoken in reversed(room.history) if is_again(spoken, message)), None)
