"""slixmpp asks the server: disco, version, ping, time, last activity and private storage."""

import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta

import pytest
from slixmpp.exceptions import IqError

from .people import Person, befriend
from .slix import SlixClient

CLOCK_TOLERANCE = timedelta(seconds=60)
LONGEST_RUN_SECONDS = 600
NOTE = "{urn:example:interop}note"
SERVER_FEATURES = {
    "http://jabber.org/protocol/disco#info",
    "http://jabber.org/protocol/disco#items",
    "jabber:iq:last",
    "jabber:iq:private",
    "jabber:iq:version",
    "urn:xmpp:ping",
    "urn:xmpp:time",
}


def test_slixmpp_is_told_that_a_service_is_unavailable(romeo: Person) -> None:
    """RFC 6120 §8.4: also about what nobody has heard of."""
    client = romeo.login()
    with pytest.raises(IqError) as refused:
        client.ask(lambda stream: stream.make_iq_get("urn:example:unheard-of", ito="localhost").send())
    assert refused.value.condition == "service-unavailable"


def test_slixmpp_is_not_told_a_strangers_last_activity(romeo: Person, juliet: Person) -> None:
    """XEP-0012 §3 forbids it; not to tell whether there is such an account is as good an answer."""
    client = romeo.login()
    with pytest.raises(IqError) as refused:
        client.ask(lambda stream: stream.plugin["xep_0012"].get_last_activity(juliet.jid))
    assert refused.value.condition in ("forbidden", "service-unavailable")


def test_slixmpp_discovers_the_server(romeo: Person) -> None:
    """XEP-0030 §3."""
    answer = romeo.login().ask(lambda stream: stream.plugin["xep_0030"].get_info("localhost"))
    assert ("server", "im") in {identity[:2] for identity in answer["disco_info"]["identities"]}
    assert answer["disco_info"]["features"] >= SERVER_FEATURES


def test_slixmpp_discovers_the_servers_items(romeo: Person) -> None:
    """XEP-0030 §4: a list, if an empty one."""
    answer = romeo.login().ask(lambda stream: stream.plugin["xep_0030"].get_items("localhost"))
    assert answer["type"] == "result"
    assert answer.xml.find("{http://jabber.org/protocol/disco#items}query") is not None


def test_slixmpp_discovers_its_own_account(romeo: Person) -> None:
    client = romeo.login()
    answer = client.ask(lambda stream: stream.plugin["xep_0030"].get_info(romeo.jid))
    assert ("account", "registered") in {identity[:2] for identity in answer["disco_info"]["identities"]}


def test_slixmpp_asks_for_the_servers_version(romeo: Person) -> None:
    answer = romeo.login().ask(lambda stream: stream.plugin["xep_0092"].get_version("localhost"))
    assert answer["software_version"]["name"]
    assert answer["software_version"]["version"]


def test_slixmpp_pings_the_server_its_account_and_another_client(romeo: Person, juliet: Person) -> None:
    """Another client answers those who share its presence (RFC 6121 §8.5.3.1)."""
    client, balcony = romeo.come_online(), juliet.come_online()
    befriend(client, balcony)
    assert [ping(client, to) for to in ("localhost", romeo.jid, balcony.jid)] == ["result"] * 3


def test_slixmpp_asks_for_the_servers_time(romeo: Person) -> None:
    answer = romeo.login().ask(lambda stream: stream.plugin["xep_0202"].get_entity_time("localhost"))
    # slixmpp 1.17 cannot read the "Z" that XEP-0082 demands at the end of a UTC time.
    told = datetime.fromisoformat(answer["entity_time"].xml.findtext("{urn:xmpp:time}utc"))
    assert abs(told - datetime.now(UTC)) < CLOCK_TOLERANCE


def test_slixmpp_asks_how_long_the_server_runs(romeo: Person) -> None:
    answer = romeo.login().ask(lambda stream: stream.plugin["xep_0012"].get_last_activity("localhost"))
    assert 0 <= answer["last_activity"]["seconds"] < LONGEST_RUN_SECONDS


def test_slixmpp_asks_when_a_contact_was_last_seen(romeo: Person, juliet: Person) -> None:
    """XEP-0012 §3: seconds since the last logout, and its status."""
    garden, balcony = romeo.come_online("garden"), juliet.come_online("balcony")
    befriend(garden, balcony)
    balcony.announce(ptype="unavailable", pstatus="Good night")
    garden.receive_presence("unavailable", balcony.jid)
    balcony.logout()
    answer = garden.ask(lambda stream: stream.plugin["xep_0012"].get_last_activity(juliet.jid))
    assert 0 <= answer["last_activity"]["seconds"] < 60
    assert answer["last_activity"]["status"] == "Good night"


def test_slixmpp_stores_and_fetches_private_xml(romeo: Person, juliet: Person) -> None:
    """XEP-0049: what one resource stored another finds, and nobody else does."""
    note = ET.Element(NOTE)
    note.text = "a rose <by any other name> & more"
    romeo.login("garden").store(note)
    found = romeo.login("street").stored(NOTE)
    assert found is not None
    assert found.text == note.text
    nothing = juliet.login().stored(NOTE)
    assert nothing is not None
    assert nothing.text is None


def ping(client: SlixClient, to: str) -> str:
    """The type of the answer (XEP-0199 §4)."""
    answer = client.ask(lambda stream: stream.plugin["xep_0199"].send_ping(to))
    return str(answer["type"])
