"""Security rule: bytes, depth, elements, attributes and names are limited, more tightly before login."""

import time

import pytest

from tests.attack.client import HEADER, Client, condition, online, secured
from tests.attack.server import DOMAIN, Server

MIB = 1024  # KiB
DEEP = "<a>" * 300 + "</a>" * 300
WIDE = "<message>" + "<a/>" * 3_000 + "</message>"
MANY = " ".join(f"a{number}='1'" for number in range(1_000))
DECLARED = " ".join(f"xmlns:p{number}='u'" for number in range(100_000))

TOO_MUCH = {
    "deep": f"<message>{DEEP}</message>",
    "deepest": "<message>" + "<a>" * 50_000,
    "deepest-prefixed": "<message xmlns:x='urn:x'>" + "<x:a>" * 20_000,
    "wide": WIDE,
    "many-attributes": f"<message {MANY}/>",
    "many-declarations": f"<message {DECLARED}/>",
    "many-names": "".join(
        f"<message>{''.join(f'<{prefix}{number}/>' for number in range(1_100))}</message>" for prefix in "ab"
    ),
    "giant-name": f"<{'a' * 20_000}/>",
    "giant-attribute": f"<message id='{'a' * 20_000}'/>",
    "giant-namespace": f"<message xmlns='{'u' * 20_000}'/>",
    "endless-attribute": f"<message id='{'a' * 300_000}",
    "endless-tag": "<message " + "\n" * 300_000,
    "endless-text": f"<message><body>{'a' * 300_000}",
    "endless-cdata": f"<message><body><![CDATA[{'a' * 300_000}",
    "endless-end-tag": f"<message></message{' ' * 300_000}",
}


@pytest.mark.parametrize("data", TOO_MUCH.values(), ids=TOO_MUCH.keys())
def test_attack_limits_after_login(server: Server, data: str):
    """Whoever asks for more than a stanza may have is told, and costs no memory that stays."""
    before = server.usage().kib
    with online(server, "u0") as client:
        client.send(data)
        assert client.error() == "policy-violation"
    assert server.usage().kib - before < 8 * MIB


@pytest.mark.parametrize("data", TOO_MUCH.values(), ids=TOO_MUCH.keys())
def test_attack_limits_before_login(server: Server, data: str):
    """The same before login, where less is enough; in the clear and under TLS."""
    for begin in (in_the_clear, secured):
        with begin(server) as client:
            client.send(data.replace("message", "auth"))
            assert client.error() in ("policy-violation", "not-authorized")


def in_the_clear(server: Server) -> Client:
    """A client that may start TLS."""
    client = Client(server)
    client.open()
    return client


@pytest.mark.parametrize(
    "data",
    [
        f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{'A' * 20_000}",
        f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='{'A' * 9_000}'/>" * 6,
        f"<message><body>{'a' * 11_000}</body></message>",
    ],
)
def test_attack_giant_before_login(server: Server, data: str):
    """Strangers may send a tenth of what users may, and no more than the tries that they have."""
    with secured(server) as client:
        client.send(data)
        assert client.error() in ("policy-violation", "not-authorized")


@pytest.mark.parametrize("data", [b" " * 20_000, HEADER[:-1].encode() + b" " * 20_000, b"<" + b"a" * 20_000])
def test_attack_giant_header(server: Server, data: bytes):
    """The header is limited with all that comes before it."""
    with Client(server) as client:
        client.send(data)
        assert client.error() == "policy-violation"


def test_attack_limits_let_10000_bytes_pass(server: Server):
    """RFC 6120 §13.12: no limit is below 10,000 bytes, before login and after it."""
    with secured(server) as client:
        element = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{}</auth>"
        client.send(element.format("A" * (10_000 - len(element.format("")))))
        assert condition(client.next()) == "malformed-request"
    with online(server, "u0") as client, online(server, "u1") as other:
        stanza = f"<message to='{other.jid}'><body>{{}}</body></message>"
        client.send(stanza.format("a" * (250_000 - len(stanza.format("")))))
        assert len(other.next().findtext("{jabber:client}body") or "") > 249_000


def test_attack_many_distinct_names(server: Server):
    """A stream's names are bounded, and go with the stream: a thousand new ones for each of many streams."""
    names = 1_400
    before = 0
    for stream in range(100):
        with Client(server) as client:
            client.open()
            data = "<auth>" + "".join(f"<n{stream}x{number}/>" for number in range(names))
            client.send(data[:9_900])
            client.send(" " * 200)
            assert client.error() == "policy-violation"
        if stream == 20:
            before = server.usage().kib
    assert server.usage().kib - before < 4 * MIB


def test_attack_names_in_a_trickle(hasty: Server):
    """One new name with each stanza, for as long as the server takes them: it does not take many."""
    with online(hasty, "u0") as client:
        before = hasty.usage().kib
        for number in range(2_100):
            client.send(f"<message to='{DOMAIN}' type='error'><n{number}x{'y' * 100}/></message>")
        assert client.error() == "policy-violation"
        assert hasty.usage().kib - before < 4 * MIB


def test_attack_prefixes_in_a_trickle(hasty: Server):
    """expat keeps every prefix that it has seen: the parser is made anew before they are many."""
    with online(hasty, "u0") as client:
        sizes = []
        for round_ in range(40):
            declared = " ".join(f"xmlns:p{round_}x{number}='u'" for number in range(600))
            client.send(f"<message to='{DOMAIN}' type='error' {declared}/>" * 10)
            client.fence()
            sizes.append(hasty.usage().kib)
        assert sizes[-1] - sizes[9] < 2 * MIB, sizes


def test_attack_one_byte_at_a_time(server: Server):
    """expat looks at an unfinished tag anew with every piece: its length is limited, so the cost is, too."""
    with online(server, "u0") as client:
        before = server.usage().seconds
        client.send("<message id='")
        begun = time.monotonic()
        for _ in range(1_000):
            client.send("a" * 10)
        client.send("'/>")
        client.fence()
        assert time.monotonic() - begun < 2
        assert server.usage().seconds - before < 1
