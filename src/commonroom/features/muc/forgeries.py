"""XEP-0045 §17.3 rule 6: what only the room may say, and no client through it."""

from collections.abc import Iterable

from commonroom.protocol.delay import NS_DELAY
from commonroom.protocol.jid import JID, InvalidJID
from commonroom.protocol.muc import NS_HATS, NS_MODERATE, NS_MUC, NS_OCCUPANT_ID
from commonroom.xml.element import Element
from commonroom.xml.names import NS_MUC_USER, NS_STANZA_ERRORS, NS_STANZA_IDS

NS_ADDRESS = "http://jabber.org/protocol/address"
NS_OLD_DELAY = "jabber:x:delay"  # XEP-0091, which some clients still read, and some servers still write
NS_OLD_MODERATE = "urn:xmpp:message-moderate:0"

# What is stripped whatever it says: XEP-0045 §17.3 rule 6, XEP-0421 §4, XEP-0317 §3.1, XEP-0425 §5.
_OURS = frozenset((NS_MUC, NS_MUC_USER, NS_OCCUPANT_ID, NS_HATS, NS_MODERATE, NS_OLD_MODERATE))
# What is looked at.
_JUDGED = frozenset((NS_DELAY, NS_OLD_DELAY, NS_STANZA_IDS, NS_ADDRESS))
# What a moderator does, or did, is told in one of these (XEP-0425 §3.1, §4, and its version 0.2).
_RETRACTIONS = frozenset(("retract", "retracted", "apply-to"))


def honest(
    children: Iterable[Element | str], sender: JID, room: JID, is_historian: bool = False
) -> list[Element | str]:
    """A new list of what may be passed on from `sender` to the occupants.

    A historian tells what was said elsewhere, and may say when, and to whom (XEP-0045 §7.9).
    """
    return [
        child
        for child in children
        if isinstance(child, str)
        or (is_historian and is_history(child, room))
        or not _is_forged(child, sender, room)
    ]


def is_history(child: Element, room: JID) -> bool:
    """Whether it says that a message was sent elsewhere, and when."""
    return child.namespace == NS_DELAY and _domain(child.get("from")) not in (room.domain, None)


def _is_forged(child: Element, sender: JID, room: JID) -> bool:
    namespace = child.namespace
    if namespace in _OURS:
        return True
    if namespace in _JUDGED:
        return _claims(child, sender, room)
    # A moderator's retraction comes from the room itself (XEP-0425 §5).
    return child.name in _RETRACTIONS and any(inner.namespace in _OURS for inner in child.elements())


def _claims(child: Element, sender: JID, room: JID) -> bool:
    # Our own stamps are ours, and those of the user's server tell where the user has an account.
    # Deviation: XEP-0045 §7.9 has a chat's history come into a new room with delays from those who talked.
    # Such an address is taken off if it is of the sender's domain: which room it is does not matter here.
    if child.namespace == NS_STANZA_IDS:  # XEP-0359 §3 rule 2; an origin-id is the client's own
        return child.name == "stanza-id" and _domain(child.get("by")) in (room.domain, sender.domain, None)
    if child.namespace in (NS_DELAY, NS_OLD_DELAY):
        return _domain(child.get("from")) in (room.domain, sender.domain)
    # The room may say who it really was (XEP-0045 §7.2.13), so nobody else does.
    return any(address.get("type") == "ofrom" for address in child.elements())


def _domain(text: str | None) -> str | None:
    try:
        return None if text is None else JID.parse(text).domain
    except InvalidJID:
        return None


# Before an address that is written as one.
_SCHEMES = ("xmpp:", "mailto:", "sip:")


def anonymous_error(error: Element) -> Element:
    """The same error without who reported it, without texts and addresses in it (XEP-0045 §17.4 rule 3).

    <gone/> and <redirect/> hold an address (RFC 6120 §8.3.3.5, §8.3.3.14), and `by` or a text may.
    """
    attributes = {"type": kind} if (kind := error.get("type")) is not None else {}
    bare = Element(error.namespace, "error", attributes)
    for child in error.elements():
        if child.namespace == NS_STANZA_ERRORS and child.name != "text":
            bare.append(Element(NS_STANZA_ERRORS, child.name))
    return bare


def without_address(element: Element, user: JID) -> Element:
    """A copy without attributes and texts that are the user's address: `publisher` may be (XEP-0060
    §7.1.2.3), `initiator` (XEP-0166 §7.2), and what people and their clients write into cards (XEP-0054).
    """
    attributes = {key: value for key, value in element.attributes.items() if not _names(value, user)}
    copy = Element(element.namespace, element.name, attributes)
    for child in element.children:  # as deep as the parser lets a stanza be
        if not isinstance(child, str):
            copy.append(without_address(child, user))
        elif not _names(child, user):
            copy.append(child)
    return copy


def _names(value: str, user: JID) -> bool:
    if "@" not in value:
        return False
    text = value.strip()
    for scheme in _SCHEMES:
        text = text.removeprefix(scheme)
    try:
        return JID.parse(text.partition("?")[0]).bare == user.bare
    except InvalidJID:
        return False
