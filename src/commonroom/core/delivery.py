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


_BARE, _MATCH, _NO_MATCH = Addressed.BARE, Addressed.MATCH, Addressed.NO_MATCH


class Delivery(Feature):
    """The stage DELIVER."""

    rfc = "6121"

    @on_message(Received.DELIVER)
    def deliver(self, message: Message, user: User) -> Outcome:
        """Hand the message to the recipient's resources (RFC 6121 §8.5.2.1.1, §8.5.2.2.1, §8.5.3).

        `to` stays as the sender wrote it (RFC 6121 §8.5.2.1.1). What is for offline storage goes on
        with `delivered` at 0; True if the rules drop the message.
        """
        assert message.to is not None
        name = message.to.resource
        named = None if name is None else user.sessions.get(name)
        addressed = _BARE if name is None else _NO_MATCH if named is None else _MATCH
        verdict = DELIVERY[_resources(user), addressed, message.type]
        if verdict is Verdict.ERROR:
            raise service_unavailable()
        if verdict is Verdict.SILENT:
            return True
        if verdict is not Verdict.OFFLINE:
            recipients = _recipients(user, verdict) if named is None else (named,)
            for resource in recipients:
                resource.send(message)
            message.delivered = len(recipients)
        return None


def _resources(user: User) -> Resources:
    if user.non_negative or any(resource.priority >= 0 for resource in user.available):
        return Resources.NON_NEGATIVE
    return Resources.NEGATIVE if user.available else Resources.NONE


def _recipients(user: User, verdict: Verdict) -> tuple[Resource, ...]:
    """What is for the most available goes on to be stored while none of them is ready; a headline, which
    would not be stored, waits for nobody."""
    if verdict is Verdict.MOST:
        return user.most_available
    return tuple(resource for resource in user.available if resource.priority >= 0)
