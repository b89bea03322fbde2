"""The life of a message: its order is the order of the two Enums below, nothing else."""

from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from typing import Literal

from commonroom.core.user import User
from commonroom.protocol.stanza import Message


class Sent(Enum):
    """On the sender's side. COPY comes when what was written before it is on disk."""

    LIMIT = "limit"
    BLOCK = "block"
    ARCHIVE = "archive"
    COPY = "copy"


class Received(Enum):
    """On the recipient's side. From DELIVER on, when what was written before is on disk.

    LIMIT is for what comes from elsewhere: our own clients' messages went through that of `Sent`.
    DELIVER is RFC 6121 §8.5 itself: core/delivery.py.
    """

    LIMIT = "limit"
    BLOCK = "block"
    ARCHIVE = "archive"
    HOLD = "hold"
    DELIVER = "deliver"
    COPY = "copy"
    STORE = "store"
    NOTIFY = "notify"


# The stages before the disk look, refuse, and write; those behind it show the message to somebody.
SENT_FIRST = (Sent.LIMIT, Sent.BLOCK, Sent.ARCHIVE)
SENT_THEN = (Sent.COPY,)
ARRIVING = (Received.LIMIT, Received.BLOCK, Received.ARCHIVE, Received.HOLD)  # from elsewhere
RECEIVED_FIRST = ARRIVING[1:]
RECEIVED_THEN = (Received.DELIVER, Received.COPY, Received.STORE, Received.NOTIFY)


# None: go on; True: taken, the message's life ends here; an awaitable of either: the sender's later
# stanzas wait. A stage refuses by raising StanzaError.
Outcome = Literal[True] | None
MessageStage = Callable[[Message, User], Outcome | Awaitable[Outcome]]


class StageTable(dict[frozenset[str], tuple[MessageStage, ...]]):
    """From what a user wants to the stages of that user's messages: one dict look-up."""

    def __init__(self, entries: Sequence[tuple[str | None, MessageStage]]) -> None:
        super().__init__()
        self._entries = tuple(entries)

    def __missing__(self, wants: frozenset[str]) -> tuple[MessageStage, ...]:
        stages = tuple(stage for want, stage in self._entries if want is None or want in wants)
        self[wants] = stages
        return stages

    def entries(self) -> tuple[tuple[str | None, MessageStage], ...]:
        """All stages in order, with what switches each on; for `commonroom trace`."""
        return self._entries


def run(stages: tuple[MessageStage, ...], message: Message, user: User) -> Outcome | Awaitable[Outcome]:
    """Take the message through its stages; True if one of them took it."""
    for position, stage in enumerate(stages, 1):
        outcome = stage(message, user)
        if outcome is True:
            return True
        if outcome is not None:
            return _go_on(outcome, stages[position:], message, user)
    return None


async def _go_on(
    waiting: Awaitable[Outcome], rest: tuple[MessageStage, ...], message: Message, user: User
) -> Outcome:
    if await waiting is True:
        return True
    outcome = run(rest, message, user)
    return outcome if outcome is None or outcome is True else await outcome
