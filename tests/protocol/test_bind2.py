"""XEP-0386 and XEP-0198 §9 on a stream: a session that comes with the login."""

import pytest

from commonroom.protocol.bind2 import BindRequest, read_bind
from commonroom.protocol.errors import resource_constraint
from commonroom.protocol.jid import JID
from commonroom.xml.element import Element
from commonroom.xml.names import NS_BIND2, NS_SASL2, NS_STANZA_ERRORS
from tests.protocol.sasl2 import AGENT, CLIENT, plain
from tests.protocol.streams import JULIET, Peer, bind, stream_error

NS_SM = "urn:xmpp:sm:3"
BIND = "<bind xmlns='urn:xmpp:bind:0'/>"


def resume(previous: str = "known", handled: str = "3") -> str:
    return f"<resume xmlns='{NS_SM}' previd='{previous}' h='{handled}'/>"


def logged_in(inside: str, peer: Peer | None = None) -> list[Element]:
    """What follows the request that has this in it."""
    peer = peer or Peer()
    peer.open()
    return peer.send(plain(inside))


def request(
    inside: str, client: str | None = CLIENT, secret: bytes = b"a", account: JID = JULIET
) -> BindRequest:
    element = Element(NS_BIND2, "bind", None, *([Element(NS_BIND2, "tag", None, inside)] if inside else []))
    return read_bind(element, account, client, secret, lambda size: bytes(size))


# What goes wrong


def test_a_resource_that_cannot_be_bound_leaves_the_client_logged_in():
    peer = Peer()
    peer.refusals = [resource_constraint("too many")]
    success, features = logged_in(BIND, peer)
    assert [element.name for element in success.elements()] == ["authorization-identifier"]
    assert success.child_text(NS_SASL2, "authorization-identifier") == "juliet@example.com"
    assert features.elements()[0].name == "bind"
    assert peer.send(bind("balcony"))[0].get("type") == "result"


@pytest.mark.parametrize("wish", [resume("unknown"), resume(handled="x"), resume(previous="")])
def test_xep0198_9_2_1_who_cannot_resume_is_told_and_bound(wish):
    success, features = logged_in(wish + BIND)
    assert [(e.namespace, e.name) for e in success.elements()] == [
        (NS_SASL2, "authorization-identifier"),
        (NS_SM, "failed"),
        (NS_BIND2, "bound"),
    ]
    assert features.name == "features"


def test_xep0198_9_2_1_the_failure_says_how_much_had_come_if_that_is_known():
    peer = Peer()
    peer.handled = 7
    success, _ = logged_in(resume("unknown"), peer)
    assert success.child(NS_SM, "failed") == Element(
        NS_SM, "failed", {"h": "7"}, Element(NS_STANZA_ERRORS, "item-not-found")
    )
    assert peer.session is None


# XEP-0386


def test_xep0386_3_2_success_has_the_full_address_and_what_the_features_answer():
    peer = Peer()
    peer.told = (Element("urn:example:inline", "done"),)
    success, features = logged_in(
        AGENT + f"<bind xmlns='{NS_BIND2}'><tag>Nightingale</tag><x xmlns='a'/></bind>", peer
    )
    question, account, wish = peer.asked[-1]
    assert (question, account, wish.client) == ("bind inline", JULIET, CLIENT)
    assert wish.features == (Element("a", "x"),)
    assert peer.session is not None
    assert success.elements()[0] == Element(NS_SASL2, "authorization-identifier", None, peer.session.jid)
    assert success.elements()[1] == Element(NS_BIND2, "bound", None, *peer.told)
    assert features.elements() == [features.child("urn:xmpp:stream-limits:0", "limits")]
    assert stream_error(peer.send(bind("other") + "<x/>")) == "unsupported-stanza-type"
    assert len(peer.session.taken) == 1  # to bind again is a stanza like others now


def test_what_is_sent_early_comes_behind_success_and_features():
    peer = Peer()
    peer.early = "<message><body>Early</body></message>"
    assert [element.name for element in logged_in(BIND, peer)] == ["success", "features", "message"]


def test_xep0386_3_2_1_the_tag_is_the_beginning_of_the_resource():
    tagged, plain_name = request("Nightingale").resources
    assert tagged == f"Nightingale/{plain_name}"
    assert len(plain_name) == 12


def test_xep0386_3_2_1_the_same_client_has_the_same_resource_and_another_has_another():
    names = {
        request(tag, client, secret, account).resources[-1]
        for tag in ("", "Nightingale")
        for client in (CLIENT, CLIENT.replace("d", "e"))
        for secret in (b"a", b"b")
        for account in (JULIET, JID.parse("romeo@example.com"))
    }
    assert len(names) == 16
    assert request("Nightingale") == request("Nightingale")
    assert not any(CLIENT in name for name in names)


def test_a_client_without_an_id_has_a_name_that_nobody_guesses():
    assert request("", None).resources == ("AAAAAAAAAAAA",)  # nine octets of this test's randomness


# XEP-0198 §9.2


def test_xep0198_9_2_to_resume_goes_first_and_nothing_is_bound_then():
    peer = Peer()
    peer.handled = 5
    peer.open()
    (success,) = peer.send(plain(AGENT + BIND + resume()))
    assert [e.name for e in success.elements()] == ["authorization-identifier", "resumed"]
    assert success.child(NS_SM, "resumed") == Element(NS_SM, "resumed", {"previd": "known", "h": "5"})
    assert success.child_text(NS_SASL2, "authorization-identifier") == "juliet@example.com/former"
    assert [asked[0] for asked in peer.asked] == ["password", "settle", "resume"]
    assert peer.session is not None
    assert peer.session.was_resumed


def test_xep0198_9_2_after_a_failed_resumption_a_client_may_bind_as_of_old():
    peer = Peer()
    success, _ = logged_in(resume("unknown"), peer)
    assert success.child_text(NS_SASL2, "authorization-identifier") == "juliet@example.com"
    assert peer.send(bind("balcony"))[0].get("type") == "result"
