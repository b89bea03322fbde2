"""XEP-0313, XEP-0334: Message Archive Management: what is archived, and under which id."""

from collections.abc import Callable

from commonroom.core.feature import Feature, Xep, on_message
from commonroom.core.message import Received, Sent
from commonroom.core.user import ARCHIVE, User
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Message, MessageType
from commonroom.protocol.stanza_ids import origin_of
from commonroom.storage.interfaces import ArchiveStore
from commonroom.storage.records import ArchiveDefault, ArchivedMessage, ArchivePreferences
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_CONFERENCE, NS_HINTS, NS_MUC_USER

# What belongs to a conversation although it need not have a body. Chat states do not: they are over at once.
CONTENT = frozenset(
    (
        "urn:xmpp:receipts",  # XEP-0184
        "urn:xmpp:chat-markers:0",  # XEP-0333
        "urn:xmpp:message-correct:0",  # XEP-0308
        "urn:xmpp:message-retract:1",  # XEP-0424
        "urn:xmpp:reactions:0",  # XEP-0444
        "urn:xmpp:jingle-message:0",  # XEP-0353: calls, also missed ones
        "jabber:x:oob",  # XEP-0066
        "jabber:x:encrypted",  # XEP-0027
        "urn:xmpp:openpgp:0",  # XEP-0373
        "urn:xmpp:omemo:2",  # XEP-0384
        "eu.siacs.conversations.axolotl",  # XEP-0384, as most clients still have it
        NS_CONFERENCE,
    )
)
NS_RETRACT = "urn:xmpp:message-retract:1"

_CONVERSATION = (MessageType.CHAT, MessageType.NORMAL)


class Archive(Feature):
    """Keeps what users send and get, in the archive of each (XEP-0313 §6.1.1).

    `next_id` gives ids that rise. `default` counts for users who never said what they want archived.
    `check_room` refuses what could not wait for its recipient.
    """

    xep = Xep("0313", "1.1.3")

    def __init__(
        self,
        store: ArchiveStore,
        next_id: Callable[[], int],
        default: ArchiveDefault,
        check_room: Callable[[Message, User], None],
    ) -> None:
        self._store = store
        self._next_id = next_id
        self._check_room = check_room
        self._unsaid = ArchivePreferences(default)
        # What was archived last, with its body and origin: mostly for its sender, and next for its recipient.
        self._last: tuple[str, str | None, str | None] = ("", None, None)

    @on_message(Sent.ARCHIVE, wants=ARCHIVE)
    def keep_sent(self, message: Message, user: User) -> None:
        """In the sender's archive, who finds the id there and on carbons (XEP-0313 §3.5); once."""
        assert message.to is not None
        if message.sent_id is None and self.keeps_sent(message, user):
            if message.to.bare == user.jid:
                self._check_room(message, user)
            message.sent_id = self._keep(message, user, message.to, outgoing=True)

    @on_message(Received.ARCHIVE, wants=ARCHIVE, rooms=False)
    def keep_received(self, message: Message, user: User) -> None:
        """In the recipient's; what users send to themselves is there already (XEP-0313 §6.1.1)."""
        sender = message.sender or user.jid
        if sender.bare == user.jid and message.sent_id is not None:
            message.file_under(user.jid, message.sent_id)
        elif message.archive_id is not None:  # it came before
            message.file_under(user.jid, message.archive_id)
        elif self._is_wanted(user, sender) and self._is_content(message) and not _is_refused(message, user):
            self._check_room(message, user)
            message.file_under(user.jid, self._keep(message, user, sender, outgoing=False))

    def keeps_sent(self, message: Message, user: User) -> bool:
        """Whether it belongs in the archive of its sender."""
        return message.to is not None and self._is_wanted(user, message.to) and is_content(message)

    def _is_content(self, message: Message) -> bool:
        return message.xml() is self._last[0] or is_content(message)

    def _keep(self, message: Message, user: User, peer: JID, outgoing: bool) -> str:
        """The stanza is kept as it was sent or came: with the addresses, without an id of ours."""
        id, xml = self._next_id(), message.xml()
        last = self._last
        if last[0] is not xml:
            last = self._last = (xml, message.body(), origin_of(message))
        self._store.append(user.jid, ArchivedMessage(id, peer, outgoing, *last))
        return str(id)

    def _is_wanted(self, user: User, peer: JID) -> bool:
        """By the user's preferences; rules for full addresses go before bare ones (XEP-0441 §2.3.1)."""
        wants = user.archiving or self._unsaid
        if wants.always or wants.never:
            for address in (peer, peer.bare):
                if address in wants.never:
                    return False
                if address in wants.always:
                    return True
        if wants.default is ArchiveDefault.ROSTER:
            return peer.bare == user.jid or user.roster.item(peer.bare).listed
        return wants.default is ArchiveDefault.ALWAYS


def is_content(message: Message) -> bool:
    """Whether a message is worth archiving (XEP-0313 §6.1.1), as far as its sender leaves that open.

    A hint decides (XEP-0334 §4.1, §4.2, §4.4), but a retraction must be kept (XEP-0424 §5). What comes from
    rooms is in theirs; private messages in rooms are ordinary ones here.
    """
    kind = message.type
    if kind is MessageType.ERROR or kind is MessageType.GROUPCHAT:
        return False
    is_worth = is_refused = False
    for child in message.children:
        if isinstance(child, str):
            continue
        namespace = child.namespace
        if namespace == NS_CLIENT:
            is_worth = is_worth or (child.name == "body" and kind in _CONVERSATION)
        elif namespace == NS_HINTS:
            is_worth = is_worth or child.name == "store"
            is_refused = is_refused or child.name in ("no-store", "no-permanent-store")
        elif namespace == NS_RETRACT and child.name == "retract":
            return kind in _CONVERSATION
        elif kind in _CONVERSATION and (
            namespace in CONTENT or (namespace == NS_MUC_USER and _is_invitation(child))
        ):
            is_worth = True
    return is_worth and not is_refused


def _is_invitation(child: Element) -> bool:
    """A room brought it (XEP-0045 §7.8.2)."""
    return child.child(NS_MUC_USER, "invite") is not None or child.child(NS_MUC_USER, "decline") is not None


def _is_refused(message: Message, user: User) -> bool:
    """Whether delivery will return it: then it was not received (XEP-0313 §6.1, RFC 6121 §8.5.3.2.1)."""
    if message.type is not MessageType.NORMAL or message.to is None:
        return False
    resource = message.to.resource
    return resource is not None and resource not in user.sessions
