"""However a conversation is cut into pieces, and however late the host answers, it goes the same way."""

from base64 import b64decode
from collections.abc import Iterator
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from commonroom.protocol.errors import conflict
from tests.protocol.sasl.peer import BINDINGS, client_final
from tests.protocol.streams import STARTTLS, Peer, auth, bind, header, plain, response

# What a client sends without waiting for an answer; after STARTTLS and its last response it has to wait.
REGISTER = "<iq type='get' id='r'><query xmlns='jabber:iq:register'/></iq>"
STANZAS = (
    "<presence/> <message to='rom\u00e9o@example.org' xml:lang='de'>"
    "<body>\u2665 &amp; &#x2665;</body></message>"
    "\r\n<iq type='get' id='1'/><message to='@' id='2'/>"
    "<a:message xmlns:a='jabber:client' id='3'><a:body/></a:message>"
)
FIRST = b"p=tls-exporter,,n=juliet,r=abcdef"
ENDS = (
    "</stream:stream>",
    "<message from='mallory@example.net'/>",
    "text",
    "<message></body>",
    "<!--",
    "<x/>",
)


def flights(end: str) -> list[str]:
    return [
        header() + auth("PLAIN") + STARTTLS,
        header() + REGISTER + plain(password="wrong") + auth("SCRAM-SHA-1-PLUS", FIRST),
        "",  # the response to the challenge
        header(lang="fr") + bind("balcony", id="b1") + bind("chamber", id="b2") + STANZAS + end,
    ]


def cut(text: str, places: list[int]) -> Iterator[bytes]:
    data = text.encode()
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return (data[start:end] for start, end in pairwise(edges))


def converse(end: str, places: list[int], patience: int) -> tuple[str, list[str], list[object]]:
    """What was said, taken and noted; the host answers every `patience` pieces, and at a flight's end."""
    peer = Peer(needs_tls=True, patient=patience > 0)
    peer.refusals.append(conflict())
    for flight in flights(end):
        if not flight:
            challenge = peer.received()[-1]
            flight = final(challenge.text())
        for number, piece in enumerate(cut(flight, places), 1):
            peer.stream.receive(piece)
            if patience and number % patience == 0 and peer.questions:
                peer.answer()
        while peer.questions:
            peer.answer()
        assert not peer.paused
    assert peer.session is not None
    return peer.text, [stanza.xml() for stanza in peer.session.taken], [*peer.asked, *peer.events]


def final(challenge: str) -> str:
    binding = b"p=tls-exporter,," + BINDINGS["tls-exporter"]()
    return response(client_final(FIRST, b64decode(challenge).decode(), hash_name="SHA-1", binding=binding))


WHOLE = {end: converse(end, [], 0) for end in ENDS}


@given(st.sampled_from(ENDS), st.lists(st.integers(0, 10**6), max_size=12), st.integers(0, 5))
def test_the_cut_and_the_hosts_pace_change_nothing(end, places, patience):
    assert converse(end, places, patience) == WHOLE[end]


def test_byte_by_byte_changes_nothing():
    every_byte = list(range(5000))
    for end in ENDS:
        assert converse(end, every_byte, 0) == WHOLE[end]
        assert converse(end, every_byte, 7) == WHOLE[end]


def test_the_conversation_is_one():
    said, taken, noted = WHOLE["</stream:stream>"]
    assert said.endswith("</stream:stream>")
    assert said.count("<stream:stream ") == 3
    assert len(taken) == 3
    assert ("succeeded", "juliet@example.com", "SCRAM-SHA-1-PLUS") in noted
    assert ("bind", "juliet@example.com", "chamber") in noted
