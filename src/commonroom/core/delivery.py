"""RFC 6121 §8.5: to which resources a message is delivered."""

from enum import Enum, StrEnum

from commonroom.core.feature import Feature, on_message
from commonroom.core.message import Outcome, Received
from commonroom.core.user import Resource, User
from commonroom.protocol.errors import service_unavailable
from commonroom.protocol.stanza import Message, MessageType


class Addressed(StrEnum):
    """How a message names its recipient. (StrEnum: hashed in C, once a message.)"""

    BARE = "bare"
    MATCH = "full match"
    NO_MATCH = "full no match"


class Resources(StrEnum):
    """The rows of RFC 6121 §8.5.4, as far as they differ."""

    NO_ACCOUNT = "account does not exist"
    NONE = "no active resources"
    NEGATIVE = "only negative resources"
    NON_NEGATIVE = "non-negative resources"


class Verdict(Enum):
    """What the table's letters mean here: where it leaves a choice, this is ours."""

    DELIVER = "D"  # to the resource that is named
    MOST = "M"  # to all resources of the highest priority
    ALL = "A"  # to all non-negative resources
    OFFLINE = "O"
    ERROR = "E"
    SILENT = "S"


# RFC 6121 §8.5.4; a row's letters are for normal, chat, groupchat, headline. Where the table says S/E we
# tell the sender (E) about what a person wrote, and drop (S) headlines, which nobody waits for.
_ROWS: tuple[tuple[Resources, Addressed, str], ...] = (
    (Resources.NO_ACCOUNT, Addressed.BARE, "EEES"),
    (Resources.NO_ACCOUNT, Addressed.NO_MATCH, "EEES"),
    (Resources.NONE, Addressed.BARE, "OOES"),
    (Resources.NONE, Addressed.NO_MATCH, "EOES"),
    (Resources.NONE, Addressed.MATCH, "DDDD"),  # connected, but not available (RFC 6121 §8.5.3.1)
    (Resources.NEGATIVE, Addressed.BARE, "OOES"),
    (Resources.NEGATIVE, Addressed.MATCH, "DDDD"),
    (Resources.NEGATIVE, Addressed.NO_MATCH, "EOES"),
    (Resources.NON_NEGATIVE, Addressed.BARE, "MMEA"),
    (Resources.NON_NEGATIVE, Addressed.MATCH, "DDDD"),
    (Resources.NON_NEGATIVE, Addressed.NO_MATCH, "EMES"),
)
_COLUMNS = (MessageType.NORMAL, MessageType.CHAT, MessageType.GROUPCHAT, MessageType.HEADLINE)

DELIVERY: dict[tuple[Resources, Addressed, MessageType], Verdict] = {
    (resources, addressed, kind): Verdict(letter)
    for resources, addressed, letters in _ROWS
    for kind, letter in zip(_COLUMNS, letters, strict=True)
} | {
    # Errors reach the resource that they name and nobody else (§8.5.2.1.1, §8.5.2.2.1, §8.5.3.2.1).
    (resources, addressed, MessageType.ERROR): (
        Verdict.DELIVER if addressed is Addressed.MATCH else Verdict.SILENT
    )
    for resources, addressed, _ in _ROWS
}


# A member of an Enum costs 0.1 µs to look up, a global hardly anything.
_BARE, _MATCH, _NO_MATCH = Addressed.BARE, Addressed.MATCH, Addressed.NO_MATCH
_NON_NEGATIVE = Resources.NON_NEGATIVE


class Delivery(Feature):
    """The stage DELIVER."""

    rfc = "6121"

    @on_message(Received.DELIVER, rooms=False)
    def deliver(self, message: Message, user: User) -> Outcome:
        """Hand the message to the recipient's resources (RFC 6121 §8.5.2.1.1, §8.5.2.2.1, §8.5.3).

        `to` stays as the sender wrote it (RFC 6121 §8.5.2.1.1). What is for offline storage goes on
        with `delivered` empty; True if the rules drop the message.
        """
        assert message.to is not None
        name = message.to.resource
        named = None if name is None else user.sessions.get(name)
        addressed = _BARE if name is None else _NO_MATCH if named is None else _MATCH
        resources = _NON_NEGATIVE if user.non_negative else _resources(user)
        verdict = DELIVERY[resources, addressed, message.type]
        if verdict is Verdict.ERROR:
            raise service_unavailable()
        if verdict is Verdict.SILENT:
            return True
        if verdict is not Verdict.OFFLINE:
            # What is for the most available goes on to be stored while none of them is ready.
            if named is not None:
                recipients: tuple[Resource, ...] = (named,)
            else:
                recipients = user.most_available if verdict is Verdict.MOST else _all(user)
            message.delivered = recipients  # before it is sent: a session may end by that, and hand it on
            for resource in recipients:
                resource.send(message)
        return None


def _resources(user: User) -> Resources:
    if any(resource.priority >= 0 for resource in user.available):
        return Resources.NON_NEGATIVE
    return Resources.NEGATIVE if user.available else Resources.NONE


def _all(user: User) -> tuple[Resource, ...]:
    """Also those that are not ready: a headline is not stored, and waits for nobody."""
    return tuple(resource for resource in user.available if resource.priority >= 0)
