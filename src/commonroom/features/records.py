"""What is recorded of sessions and messages, and who was here today; never what somebody says."""

from commonroom.audit.log import AuditLog
from commonroom.audit.statistics import Statistics
from commonroom.audit.tags import Tag
from commonroom.core.feature import Feature, on_message, on_session
from commonroom.core.message import Received, Sent
from commonroom.core.moments import Moment
from commonroom.core.session import Session
from commonroom.core.user import User
from commonroom.protocol.caps import NS_CAPS
from commonroom.protocol.stanza import Message, MessageType
from commonroom.xml.names import NS_CLIENT

TAGS = {
    MessageType.CHAT: Tag.MESSAGE_CHAT,
    MessageType.NORMAL: Tag.MESSAGE_NORMAL,
    MessageType.GROUPCHAT: Tag.MESSAGE_GROUPCHAT,
    MessageType.HEADLINE: Tag.MESSAGE_HEADLINE,
}


class MessageRecords(Feature):
    """Records who wrote to whom, while the configuration says so: from a reload on, or until one."""

    def __init__(self, records: AuditLog) -> None:
        self._records = records

    @on_message(Sent.LIMIT)
    def sent(self, message: Message, user: User) -> None:
        """One of our own clients sends a message; with a body, or it is only a sign."""
        if self._records.with_messages:
            self._note(message)

    @on_message(Received.LIMIT, rooms=False)
    def received(self, message: Message, user: User) -> None:
        """A message comes from elsewhere; what rooms hand on was recorded when it was sent to them."""
        if self._records.with_messages and message.type is not MessageType.GROUPCHAT:
            self._note(message)

    def _note(self, message: Message) -> None:
        tag = TAGS.get(message.type)
        body = message.child(NS_CLIENT, "body")
        if tag is None or body is None:
            return
        sender = None if message.sender is None else message.sender.bare
        peer = None if message.to is None else message.to.bare
        self._records.record(tag, sender, peer, None, f'{{"characters":{len(body.text())}}}')


class SessionRecords(Feature):
    """Records when sessions begin and end."""

    def __init__(self, records: AuditLog) -> None:
        self._record = records.record

    @on_session(Moment.BOUND)
    def began(self, session: Session) -> None:
        """A client is connected."""
        self._record(Tag.SESSION_BEGAN, session.jid)

    @on_session(Moment.CLOSED)
    def ended(self, session: Session) -> None:
        """It has gone, and does not come back to this session."""
        self._record(Tag.SESSION_ENDED, session.jid)


class Visits(Feature):
    """Counts who was here today, and with which client (XEP-0115)."""

    def __init__(self, statistics: Statistics) -> None:
        self._statistics = statistics

    @on_session(Moment.AVAILABLE)
    def available(self, session: Session) -> None:
        """A client says that it is here."""
        presence = session.presence
        caps = None if presence is None else presence.child(NS_CAPS, "c")
        node = None if caps is None else caps.get("node")
        self._statistics.visit(session.user.jid, _software(node or ""))


def _software(node: str) -> str:
    """Of `https://client.example/caps` the host: what is behind it may be about the person."""
    return node.partition("://")[2].partition("/")[0].lower() if "://" in node else ""
