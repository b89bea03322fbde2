"""RFC 6121 §8.2 to §8.4, RFC 6120 §10.3 to §10.5: stanzas without `to`, for a domain, for somewhere else."""

import pytest

from tests.conversations.world import Client, World, condition


@pytest.fixture
def world() -> World:
    return World("romeo@example.org", "juliet@example.org")


@pytest.fixture
def romeo(world: World) -> Client:
    return world.online("romeo@example.org/orchard")


# RFC 6120 §8.1: who it is from, whom it is to


@pytest.mark.parametrize(
    "address", ["@example.org", "a@b@example.org", "example.org/", "a b@example.org", ""]
)
@pytest.mark.parametrize(
    "stanza",
    [
        "<message to='{}' id='1'><body>?</body></message>",
        "<presence to='{}' id='1'/>",
        "<iq to='{}' id='1'>{}</iq>",
    ],
)
def test_rfc6120_8_3_3_8_an_address_that_is_none_is_malformed(romeo: Client, address: str, stanza: str):
    text = stanza.format(address, "<ping xmlns='urn:xmpp:ping'/>").replace("<iq", "<iq type='get'")
    answer = romeo.ask(text)
    assert (answer.get("type"), answer.get("id"), condition(answer)) == ("error", "1", "jid-malformed")
    assert answer.get("from") is None  # RFC 6120 §8.3.1, rule 2: no malformed address in an answer


@pytest.mark.parametrize("kind", ["message", "iq"])
def test_rfc6120_8_3_1_an_error_to_a_malformed_address_is_not_answered(romeo: Client, kind: str):
    romeo.send(f"<{kind} to='@' type='error' id='1'><error type='cancel'/></{kind}>")
    assert romeo.received() == []


@pytest.mark.parametrize("sender", ["romeo@example.org", "romeo@example.org/orchard", "ROMEO@Example.org"])
def test_rfc6120_8_1_2_1_from_is_stamped_with_the_full_address(world: World, romeo: Client, sender: str):
    juliet = world.online("juliet@example.org/balcony")
    romeo.send(f"<message from='{sender}' to='juliet@example.org'><body>1</body></message>")
    assert juliet.one().get("from") == "romeo@example.org/orchard"


def test_rfc6120_8_1_1_the_address_in_to_is_normalised(world: World, romeo: Client):
    juliet = world.online("juliet@example.org/balcony")
    romeo.send("<message to='JULIET@Example.ORG/balcony'><body>1</body></message>")
    assert juliet.one().get("to") == "juliet@example.org/balcony"


# RFC 6120 §10.3: no `to`


def test_rfc6120_10_3_1_a_message_without_to_is_for_the_own_account(world: World, romeo: Client):
    foo = world.online("romeo@example.org/foo", priority=1)
    romeo.received()
    romeo.send("<message type='chat'><body>note to self</body></message>")
    message = foo.one()
    assert (message.get("to"), message.get("from")) == ("romeo@example.org", "romeo@example.org/orchard")
    assert romeo.received() == []


def test_rfc6120_10_3_1_such_a_message_waits_if_nobody_is_available(world: World):
    romeo = world.login("romeo@example.org/orchard")
    romeo.send("<message><body>note to self</body></message>")
    assert romeo.received() == []
    romeo.send("<presence/>")
    assert romeo.bodies() == ["note to self"]


def test_rfc6120_10_3_3_an_unknown_request_is_service_unavailable(romeo: Client):
    for to in ("", " to='romeo@example.org'"):
        answer = romeo.ask(f"<iq type='get' id='1'{to}><query xmlns='urn:unknown'/></iq>")
        assert (answer.get("id"), condition(answer)) == ("1", "service-unavailable")


@pytest.mark.parametrize(
    "request_",
    [
        "<iq type='set' id='1'{}><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq type='get' id='1'{}><pong xmlns='urn:xmpp:ping'/></iq>",
        "<iq type='get' id='1'{}><item xmlns='jabber:iq:roster'/></iq>",
    ],
)
def test_rfc6120_8_3_3_3_an_unknown_request_of_a_known_namespace_is_not_implemented(
    romeo: Client, request_: str
):
    answer = romeo.ask(request_.format(""))
    assert (answer.get("id"), condition(answer)) == ("1", "feature-not-implemented")


@pytest.mark.parametrize("kind", ["result", "error"])
@pytest.mark.parametrize("to", ["", " to='romeo@example.org'", " to='example.org'", " to='example.org/x'"])
def test_rfc6120_10_3_3_answers_that_nobody_waits_for_are_ignored(romeo: Client, kind: str, to: str):
    romeo.send(f"<iq type='{kind}' id='ask-1'{to}/>")
    assert romeo.received() == []


# RFC 6120 §8.2.3: what an IQ must be


@pytest.mark.parametrize(
    "iq",
    [
        "<iq id='1'/>",
        "<iq id='1' type='read'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq id='1' type=''/>",
        "<iq id='1' type='get'/>",
        "<iq id='1' type='set'/>",
        "<iq id='1' type='get'>ping</iq>",
        "<iq id='1' type='get'><ping xmlns='urn:xmpp:ping'/><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq type='get' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq id='1' type='get' to='juliet@example.org/balcony'/>",
    ],
)
def test_rfc6120_8_2_3_what_is_no_iq_is_a_bad_request(romeo: Client, iq: str):
    answer = romeo.ask(iq)
    assert (answer.get("type"), condition(answer)) == ("error", "bad-request")
    assert answer.get("id") == ("1" if "id=" in iq else None)


def test_rfc6120_8_2_3_an_empty_id_is_an_id(romeo: Client):
    answer = romeo.ask("<iq id='' type='get' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>")
    assert (answer.get("type"), answer.get("id")) == ("result", "")


# RFC 6120 §10.4: somewhere else


@pytest.mark.parametrize(
    "to", ["example.net", "juliet@example.net", "juliet@example.net/x", "sub.example.org"]
)
@pytest.mark.parametrize(
    ("stanza", "is_answered"),
    [
        ("<message to='{}' id='1'><body>?</body></message>", True),
        ("<message to='{}' id='1' type='groupchat'/>", True),
        ("<message to='{}' id='1' type='error'/>", False),
        ("<presence to='{}' id='1'/>", True),
        ("<presence to='{}' id='1' type='error'/>", False),
        ("<presence to='{}' id='1' type='probe'/>", False),
        ("<iq to='{}' id='1' type='get'><ping xmlns='urn:xmpp:ping'/></iq>", True),
        ("<iq to='{}' id='1' type='result'/>", False),
        ("<iq to='{}' id='1' type='error'/>", False),
    ],
)
def test_rfc6120_10_4_3_what_cannot_be_routed_comes_back(
    romeo: Client, to: str, stanza: str, is_answered: bool
):
    romeo.send(stanza.format(to))
    answers = [(e.get("type"), e.get("from"), e.get("id"), condition(e)) for e in romeo.received()]
    assert answers == [("error", to, "1", "remote-server-not-found")] * is_answered


# RFC 6120 §10.5: our own domain


@pytest.mark.parametrize("to", ["example.org", "example.org/somewhere", "EXAMPLE.org"])
@pytest.mark.parametrize("kind", ["normal", "chat", "groupchat", "headline", "error"])
def test_rfc6120_10_5_1_a_message_to_the_server_comes_back(romeo: Client, to: str, kind: str):
    romeo.send(f"<message to='{to}' type='{kind}' id='1'><body>?</body></message>")
    expected = [] if kind == "error" else [("error", to.lower(), "service-unavailable")]
    assert [(e.get("type"), e.get("from"), condition(e)) for e in romeo.received()] == expected


@pytest.mark.parametrize("to", ["example.org", "example.org/somewhere"])
@pytest.mark.parametrize(
    "kind", ["", "unavailable", "probe", "subscribed", "unsubscribe", "unsubscribed", "error"]
)
def test_rfc6120_10_5_1_presence_to_the_server_is_ignored(romeo: Client, to: str, kind: str):
    romeo.send("<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>")
    romeo.received()
    romeo.send(f"<presence to='{to}'{kind and f' type={kind!r}'}/>")
    assert [word for word in romeo.told() if not word.startswith("push")] == []


def test_rfc6120_10_5_2_a_request_to_a_resource_of_the_server_comes_back(romeo: Client):
    answer = romeo.ask("<iq to='example.org/x' id='1' type='get'><ping xmlns='urn:xmpp:ping'/></iq>")
    assert (answer.get("from"), condition(answer)) == ("example.org/x", "service-unavailable")


def test_rfc6120_10_5_1_a_request_to_the_server_is_answered_by_it(romeo: Client):
    answer = romeo.ask("<iq to='example.org' id='1' type='get'><ping xmlns='urn:xmpp:ping'/></iq>")
    assert answer.attributes == {
        "type": "result",
        "id": "1",
        "from": "example.org",
        "to": "romeo@example.org/orchard",
    }
