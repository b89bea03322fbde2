"""What becomes of all that people send over the border when the peer's certificate does not do."""

from tests.interop.slix import SlixClient
from tests.interop.waiting import wait_until

from .happenings import AGAIN_SECONDS, send, talk
from .pairs import Make, Pairing
from .proofs import EXTERNAL, FAULTS, certificate


def messages_come_back(pair: Pairing, person: Make) -> None:
    _refused(pair, person, "<message to='{person}' type='chat' id='{id}'><body>{id}</body></message>")


def subscriptions_come_back(pair: Pairing, person: Make) -> None:
    _refused(pair, person, "<presence to='{person}' type='subscribe' id='{id}'/>")


def joins_come_back(pair: Pairing, person: Make) -> None:
    join = "<presence to='{room}/{id}' id='{id}'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
    _refused(pair, person, join)


def pings_come_back(pair: Pairing, person: Make) -> None:
    _refused(pair, person, "<iq to='{domain}' type='get' id='{id}'><ping xmlns='urn:xmpp:ping'/></iq>")


def a_mended_certificate_is_taken(pair: Pairing, person: Make) -> None:
    """When the peer is back with a certificate that does, people talk."""
    pair.peer.install(certificate(pair.ours.site, EXTERNAL, pair.peer.domain))
    pair.peer.kill()
    pair.peer.start()
    romeo, juliet = person(pair.ours, "romeo").come_online(), person(pair.peer, "juliet").come_online()
    talk(romeo, juliet, "mended")


def _refused(pair: Pairing, person: Make, stanza: str) -> None:
    """Our people hear why, the log says it of the other direction, and nothing arrives on either side.

    Theirs hear of it as well. ejabberd does not even try again at once.
    """
    romeo, juliet = person(pair.ours, "romeo").come_online(), person(pair.peer, "juliet").come_online()
    words = FAULTS[pair.proof].words
    _send(romeo, stanza, juliet, pair.peer.domain, f"rooms.{pair.peer.domain}", "there")
    error = romeo.receive("an error", lambda s: s["id"] == "there")
    assert error["type"] == "error"
    assert error["error"]["condition"] == "remote-server-timeout"
    assert words in error["error"]["text"], error
    _send(juliet, stanza, romeo, pair.ours.domain, f"group.{pair.ours.domain}", "back")
    if "subscribe" not in stanza or pair.peer.tells_of_subscriptions:
        assert juliet.receive("an error", lambda s: s["id"] == "back")["type"] == "error"
    wait_until(lambda: any(words in each for each in _told_of_the_peer(pair)), "our refusal", AGAIN_SECONDS)
    for client in (romeo, juliet):
        client.sync()
        assert not client.has(lambda s: s["id"] in ("there", "back") and s["type"] not in ("error", "result"))


def _send(client: SlixClient, stanza: str, to: SlixClient, domain: str, rooms: str, identifier: str) -> None:
    text = stanza.format(person=to.bare_jid, domain=domain, room=f"orchard@{rooms}", id=identifier)
    send(client, text)


def _told_of_the_peer(pair: Pairing) -> list[str]:
    """The reasons why it was refused."""
    refused = pair.ours.events("server refused")
    return [str(each["reason"]) for each in refused if pair.peer.domain in str(each["domain"])]
