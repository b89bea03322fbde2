"""Security rule: no comments, instructions, DTDs or entities; UTF-8 only; each is a readable stream error."""

import pytest

from tests.attack.client import HEADER, SECONDS, Client, logged_in, online, secured
from tests.attack.server import DOMAIN, Server

DTD = "<!DOCTYPE stream:stream [{}]>"
LAUGHS = DTD.format(
    "<!ENTITY a0 'ha'>" + "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 10))
)

# What may not stand where stanzas are expected, or in one, and the conditions that say so.
RESTRICTED = {
    "comment": (b"<!-- c -->", "restricted-xml"),
    "comment-inside": (b"<message><body>a<!-- c -->b</body></message>", "restricted-xml"),
    "instruction": (b"<?php x?>", "restricted-xml"),
    "instruction-inside": (b"<message><?x-y z?></message>", "restricted-xml"),
    "document-type": (DTD.format("").encode(), "not-well-formed"),
    "document-type-inside": (b"<message><!DOCTYPE x></message>", "not-well-formed"),
    "entity": (b"<message><body>&laugh;</body></message>", "restricted-xml"),
    "entity-in-attribute": (b"<message id='&laugh;'/>", "restricted-xml"),
    "parameter-entity": (b"<message><body>%x;&x;</body></message>", "restricted-xml"),
    "xml-declaration": (b"<?xml version='1.0'?>", "not-well-formed"),
    "xml-declaration-inside": (b"<message><?xml version='1.0'?></message>", "not-well-formed"),
    "cdata-between": (b"<![CDATA[]]>", "bad-format"),
    "text-between": (b"<message/>text<message/>", "bad-format"),
    "reference-between": (b"&lt;message/&gt;", "bad-format"),
    "nul": (b"<message><body>\x00</body></message>", "not-well-formed"),
    "nul-between": (b"\x00", "not-well-formed"),
    "nul-reference": (b"<message><body>&#0;</body></message>", "not-well-formed"),
    "control-reference": (b"<message xmlns='a&#1;b'/>", "not-well-formed"),
    "control": (b"<message><body>\x01\x08\x1f</body></message>", "not-well-formed"),
    "surrogate-reference": (b"<message><body>&#xD800;</body></message>", "not-well-formed"),
    "noncharacter": ("<message><body>\uffff</body></message>".encode(), "not-well-formed"),
    "beyond-unicode-reference": (b"<message><body>&#x110000;</body></message>", "not-well-formed"),
    "invalid-utf8": (b"<message><body>\xff\xfe</body></message>", "unsupported-encoding"),
    "latin-1": ("<message><body>é</body></message>".encode("latin-1"), "unsupported-encoding"),
    "overlong": (b"<message><body>\xc0\xbc/body></body></message>", "unsupported-encoding"),
    "overlong-3": (b"<message><body>\xe0\x80\xbc</body></message>", "unsupported-encoding"),
    "surrogate": (b"<message><body>\xed\xa0\x80\xed\xb0\x80</body></message>", "unsupported-encoding"),
    "beyond-unicode": (b"<message><body>\xf5\x80\x80\x80</body></message>", "unsupported-encoding"),
    "cut-character": (b"<message><body>\xe2\x82</body></message>", "unsupported-encoding"),
    "no-end": (b"<message></presence>", "not-well-formed"),
    "ends-too-often": (b"<message/></message>", "not-well-formed"),
    "attribute-twice": (b"<message id='1' id='2'/>", "not-well-formed"),
    "attribute-twice-by-namespace": (
        b"<message xmlns:a='urn:a' xmlns:b='urn:a' a:x='1' b:x='2'/>",
        "not-well-formed",
    ),
    "undeclared-prefix": (b"<x:message/>", "not-well-formed"),
    "undeclared-attribute-prefix": (b"<message x:y='1'/>", "not-well-formed"),
    "undeclares-a-prefix": (b"<message xmlns:p=''/>", "not-well-formed"),
    "rebound-xml": (b"<message xmlns:xml='urn:x'/>", "not-well-formed"),
    "bound-to-xml": (b"<message xmlns:p='http://www.w3.org/XML/1998/namespace'/>", "not-well-formed"),
    "bound-xmlns": (b"<message xmlns:xmlns='urn:x'/>", "not-well-formed"),
    "xmlns-as-default": (b"<message xmlns='http://www.w3.org/2000/xmlns/'/>", "not-well-formed"),
    "two-colons": (b"<a:b:c xmlns:a='urn:a'/>", "not-well-formed"),
    "bare-ampersand": (b"<message><body>a & b</body></message>", "not-well-formed"),
    "less-than-in-attribute": (b"<message id='<'/>", "not-well-formed"),
    "cdata-end-in-text": (b"<message><body>]]></body></message>", "not-well-formed"),
    "stream-in-stream": (HEADER.format(to=DOMAIN).partition("?>")[2].encode(), "unsupported-stanza-type"),
    "stream-in-stanza": (
        b"<message><s:stream xmlns:s='http://etherx.jabber.org/streams'/></message>",
        "unsupported-stanza-type",
    ),
}
# Stanzas that are none, whatever their prefix looks like.
FOREIGN = {
    "no-namespace": (b"<message xmlns=''/>", "unsupported-stanza-type"),
    "server-namespace": (b"<message xmlns='jabber:server'/>", "invalid-namespace"),
    "other-namespace": (b"<message xmlns='urn:x'/>", "unsupported-stanza-type"),
    "prefixed-otherwise": (b"<client:message xmlns:client='urn:x'/>", "unsupported-stanza-type"),
    "rebound-stream": (b"<stream:message xmlns:stream='urn:x'/>", "unsupported-stanza-type"),
    "rebound-stream-error": (b"<stream:error xmlns:stream='jabber:client'/>", "unsupported-stanza-type"),
    "stream-error": (b"<stream:error/>", "unsupported-stanza-type"),
    "features": (b"<stream:features/>", "unsupported-stanza-type"),
    "no-stanza": (b"<body>x</body>", "unsupported-stanza-type"),
    "upper-case": (b"<Message/>", "unsupported-stanza-type"),
}
OPENING = HEADER.format(to=DOMAIN)
# The first bytes of a stream.
OPENINGS = {
    "dtd": (b"<!DOCTYPE x>", "restricted-xml"),
    "billion-laughs": (LAUGHS.encode() + b"<stream:stream>&a9;", "restricted-xml"),
    "external-entity": (
        DTD.format("<!ENTITY x SYSTEM 'file:///etc/passwd'>").encode() + b"<stream:stream to='&x;'>",
        "restricted-xml",
    ),
    "external-dtd": (b"<!DOCTYPE x SYSTEM 'http://127.0.0.1:9/x'><x/>", "restricted-xml"),
    "parameter-entity": (DTD.format("<!ENTITY % x 'y'>%x;").encode(), "restricted-xml"),
    "after-declaration": (b"<?xml version='1.0'?>" + LAUGHS.encode(), "restricted-xml"),
    "comment": (b"<!-- c -->" + OPENING.encode(), "restricted-xml"),
    "stylesheet": (b"<?xml-stylesheet href='x'?>" + OPENING.encode(), "restricted-xml"),
    "xml-1.1": (OPENING.replace("version='1.0'?", "version='1.1'?").encode(), "bad-format"),
    "utf-16-declared": (
        OPENING.replace("?>", " encoding='UTF-16'?>", 1).encode(),
        "unsupported-encoding",
    ),
    "utf-7-declared": (OPENING.replace("?>", " encoding='UTF-7'?>", 1).encode(), "unsupported-encoding"),
    "utf-7": (OPENING.replace("<", "+ADw-").encode(), "not-well-formed"),
    "latin-1-declared": (
        OPENING.replace("?>", " encoding='ISO-8859-1'?>", 1).encode(),
        "unsupported-encoding",
    ),
    "utf-16-le": (OPENING.encode("utf-16-le"), "unsupported-encoding"),
    "utf-16-be": (OPENING.encode("utf-16-be"), "unsupported-encoding"),
    "utf-16-bom": (OPENING.encode("utf-16"), "unsupported-encoding"),
    "utf-32": (OPENING.encode("utf-32"), "unsupported-encoding"),
    "utf-8-bom": (OPENING.encode("utf-8-sig"), "not-well-formed"),
    "ebcdic": (OPENING.encode("cp037"), "not-well-formed"),
    "no-version": (OPENING.replace(" version='1.0' to", " to").encode(), "unsupported-version"),
    "odd-version": (
        OPENING.replace(" version='1.0' to", " version='1.x' to").encode(),
        "unsupported-version",
    ),
    "foreign-digits": (
        OPENING.replace(" version='1.0' to", " version='\u0661.\u0660' to").encode(),
        "unsupported-version",
    ),
    "rebound-prefix": (
        OPENING.replace("http://etherx.jabber.org/streams", "urn:x").encode(),
        "invalid-namespace",
    ),
    "server-namespace": (OPENING.replace("jabber:client", "jabber:server").encode(), "invalid-namespace"),
    "not-a-stream": (OPENING.replace("stream:stream", "stream:features").encode(), "bad-format"),
    "to-nobody": (HEADER.format(to="elsewhere.example").encode(), "host-unknown"),
    "to-an-account": (HEADER.format(to=f"u1@{DOMAIN}").encode(), "improper-addressing"),
    "to-no-address": (HEADER.format(to="a@@b").encode(), "improper-addressing"),
    "garbage": (bytes(range(256)), "not-well-formed"),
    "http": (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "not-well-formed"),
    "nul": (b"\x00" + OPENING.encode(), "unsupported-encoding"),
}
ENCODINGS = ("unsupported-encoding", "not-well-formed")  # both say what is wrong with bytes that are no text


def in_the_clear(server: Server) -> Client:
    """A client that may start TLS."""
    client = Client(server)
    client.open()
    return client


def same(condition: str, expected: str) -> bool:
    """Whether the condition is the one, or of the two that say that bytes are no text, the other."""
    return condition == expected or (condition in ENCODINGS and expected in ENCODINGS)


@pytest.mark.parametrize(("data", "expected"), RESTRICTED.values(), ids=RESTRICTED.keys())
def test_attack_restricted_xml_after_login(server: Server, data: bytes, expected: str):
    """What XMPP forbids of XML ends the stream with the error that says so; what follows is not read."""
    with online(server, "u0") as client, online(server) as other:
        client.send(data + f"<message to='{other.jid}'/>".encode())
        assert same(client.error(), expected)
        assert [e for e in other.fence() if e.tag.endswith("message")] == []


@pytest.mark.parametrize(("data", "expected"), RESTRICTED.values(), ids=RESTRICTED.keys())
def test_attack_restricted_xml_before_login(server: Server, data: bytes, expected: str):
    """The same holds before anybody is known: in the clear, and under TLS."""
    for begin in (in_the_clear, secured):
        with begin(server) as client:
            client.send(data)
            ending = client.error()
            assert same(ending, expected) or ending == "not-authorized"  # for what comes before the fault


@pytest.mark.parametrize(("data", "expected"), FOREIGN.values(), ids=FOREIGN.keys())
def test_attack_stanzas_by_prefix(server: Server, data: bytes, expected: str):
    """Stanzas are recognised by namespace and name, never by prefix; what is none is refused."""
    with logged_in(server, "u0") as client:
        client.send(data)
        assert client.error() == expected


@pytest.mark.parametrize(("data", "expected"), OPENINGS.values(), ids=OPENINGS.keys())
def test_attack_openings(server: Server, data: bytes, expected: str):
    """Strict from the first byte, whatever encoding is declared or marked; the refusal can be read."""
    with Client(server) as client:
        client.send(data)
        assert same(client.error(), expected)


def test_attack_huge_version(server: Server):
    """A number longer than Python converts is no fault of ours to stumble over."""
    with Client(server) as client:
        client.open(header=HEADER.replace("version='1.0' to", f"version='{'9' * 8000}.0' to"))


def test_attack_rebound_prefix_is_read_by_its_namespace(server: Server):
    """A stanza under another prefix is a stanza; the recipient gets it without one."""
    with online(server, "u0") as client, online(server) as other:
        client.send(f"<stream:message xmlns:stream='jabber:client' to='{other.jid}' id='m'/>")
        client.fence()
        (arrived,) = other.fence()
        assert (arrived.tag, arrived.get("from")) == ("{jabber:client}message", client.jid)
        assert f"<message to='{other.jid}'".encode() in other.came


def test_attack_bytes_before_the_error_count(server: Server):
    """However the bytes are cut, what was complete before the fault is dealt with, and nothing after it."""
    data = "<message to='{0}' id='good'/><message><!-- --></message><message to='{0}' id='evil'/>"
    with online(server) as other:
        for cut in (1, 7, 1000):
            with logged_in(server, "u0") as client:
                text = data.format(other.jid).encode()
                for start in range(0, len(text), cut):
                    client.send(text[start : start + cut])
                assert client.error(SECONDS) == "restricted-xml"
            assert [element.get("id") for element in other.fence()] == ["good"]
