"""XEP-0357: push notifications as they are asked for and written; XEP-0060 §7.1 carries them."""

from typing import NamedTuple

from commonroom.protocol.dataforms import NS_DATA, form_fields, result_form
from commonroom.protocol.errors import bad_request, jid_malformed, not_acceptable
from commonroom.protocol.jid import JID, InvalidJID
from commonroom.protocol.stanza import Message, MessageType
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_CONFERENCE, NS_MUC_USER
from commonroom.xml.serializer import serialize

NS_PUSH = "urn:xmpp:push:0"
NS_SUMMARY = "urn:xmpp:push:summary"
NS_PUBSUB = "http://jabber.org/protocol/pubsub"
NS_PUBLISH_OPTIONS = "http://jabber.org/protocol/pubsub#publish-options"

# Bytes of an address and node (they are a database's key), and characters of the options' XML.
LONGEST_NAME = 1000
LONGEST_OPTIONS = 4000

# Characters of a body that are sent: it is for a phone's screen.
LONGEST_BODY = 500

# What a person would want to hear of, by namespace and name: words, also encrypted ones, invitations, calls.
NOTICED = frozenset(
    (
        (NS_CLIENT, "body"),
        (NS_CONFERENCE, "x"),
        ("jabber:x:encrypted", "x"),  # XEP-0027
        ("urn:xmpp:jingle-message:0", "propose"),  # XEP-0353
        ("urn:xmpp:openpgp:0", "openpgp"),  # XEP-0373
        ("urn:xmpp:omemo:2", "encrypted"),  # XEP-0384
        ("eu.siacs.conversations.axolotl", "encrypted"),  # XEP-0384, as most clients still have it
    )
)


class Wanted(NamedTuple):
    """What a client asks to have notifications sent to; `options` is the XML of a form, in jabber:x:data."""

    service: JID
    node: str
    options: str


def read_enable(request: Element) -> Wanted:
    """Raises StanzaError: no address, no address of a service, options that are none (XEP-0357 §5)."""
    service, node = read_target(request)
    form = request.child(NS_DATA, "x")
    if form is not None and form_fields(form).get("FORM_TYPE") != (NS_PUBLISH_OPTIONS,):
        raise bad_request(f"the form's FORM_TYPE is not {NS_PUBLISH_OPTIONS}")
    options = "" if form is None else serialize(form, NS_DATA)
    if len(f"{service}{node or ''}".encode()) > LONGEST_NAME or len(options) > LONGEST_OPTIONS:
        raise not_acceptable("the address, the node or the options are too long")
    return Wanted(service, node or "", options)


def read_target(request: Element) -> tuple[JID, str | None]:
    """The service of an <enable/> or <disable/>, and its node if one is named (XEP-0357 §5, §6)."""
    address = request.get("jid")
    if not address:
        raise bad_request("name the service in the attribute 'jid'")
    try:
        return JID.parse(address), request.get("node")
    except InvalidJID as error:
        raise jid_malformed(str(error)) from None


def deserves_notice(message: Message) -> bool:
    """Whether somebody would want to be called for it."""
    if message.type is MessageType.ERROR or message.type is MessageType.HEADLINE:
        return False
    return any(
        (child.namespace, child.name) in NOTICED
        or (child.namespace == NS_MUC_USER and child.child(NS_MUC_USER, "invite") is not None)
        for child in message.elements()
    )


def summary(count: int, sender: JID | None, body: str | None) -> Element:
    """How many messages wait, and what may be told of the last (XEP-0357 §7)."""
    fields = {"message-count": (str(count),)}
    if sender is not None:
        fields["last-message-sender"] = (str(sender),)
    if body is not None:
        fields["last-message-body"] = (body[:LONGEST_BODY],)
    return result_form(NS_SUMMARY, fields, kind="submit")


def publication(node: str, form: Element, options: Element | None) -> Element:
    """The <pubsub/> that publishes a notification, with the options that the client gave (XEP-0357 §7)."""
    notification = Element(NS_PUSH, "notification", None, form)
    item = Element(NS_PUBSUB, "item", None, notification)
    publish = Element(NS_PUBSUB, "publish", {"node": node} if node else None, item)
    pubsub = Element(NS_PUBSUB, "pubsub", None, publish)
    return pubsub if options is None else pubsub.append(Element(NS_PUBSUB, "publish-options", None, options))


def withdrawn_node(message: Message, account: JID) -> str | None:
    """The node to which the account may not publish any more, if a service says so (XEP-0357 §8)."""
    pubsub = message.child(NS_PUBSUB, "pubsub")
    affiliation = None if pubsub is None else pubsub.child(NS_PUBSUB, "affiliation")
    if pubsub is None or affiliation is None or affiliation.get("affiliation") not in ("none", "outcast"):
        return None
    return pubsub.get("node", "") if affiliation.get("jid") == account else None
