"""XEP-0045: Multi-User Chat: namespaces, status codes, and the elements that rooms are spoken of with."""

from collections.abc import Iterable
from enum import IntEnum

from commonroom.xml.element import Element
from commonroom.xml.names import NS_MUC_USER

NS_MUC = "http://jabber.org/protocol/muc"
NS_MUC_ADMIN = "http://jabber.org/protocol/muc#admin"
NS_MUC_OWNER = "http://jabber.org/protocol/muc#owner"

# The kinds of forms (XEP-0045 §16.5).
FORM_CONFIG = "http://jabber.org/protocol/muc#roomconfig"
FORM_INFO = "http://jabber.org/protocol/muc#roominfo"
FORM_REGISTER = "http://jabber.org/protocol/muc#register"
FORM_REQUEST = "http://jabber.org/protocol/muc#request"

# Nodes and features of service discovery (XEP-0045 §16.3, §16.4).
NODE_NICK = "x-roomuser-item"
NODE_TRAFFIC = "http://jabber.org/protocol/muc#traffic"
FEATURE_STABLE_ID = "http://jabber.org/protocol/muc#stable_id"

# What stands on it.
FEATURE_SELF_PING = "http://jabber.org/protocol/muc#self-ping-optimization"  # XEP-0410
NS_OCCUPANT_ID = "urn:xmpp:occupant-id:0"  # XEP-0421
NS_HATS = "urn:xmpp:hats:0"  # XEP-0317
NS_MODERATE = "urn:xmpp:message-moderate:1"  # XEP-0425
NS_RETRACT = "urn:xmpp:message-retract:1"  # XEP-0424
NS_AFFILIATIONS = "urn:xmpp:muc:affiliations:1"  # XEP-0463


class Status(IntEnum):
    """What a room says in a number (XEP-0045 §16.6.2).

    102 and 103 are not among them: whether a room shows members who are not inside is no option that an owner
    has (§16.5.3), so it never changes.
    """

    NON_ANONYMOUS = 100
    AFFILIATION_CHANGED = 101
    CONFIGURATION_CHANGED = 104
    SELF = 110
    LOGGED = 170
    NOT_LOGGED = 171
    NOW_NON_ANONYMOUS = 172
    NOW_SEMI_ANONYMOUS = 173
    CREATED = 201
    NICK_ASSIGNED = 210
    BANNED = 301
    NEW_NICK = 303
    KICKED = 307
    AFFILIATION_LOST = 321
    MEMBERS_ONLY = 322
    SHUTDOWN = 332
    FAILED = 333


def user_element(codes: Iterable[Status], *children: Element) -> Element:
    """The <x/> that only a room makes (XEP-0045 §17.3 rule 6), with these children, then the codes rising."""
    x = Element(NS_MUC_USER, "x", None, *children)
    for code in sorted(codes):
        x.append(Element(NS_MUC_USER, "status", {"code": str(int(code))}))
    return x


def text_element(namespace: str, name: str, text: str | None) -> tuple[Element, ...]:
    """An element with a text, such as a reason; none if there is no text."""
    return (Element(namespace, name, None, text),) if text else ()
