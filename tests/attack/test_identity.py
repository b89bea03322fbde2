"""Security rules: `from` is stamped or checked, `to` of the header is pinned, addresses have one form."""

from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

import pytest

from tests.attack.client import BIND, HEADER, Client, auth, condition, logged_in, online, secured
from tests.attack.server import DOMAIN, OTHER_DOMAIN, PASSWORD, Server

STANZAS = {
    "message": "<message to='{to}' from='{claimed}' id='m'><body>b</body></message>",
    "presence": "<presence to='{to}' from='{claimed}' id='m'/>",
    "broadcast": "<presence from='{claimed}' id='m'/>",
    "subscribe": "<presence to='{to}' from='{claimed}' type='subscribe' id='m'/>",
    "subscribed": "<presence to='{to}' from='{claimed}' type='subscribed' id='m'/>",
    "probe": "<presence to='{to}' from='{claimed}' type='probe' id='m'/>",
    "get": "<iq type='get' to='{to}' from='{claimed}' id='m'><ping xmlns='urn:xmpp:ping'/></iq>",
    "set": "<iq type='set' from='{claimed}' id='m'><query xmlns='jabber:iq:roster'/></iq>",
    "result": "<iq type='result' to='{to}' from='{claimed}' id='m'/>",
    "error": "<message type='error' to='{to}' from='{claimed}' id='m'/>",
}
CLAIMS = {
    "another": f"u3@{DOMAIN}/phone",
    "another-bare": f"u3@{DOMAIN}",
    "domain": DOMAIN,
    "other-resource": f"u0@{DOMAIN}/other",
    "other-domain": f"u0@{OTHER_DOMAIN}/r",
    "elsewhere": "boss@elsewhere.example",
    "empty": "",
    "no-address": "a@@b",
    "blank": f" u0@{DOMAIN}/r",
    "confusable": f"\u0075\u0660@{DOMAIN}/r",
}
BINDING = (
    "<iq type='set' id='{id}'{attributes}><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>{inside}</bind></iq>"
)


@pytest.mark.parametrize("stanza", STANZAS.values(), ids=STANZAS.keys())
@pytest.mark.parametrize("claimed", CLAIMS.values(), ids=CLAIMS.keys())
def test_attack_from_of_another(server: Server, stanza: str, claimed: str):
    """A client speaks for itself: any other `from` ends the stream, and what it was on goes nowhere."""
    with online(server, "u1") as other, logged_in(server, "u0", "r") as client:
        client.send(stanza.format(to=other.jid, claimed=claimed))
        assert client.error() == "invalid-from"
        assert other.fence() == []


@pytest.mark.parametrize("claimed", [f"u0@{DOMAIN}/r", f"u0@{DOMAIN}", f"U0@{DOMAIN.upper()}/r", None])
def test_attack_from_is_stamped(server: Server, claimed: str | None):
    """However one's own address is written, the recipient reads it in its one form, in full."""
    attribute = "" if claimed is None else f"from='{claimed}'"
    with online(server, "u1") as other, logged_in(server, "u0", "r") as client:
        client.send(f"<message to='{other.jid}' {attribute}/>")
        assert other.next().get("from") == f"u0@{DOMAIN}/r"


def test_attack_from_in_another_namespace(server: Server):
    """Only the attribute without a namespace is the sender; there is one of it."""
    with online(server, "u1") as other, logged_in(server, "u0", "r") as client:
        client.send(f"<message to='{other.jid}' xmlns:c='jabber:client' c:from='u3@{DOMAIN}'/>")
        arrived = other.next()
        assert arrived.get("from") == f"u0@{DOMAIN}/r"


def test_attack_forged_delay(server: Server):
    """A postmark that claims to be ours is stripped, all of them; somebody else's is left alone."""
    ours = [DOMAIN, DOMAIN.upper(), f"{DOMAIN}/x", f"u3@{DOMAIN}", OTHER_DOMAIN, f"U3@{OTHER_DOMAIN}/y"]
    forged = "".join(
        f"<delay xmlns='urn:xmpp:delay' from='{by}' stamp='2001-01-01T00:00:00Z'/>" for by in ours
    )
    kept = "<delay xmlns='urn:xmpp:delay' from='elsewhere.example' stamp='2001-01-01T00:00:00Z'/>"
    with online(server, "u1") as other, online(server, "u0") as client:
        client.send(f"<message to='{other.jid}'>{forged}<body>b</body>{kept}{forged}</message>")
        arrived = other.next()
        assert [e.get("from") for e in arrived.iter("{urn:xmpp:delay}delay")] == ["elsewhere.example"]
        assert arrived.findtext("{jabber:client}body") == "b"


def test_attack_forged_archive_id(server: Server):
    """An id that claims to be ours is stripped, all of them; somebody else's is left alone."""
    ours = [DOMAIN, DOMAIN.upper(), f"u1@{DOMAIN}", f"U1@{DOMAIN}/x", f"u0@{DOMAIN}", f"u3@{OTHER_DOMAIN}"]
    forged = "".join(f"<stanza-id xmlns='urn:xmpp:sid:0' by='{by}' id='forged'/>" for by in ours)
    kept = "<stanza-id xmlns='urn:xmpp:sid:0' by='elsewhere.example' id='1'/>"
    with online(server, "u1") as other, online(server, "u0") as client:
        client.send(f"<message to='{other.jid}'>{forged}<body>b</body>{kept}{forged}</message>")
        arrived = other.next()
        ids = {e.get("by"): e.get("id") for e in arrived.iter("{urn:xmpp:sid:0}stanza-id")}
        assert ids.pop("elsewhere.example") == "1"
        assert list(ids) in ([], [f"u1@{DOMAIN}"])
        assert "forged" not in ids.values()


def test_attack_archive_of_another(server: Server):
    """Nobody reads it, nor learns whether there is one; the answer is that of an address that is nobody's."""
    with online(server, "u0") as client:
        answers = []
        for to in (f"u1@{DOMAIN}", f"nobody@{DOMAIN}"):
            for kind, name in (("set", "query"), ("get", "query"), ("get", "metadata"), ("get", "prefs")):
                client.send(f"<iq type='{kind}' id='1' to='{to}'><{name} xmlns='urn:xmpp:mam:2'/></iq>")
                answer = client.next()
                assert answer.get("type") == "error"
                answers.append(ElementTree.tostring(answer).replace(to.encode(), b""))
        assert len(set(answers)) == 1


def test_attack_archive_ids_of_another(server: Server):
    """To page from the id of another's message is the same as to page from one that never was."""
    rsm = "<set xmlns='http://jabber.org/protocol/rsm'><after>{}</after></set>"
    asked = f"<iq type='set' id='1'><query xmlns='urn:xmpp:mam:2'>{rsm}</query></iq>"
    with online(server, "u1") as other, online(server, "u0") as client:
        other.send(f"<message to='u1@{DOMAIN}' type='chat'><body>mine</body></message>")
        arrived = other.next()
        (theirs,) = (e.get("id") for e in arrived.iter("{urn:xmpp:sid:0}stanza-id"))
        answers = []
        for id in (theirs, "1", "nonsense"):
            client.send(asked.format(id))
            answers.append(ElementTree.tostring(client.next()))
        assert len(set(answers)) == 1
        assert b"item-not-found" in answers[0]


# The header


@pytest.mark.parametrize("to", [OTHER_DOMAIN, "elsewhere.example"])
def test_attack_to_of_the_header_changes(server: Server, to: str):
    """The domain that was chosen first holds for the connection's life: after TLS and after login."""
    with Client(server) as client:
        client.start_tls()
        client.restart()
        client.send(HEADER.format(to=to))
        assert client.error() in ("policy-violation", "host-unknown")
    with secured(server) as client:
        client.authenticate("u0")
        client.restart()
        client.send(HEADER.format(to=to))
        assert client.error() in ("policy-violation", "host-unknown")


def test_attack_login_at_the_other_domain(server: Server):
    """An account belongs to one domain: at another one it does not exist."""
    with Client(server, server.address(), server.tls_port) as client:
        client.secure()
        client.open(OTHER_DOMAIN)
        assert condition(client.authenticate("u0")) == "not-authorized"
        assert condition(client.authenticate("u0", authzid=f"u0@{DOMAIN}")) == "invalid-authzid"
        assert condition(client.authenticate(f"u0@{DOMAIN}")) == "not-authorized"


@pytest.mark.parametrize("claimed", [f"u1@{DOMAIN}", f"u0@{OTHER_DOMAIN}", "x@elsewhere.example"])
def test_attack_from_of_the_header(server: Server, claimed: str):
    """Who claims to be somebody in the header must turn out to be that one, before login and after it."""
    header = HEADER.replace(" to=", f" from='{claimed}' to=")
    with secured(server) as client:
        client.authenticate("u0")
        client.restart()
        client.send(header.format(to=DOMAIN))
        assert client.error() == "invalid-from"
    with Client(server, port=server.tls_port) as client:
        client.secure()
        client.send(header.format(to=DOMAIN) + auth("PLAIN", f"\0u0\0{PASSWORD}"))
        assert client.error() == "invalid-from"


def test_attack_header_in_the_clear_does_not_count(server: Server):
    """Anybody could have written what came before TLS: it chooses nothing that matters."""
    with Client(server) as client:
        client.open(header=HEADER.replace(" to=", f" from='u1@{DOMAIN}' to="))
        client.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        client.next()
        client.secure()
        client.open()
        client.authenticate("u0")
        client.bind()
        assert client.bare == f"u0@{DOMAIN}"


# Binding


def bind(client: Client, inside: str = "", attributes: str = "", id: str = "b") -> str:
    """Try to bind; gives the address, or the condition of the error."""
    answer = client.ask(BINDING.format(id=id, attributes=attributes, inside=inside))
    return condition(answer) or answer.findtext(f"{BIND}bind/{BIND}jid") or ""


@pytest.mark.parametrize(
    "inside",
    [
        f"<jid>u1@{DOMAIN}/r</jid>",
        f"<resource>r</resource><jid>u1@{DOMAIN}/r</jid>",
        f"<resource>r</resource><resource>u1@{DOMAIN}/x</resource>",
        "<resource xmlns='urn:x'>x</resource><username>u1</username>",
        f"<resource>/u1@{DOMAIN}/r</resource>",
        f"<resource>&lt;jid>u1@{DOMAIN}/r&lt;/jid></resource>",
        f"<resource>@{DOMAIN}</resource>",
        "<resource>'</resource>",
    ],
)
def test_attack_bind_as_another(server: Server, inside: str):
    """Whatever is asked for, the address that is bound is the account's that logged in."""
    with secured(server) as client:
        client.authenticate("u0")
        client.open()
        jid = bind(client, inside)
        assert jid.startswith(f"u0@{DOMAIN}/")
        client.send(f"<message to={quoteattr(jid)}/>")
        (arrived,) = client.fence()
        assert arrived.get("from") == jid


@pytest.mark.parametrize("attributes", [f" to='u1@{DOMAIN}'", f" from='u1@{DOMAIN}/r'", " to='a@@b'"])
def test_attack_bind_with_addresses(server: Server, attributes: str):
    """Addresses on the request change nothing: the account is the one that logged in, or it is an error."""
    with secured(server) as client:
        client.authenticate("u0")
        client.open()
        client.send(BINDING.format(id="b", attributes=attributes, inside=""))
        client.next()
        assert b"u1@localhost/" not in client.came.partition(b"<jid>")[2]


@pytest.mark.parametrize(
    "resource",
    ["x" * 1_024, "\u00e9" * 600, "a&#9;b", "a&#10;b", "\u00ad", "\ufdd0", "\u0378", "\U000e0001"],
    ids=["long", "long-in-bytes", "tab", "line-feed", "soft-hyphen", "noncharacter", "unassigned", "tag"],
)
def test_attack_hostile_resources(server: Server, resource: str):
    """A resource that is none is refused; the client may try again, some times."""
    with secured(server) as client:
        client.authenticate("u0")
        client.open()
        assert bind(client, f"<resource>{resource}</resource>") == "bad-request"
        assert bind(client, "<resource>good</resource>", id="c") == f"u0@{DOMAIN}/good"


def test_attack_endless_tries_to_bind(server: Server):
    """Tries are counted: ten and no more."""
    with secured(server) as client:
        client.authenticate("u0")
        client.open()
        client.send(BINDING.format(id="b", attributes="", inside=f"<resource>{'x' * 1_024}</resource>") * 5)
        client.send(BINDING.format(id="b", attributes="", inside=f"<resource>{'x' * 1_024}</resource>") * 6)
        assert client.error() == "policy-violation"


def test_attack_bind_twice(server: Server):
    """A stream has one resource; another request to bind is one like any other, and nobody answers it."""
    with logged_in(server, "u0", "r") as client:
        assert bind(client, "<resource>s</resource>", id="again") in ("service-unavailable", "not-allowed")
        client.send(f"<message to='u0@{DOMAIN}/r' id='self'/>")
        assert client.next().get("from") == f"u0@{DOMAIN}/r"


def test_attack_renamed_resource_grows_too_long(hasty: Server):
    """Where a resource in use is renamed, the longest possible one cannot be: an error, and not a fault."""
    name = hasty.account()
    with logged_in(hasty, name, "x" * 1_023), secured(hasty) as client:
        client.authenticate(name)
        client.open()
        outcome = bind(client, f"<resource>{'x' * 1_023}</resource>")
        assert outcome in ("conflict", "bad-request") or outcome.startswith(f"{name}@{DOMAIN}/")


def test_attack_replaced_session(server: Server):
    """Binding a resource in use takes it over from the one who had it, only within the same account."""
    with (
        online(server, "u1", "phone"),
        online(server, "u0", "phone") as old,
        logged_in(server, "u0", "phone") as new,
    ):
        assert old.error() == "conflict"
        new.send(f"<message to='u0@{DOMAIN}/phone' id='self'/>")
        assert new.next().get("id") == "self"


@pytest.mark.parametrize(
    "address",
    [
        "a@@b",
        "@localhost",
        "u1@",
        "u1@localhost/",
        "/r",
        "",
        " ",
        "u1@local host",
        "u1 @localhost",
        "u1@localhost/a&#9;b",
        "u1@localhost/&#8238;&#xfdd0;",
        f"{'x' * 1_024}@localhost",
        f"u1@localhost/{'x' * 1_024}",
        f"u1@{'x' * 1_024}",
        f"u1@{'x.' * 127}example",
        f"u1@{'x' * 64}.example",
        "\u00e9" * 600 + "@localhost",
        f"{'a' * 16_000}@localhost",
        "u1@localhost/" + "\u0301" * 8_000,
        "u1@" + "\u0301" * 8_000,
        "a\u05d0b@localhost",
        "\u05d0a\u0661@localhost",
        "u\u202e1@localhost",
        "u\u00ad1@localhost",
        "u\u03781@localhost",
        "u\ufdd01@localhost",
        "u\u2028@localhost",
        "u1@-localhost",
        "u1@local..host",
        "u1@xn--.example",
        "u1@xn--a-ecp.example",
        "u1@\u0300a.example",
        "u1@[::1",
        "u1@[1.2.3.4.5]",
        "u1@loc\u2044al.example",
        "&quot;u1&quot;@localhost",
        "u1&lt;@localhost",
        "\u2025@localhost",
        "\uff20@localhost",
        "u1\uff0f@localhost",
    ],
)
def test_attack_hostile_addresses(server: Server, address: str):
    """What is no address is told so, quickly, whatever it costs to find out; the stream lives on."""
    before = server.usage().seconds
    with logged_in(server, "u0") as client:
        for number, kind in enumerate(
            ("<message{}/>", "<presence{}/>", "<iq type='get'{}><q xmlns='q'/></iq>")
        ):
            stanza = kind.format(f" id='{number}' to='{address}'")
            assert condition(client.ask(stanza)) == "jid-malformed"
    assert server.usage().seconds - before < 0.5


def test_attack_many_addresses(hasty: Server):
    """Addresses that were seen are remembered for speed; long ones, which could fill memory, are not."""
    with logged_in(hasty, "u0") as client:
        sizes = []
        for round_ in range(6):
            addresses = (f"{'l' * 130}{round_}x{n}@{DOMAIN}/{'r' * 500}" for n in range(1_500))
            client.send("".join(f"<message type='error' to='{address}'/>" for address in addresses))
            client.fence(20)
            sizes.append(hasty.usage().kib)
        assert sizes[-1] - sizes[0] < 2 * 1024, sizes
