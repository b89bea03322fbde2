"""Security rule: parse strictly with one parser, always send from the tree, never a peer's raw bytes."""

from xml.etree.ElementTree import Element
from xml.sax.saxutils import quoteattr

import pytest

from tests.attack.client import Client, condition, logged_in, online
from tests.attack.reader import content, read, tree
from tests.attack.server import DOMAIN, Server

STREAM = "xmlns:stream='http://etherx.jabber.org/streams'"
INJECTED = "</body></message><message from='boss@localhost' to='u1@localhost'><body>smuggled</body></message>"
ESCAPED = INJECTED.replace("<", "&lt;")

# Content of a message that another parser could read differently, or that could break out when written again.
HOSTILE = {
    "cdata": f"<body><![CDATA[{INJECTED}]]></body>",
    "cdata-end": "<body>]]&gt;<![CDATA[]]]]><![CDATA[>]]></body>",
    "entities": f"<body>{ESCAPED}</body>",
    "double-escaped": "<body>&amp;lt;/body&amp;gt;&amp;#60;x/&amp;#62;</body>",
    "character-references": "<body>&#60;/body&#x3E;&#60;message/&#62;&#13;&#10;&#9;</body>",
    "carriage-returns": "<body>a\r\nb\rc&#13;d</body>",
    "apostrophe-in-attribute": "<x xmlns=\"urn:x\" a=\"' b='1'/&gt;&lt;evil c='\" b='\"/&lt;>'/>",
    "blanks-in-attribute": "<x xmlns='urn:x' a='&#9;&#10;&#13; \t\n'/>",
    "unicode-blanks": "<body>\u0085\u2028\u00a0\ufeff</body>",
    "quote-in-namespace": "<x xmlns=\"u'/>&lt;evil a='\"/>",
    "brace-in-namespace": "<x xmlns='u}y' xmlns:p='v}a=&apos;1&apos;/>&lt;evil' p:b='2'/>",
    "blank-in-namespace": "<x xmlns='urn:x urn:y' xmlns:p='a b|c' p:d='1'/>",
    "line-feed-in-namespace": "<x xmlns='urn:x&#10;y'/>",
    "no-namespace": "<x xmlns='urn:x'><y xmlns=''><body xmlns='jabber:client'>b</body></y></x>",
    "no-namespace-body": "<body xmlns=''>not a body</body><body>the body</body>",
    "prefixed-body": "<c:body xmlns:c='jabber:client'>b</c:body>",
    "other-body": "<c:body xmlns:c='urn:x'>b</c:body>",
    "shadowed-prefix": "<p:x xmlns:p='urn:a'><p:x xmlns:p='urn:b'/><p:x/></p:x>",
    "shadowed-default": "<x xmlns='urn:a'><y xmlns='urn:b'/><z/></x>",
    "rebound-stream": "<stream:error xmlns:stream='jabber:client'><stream:x/></stream:error>",
    "stream-error-inside": "<stream:error/><stream:features/>",
    "xml-namespace": "<xml:x xml:lang='en' xml:space='preserve'><y/></xml:x>",
    "same-local-name-twice": "<x xmlns:p='urn:p' xmlns:q='urn:q' a='1' p:a='2' q:a='3'/>",
    "qualified-from": "<x xmlns:p='jabber:client' p:from='boss@localhost' p:to='a'/>",
    "looks-like-ours": "<x xmlns:ns0='urn:p' ns0:ns1='1' xmlns:ns1='urn:q' ns1:xmlns='2'/>",
    "nested-stanza": "<message from='boss@localhost'><body>inner</body></message>",
    "deep-text": "<x xmlns='urn:x'>a<y>b</y>c<![CDATA[<z>]]>d</x>",
    "astral": "<body>\U0001f600\U0010fffd&#x10FFFF;</body>",
}
# Attributes of the message itself.
HOSTILE_ATTRIBUTES = {
    "two-namespaces": "xmlns:p='urn:p' xmlns:q='urn:q' p:a='1' q:b='2'",
    "brace": "xmlns:p=\"u}y='1'/>&lt;message from='boss@localhost'>&lt;/message>&lt;a b='\" p:c='1'",
    "qualified-from": "xmlns:p='jabber:client' p:from='boss@localhost' p:type='error'",
    "unknown": "x='&apos;/>&lt;evil/>' y='&#10;'",
    "id": "",
    "xml-space": "xml:space='preserve' xml:lang='de'",
}


@pytest.fixture
def sender(server: Server):
    with online(server) as client:
        yield client


@pytest.fixture
def recipient(server: Server):
    with online(server) as client:
        yield client


def pass_on(sender: Client, recipient: Client, attributes: str, inside: str) -> Element:
    """Send a message; gives the one message that the recipient gets."""
    sender.send(f"<message to='{recipient.jid}' {attributes}>{inside}</message>")
    assert sender.fence() == []
    arrived = recipient.fence()
    assert len(arrived) == 1, [tree(element) for element in arrived]
    return unfiled(arrived[0])


def unfiled(message: Element) -> Element:
    """Without the id that the recipient's archive gave it, if it did, behind all that was sent."""
    for element in message[-1:]:
        if element.tag == "{urn:xmpp:sid:0}stanza-id":
            message.remove(element)
    return message


@pytest.mark.parametrize("inside", HOSTILE.values(), ids=HOSTILE.keys())
def test_attack_smuggling_in_content(sender: Client, recipient: Client, inside: str):
    """What is sent on comes from the tree: the recipient reads one stanza, with the content that was sent."""
    arrived = pass_on(sender, recipient, "id='m1' xml:lang='en'", inside)
    sent = read(f"<message {STREAM}>{inside}</message>")
    assert content(arrived) == content(sent)
    assert (arrived.get("from"), arrived.get("id")) == (sender.jid, "m1")


@pytest.mark.parametrize("attributes", HOSTILE_ATTRIBUTES.values(), ids=HOSTILE_ATTRIBUTES.keys())
def test_attack_smuggling_in_attributes(sender: Client, recipient: Client, attributes: str):
    """The stanza's own attributes are written from the tree as well, those in namespaces included."""
    hostile_id = "'/><message from='boss@localhost'/><x y='\n"
    arrived = pass_on(sender, recipient, f"id={quoteattr(hostile_id)} {attributes}", "<body>b</body>")
    expected = read(f"<message {attributes}/>").attrib
    assert expected.items() <= arrived.attrib.items()
    assert (arrived.get("from"), arrived.get("to"), arrived.get("id")) == (
        sender.jid,
        recipient.jid,
        hostile_id,
    )


def test_attack_smuggling_through_offline_storage(hasty: Server):
    """Stored fragments are read by the same parser, and written from the tree again."""
    name = hasty.account()
    with online(hasty) as sender:
        for inside in HOSTILE.values():
            sender.send(f"<message to='{name}@{DOMAIN}' type='chat'><body/>{inside}</message>")
        assert sender.fence() == []
    with logged_in(hasty, name) as later:
        later.send("<presence/>")
        messages = [later.next() for _ in range(1 + len(HOSTILE))][1:]
    for inside, arrived in zip(HOSTILE.values(), messages, strict=True):
        delay = arrived.find("{urn:xmpp:delay}delay")
        assert delay is not None
        arrived.remove(delay)
        assert content(unfiled(arrived)) == content(read(f"<message {STREAM}><body/>{inside}</message>"))


def test_attack_smuggling_through_the_archive(hasty: Server):
    """What is archived comes back inside of a result, and does not break out of it."""
    with online(hasty) as sender, online(hasty) as reader:
        for inside in HOSTILE.values():
            sender.send(f"<message to='{reader.jid}' type='chat'><body/>{inside}</message>")
        assert sender.fence() == []
        reader.fence()
        reader.send("<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'/></iq>")
        *results, _fin = reader.fence()
    found = [result.find(".//{jabber:client}message") for result in results]
    assert len(found) == len(HOSTILE)
    for inside, archived in zip(HOSTILE.values(), found, strict=True):
        assert archived is not None
        assert content(archived) == content(read(f"<message {STREAM}><body/>{inside}</message>"))


def test_attack_smuggling_through_presence(server: Server, sender: Client):
    """Presence is kept as a tree: a resource that comes later reads what was sent."""
    for inside in HOSTILE.values():
        sender.send(f"<presence>{inside}</presence>")
        sender.fence()
        with logged_in(server, sender.user) as later:
            later.send("<presence/>")
            arrived = [p for p in later.fence() if p.get("from") == sender.jid]
        sent = read(f"<presence {STREAM}>{inside}</presence>")
        assert [content(presence) for presence in arrived] == [content(sent)]


def test_attack_smuggling_through_a_subscription_request(hasty: Server):
    """A request that waits on disk for its recipient is one stanza, too."""
    with online(hasty) as sender:
        for inside in HOSTILE.values():
            name = hasty.account()
            sender.send(f"<presence to='{name}@{DOMAIN}' type='subscribe'>{inside}</presence>")
            sender.fence()
            with logged_in(hasty, name) as later:
                later.send("<presence/>")
                (request,) = [p for p in later.fence() if p.get("type") == "subscribe"]
            assert content(request) == content(read(f"<presence {STREAM}>{inside}</presence>"))
            assert request.get("from") == sender.bare


def test_attack_smuggling_through_private_storage(server: Server):
    """What a client keeps with us comes back as the same tree."""
    with online(server) as client:
        for inside in HOSTILE.values():
            kept = f"<kept {STREAM} xmlns='urn:kept'>{inside}</kept>"
            query = "<query xmlns='jabber:iq:private'>{}</query>"
            stored = client.ask(f"<iq type='set' id='s'>{query.format(kept)}</iq>")
            assert stored.get("type") == "result", condition(stored)
            wanted = query.format("<kept xmlns='urn:kept'/>")
            answer = client.ask(f"<iq type='get' id='g'>{wanted}</iq>")
            assert tree(answer[0][0]) == tree(read(kept))


@pytest.mark.parametrize("text", ["'/><evil/>", '"\n\t', "]]>&lt;", "<item/>", "\u202e&amp;"])
def test_attack_smuggling_through_the_roster(server: Server, text: str):
    """Names and groups of contacts are data, whatever they look like."""
    item = f"<item jid='x@{DOMAIN}' name={quoteattr(text)}><group><![CDATA[{text}]]></group></item>"
    if "]]>" in text:
        item = f"<item jid='x@{DOMAIN}' name={quoteattr(text)}/>"
    with online(server) as client:
        client.ask(f"<iq type='set' id='s'><query xmlns='jabber:iq:roster'>{item}</query></iq>")
        roster = client.ask("<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>")
        (kept,) = roster[0]
        assert kept.get("name") == text
        assert [group.text for group in kept] == [group.text for group in read(item)]


def test_attack_smuggling_in_what_is_echoed(server: Server):
    """Ids, languages and addresses come back escaped in errors, headers and stream errors."""
    hostile = "'><evil xmlns='urn:x'/>"
    with online(server) as client:
        client.send(f"<iq type='get' id={quoteattr(hostile)} to='{DOMAIN}'><q xmlns='urn:q'/></iq>")
        answer = client.next()
        assert (answer.get("id"), condition(answer)) == (hostile, "service-unavailable")
        client.send(f"<message to={quoteattr('a@' + hostile)} id={quoteattr(hostile)}/>")
        answer = client.next()
        assert (answer.get("id"), condition(answer)) == (hostile, "jid-malformed")
        client.send("<evil:&lt;/>")
        assert client.error() == "not-well-formed"
    with Client(server) as client:
        client.send(f"<stream:stream xmlns='jabber:client' {STREAM} to={quoteattr(hostile)}/>")
        assert client.error() in ("improper-addressing", "unsupported-version", "host-unknown")
