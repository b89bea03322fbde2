"""XEP-0045 §17.3 rule 6, §17.4 rule 3: what passes through a room."""

import pytest

from commonroom.features.muc.forgeries import anonymous_error, honest, without_address
from commonroom.protocol.jid import JID
from commonroom.xml.element import Element
from commonroom.xml.parser import parse_fragment
from tests.features.muc.coven import HAG, ROOM


def passes(xml: str) -> bool:
    return bool(honest([parse_fragment(xml, "jabber:client")], JID.parse(HAG), ROOM))


@pytest.mark.parametrize(
    "xml",
    [
        "<x xmlns='http://jabber.org/protocol/muc#user'/>",
        "<x xmlns='http://jabber.org/protocol/muc'/>",
        "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='x'/>",
        "<hats xmlns='urn:xmpp:hats:0'/>",
        "<moderated xmlns='urn:xmpp:message-moderate:1'/>",
        "<retracted xmlns='x'><moderated xmlns='urn:xmpp:message-moderate:1'/></retracted>",
        "<apply-to xmlns='urn:xmpp:fasten:0'><moderated xmlns='urn:xmpp:message-moderate:0'/></apply-to>",
        "<retract xmlns='x'><moderated xmlns='urn:xmpp:message-moderate:0'/></retract>",
        "<stanza-id xmlns='urn:xmpp:sid:0' by='chat.shakespeare.lit' id='x'/>",
        "<stanza-id xmlns='urn:xmpp:sid:0' by='other@chat.shakespeare.lit' id='x'/>",
        "<stanza-id xmlns='urn:xmpp:sid:0' id='x'/>",
        "<stanza-id xmlns='urn:xmpp:sid:0' by='@' id='x'/>",
        "<stanza-id xmlns='urn:xmpp:sid:0' by='hag66@shakespeare.lit' id='x'/>",
        "<x xmlns='jabber:x:delay' from='hag66@shakespeare.lit/pda' stamp='x'/>",
        "<x xmlns='jabber:x:delay' from='coven@chat.shakespeare.lit' stamp='x'/>",
        "<delay xmlns='urn:xmpp:delay' from='coven@chat.shakespeare.lit' stamp='x'/>",
        "<delay xmlns='urn:xmpp:delay' from='hag66@shakespeare.lit/pda' stamp='x'/>",
        "<delay xmlns='urn:xmpp:delay' from='shakespeare.lit' stamp='x'/>",
        "<addresses xmlns='http://jabber.org/protocol/address'><address type='ofrom' jid='x'/></addresses>",
    ],
)
def test_xep0045_17_3_what_is_stripped(xml: str):
    assert not passes(xml)


@pytest.mark.parametrize(
    "xml",
    [
        "<body>x</body>",
        "<origin-id xmlns='urn:xmpp:sid:0' id='x'/>",
        "<stanza-id xmlns='urn:xmpp:sid:0' by='elsewhere' id='x'/>",
        "<delay xmlns='urn:xmpp:delay' from='elsewhere' stamp='x'/>",
        "<delay xmlns='urn:xmpp:delay' stamp='x'/>",
        "<retract xmlns='urn:xmpp:message-retract:1' id='x'/>",
        "<addresses xmlns='http://jabber.org/protocol/address'><address type='to' jid='x'/></addresses>",
    ],
)
def test_xep0045_17_2_what_passes(xml: str):
    assert passes(xml)


def test_texts_pass():
    assert honest(["text"], JID.parse(HAG), ROOM) == ["text"]


def test_xep0045_17_4_an_error_without_who_and_where():
    error = parse_fragment(
        "<error type='cancel' by='hag66@shakespeare.lit'>"
        "<gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>xmpp:hag66@elsewhere</gone>"
        "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>hag66</text>"
        "<x xmlns='y'/></error>",
        "jabber:client",
    )
    assert repr(anonymous_error(error)) == (
        "<error xmlns='jabber:client' type='cancel'>"
        "<gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    )
    assert anonymous_error(Element("jabber:client", "error")) == Element("jabber:client", "error")


def test_xep0045_17_4_attributes_that_name_the_user_go():
    element = parse_fragment(
        "<a publisher='hag66@shakespeare.lit/x' other='crone1@shakespeare.lit' bad='a@b@c'>t"
        "<b jid='HAG66@shakespeare.lit'/></a>",
        "x",
    )
    expected = "<a xmlns='x' other='crone1@shakespeare.lit' bad='a@b@c'>t<b/></a>"
    assert repr(without_address(element, JID.parse(HAG))) == expected


def test_xep0045_17_4_texts_that_are_the_users_address_go():
    texts = (
        "hag66@shakespeare.lit",
        " HAG66@shakespeare.lit/pda ",
        "xmpp:hag66@shakespeare.lit",
        "xmpp:hag66@shakespeare.lit?message",
        "mailto:hag66@shakespeare.lit",
    )
    for text in texts:
        card = parse_fragment(f"<vCard><FN>Hag</FN><JABBERID>{text}</JABBERID></vCard>", "vcard-temp")
        left = "<vCard xmlns='vcard-temp'><FN>Hag</FN><JABBERID/></vCard>"
        assert repr(without_address(card, JID.parse(HAG))) == left
