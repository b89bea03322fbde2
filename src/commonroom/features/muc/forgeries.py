"""XEP-0045 §17.3 rule 6: what only the room may say, and no client through it."""

from collections.abc import Iterable

from commonroom.protocol.delay import NS_DELAY
from commonroom.protocol.jid import JID, InvalidJID
from commonroom.protocol.muc import NS_HATS, NS_MODERATE, NS_MUC, NS_OCCUPANT_ID
from commonroom.xml.element import Element
from commonroom.xml.names import NS_MUC_USER, NS_STANZA_ERRORS, NS_STANZA_IDS

NS_ADDRESS = "http://jabber.org/protocol/address"

# What is stripped whatever it says: XEP-0045 §17.3 rule 6, XEP-0421 §4, XEP-0317 §3.1, XEP-0425 §5.
_OURS = frozenset((NS_MUC, NS_MUC_USER, NS_OCCUPANT_ID, NS_HATS, NS_MODERATE, "urn:xmpp:message-moderate:0"))
# What is looked at.
_JUDGED = frozenset((NS_DELAY, NS_STANZA_IDS, NS_ADDRESS))


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
    return child.name == "retract" and any(inner.namespace in _OURS for inner in child.elements())


def _claims(child: Element, sender: JID, room: JID) -> bool:
    if child.namespace == NS_STANZA_IDS:  # XEP-0359 §3 rule 2; an origin-id is the client's own
        return child.name == "stanza-id" and _domain(child.get("by")) in (room.domain, None)
    if child.namespace == NS_DELAY:
        # Our own stamps are ours, and those of the user's server tell where the user has an account.
        return _domain(child.get("from")) in (room.domain, sender.domain)
    # The room may say who it really was (XEP-0045 §7.2.13), so nobody else does.
    return any(address.get("type") == "ofrom" for address in child.elements())


def _domain(text: str | None) -> str | None:
    try:
        return None if text is None else JID.parse(text).domain
    except InvalidJID:
        return None


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
    """A copy without attributes that hold the user's address, as `publisher` may (XEP-0060 §7.1.2.3)."""
    attributes = {key: value for key, value in element.attributes.items() if not _names(value, user)}
    copy = Element(element.namespace, element.name, attributes)
    for child in element.children:  # as deep as the parser lets a stanza be
        copy.append(child if isinstance(child, str) else without_address(child, user))
    return copy


def _names(value: str, user: JID) -> bool:
    if "@" not in value:
        return False
    try:
        return JID.parse(value).bare == user.bare
    except InvalidJID:
        return False
