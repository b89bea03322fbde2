"""XEP-0313 §4.3, §6.3: a client that was away reads what it missed, each message once and in order."""

from hypothesis import given
from hypothesis import strategies as st

from commonroom.config.schema import Offline
from commonroom.core.session import HIGH_WATER
from commonroom.protocol.jid import JID
from commonroom.storage.records import ArchivedMessage
from tests.conversations.history import Result, chat, everything, field, form, page, query, rsm
from tests.conversations.world import Client, World, with_options

ROMEO = JID.parse("romeo@example.org")
PEERS = [
    JID.parse("juliet@example.org/balcony"),
    JID.parse("juliet@example.org"),
    JID.parse("nurse@example.org/1"),
]


def world_with_archive(peers: list[int]) -> World:
    """Romeo's archive holds one message with each of these."""
    world = World("romeo@example.org")
    for number, peer in enumerate(peers):
        xml = f"<message type='chat'><body>{number}</body></message>"
        world.memory.archive.append(ROMEO, ArchivedMessage(number * 7 + 1, PEERS[peer], False, xml))
    return world


def forwards(client: Client, length: int, *inside: str) -> list[Result]:
    found: list[Result] = []
    while True:
        after = {"after": found[-1].id} if found else {}
        part = page(client, rsm(max=length, **after), *inside)
        found += part.results
        assert len(part.results) == length or part.is_complete
        if part.is_complete:
            return found


def backwards(client: Client, length: int, *inside: str) -> list[Result]:
    found: list[Result] = []
    while True:
        part = page(client, rsm(max=length, before=found[0].id if found else ""), *inside)
        found[:0] = part.results
        if part.is_complete:
            return found


@given(
    peers=st.lists(st.integers(0, 2), max_size=30),
    length=st.integers(1, 12),
    peer=st.sampled_from(["", "juliet@example.org", "juliet@example.org/balcony", "nurse@example.org"]),
)
def test_xep0313_4_3_2_the_pages_together_are_the_archive(peers: list[int], length: int, peer: str):
    """No gap, nothing twice, whatever the length of a page, its direction and the filter."""
    client = world_with_archive(peers).online("romeo@example.org/orchard")
    matching = [
        str(number)
        for number, each in enumerate(peers)
        if not peer or PEERS[each] == peer or PEERS[each].bare == peer
    ]
    asked = form(field("with", peer))
    assert [result.body for result in forwards(client, length, asked)] == matching
    assert [result.body for result in backwards(client, length, asked)] == matching


@given(data=st.data(), count=st.integers(1, 20), length=st.integers(1, 30))
def test_xep0313_4_1_3_between_any_two_messages(data: st.DataObject, count: int, length: int):
    client = world_with_archive([0] * count).online("romeo@example.org/orchard")
    ids = [result.id for result in everything(client)]
    after, before = data.draw(st.integers(0, count - 1)), data.draw(st.integers(0, count - 1))
    asked = form(field("after-id", ids[after]), field("before-id", ids[before]))
    between = [str(number) for number in range(after + 1, before)]
    assert [result.body for result in forwards(client, length, asked)] == between
    assert [result.body for result in backwards(client, length, asked)] == between


def missed(world: World, romeo: Client, count: int) -> None:
    for number in range(count):
        romeo.send(chat("juliet@example.org", number, id=f"m{number}"))
        romeo.received()


def test_xep0313_6_3_a_client_that_missed_500_messages_catches_up():
    """As Converse does: it knows the id of the last message that it has seen, and asks for what is after."""
    settings = with_options(offline=Offline(messages=1000))
    world = World("romeo@example.org", "juliet@example.org", settings=settings)
    romeo, juliet = (world.online(f"{name}@example.org/home") for name in ("romeo", "juliet"))
    romeo.send(chat("juliet@example.org", "seen"))
    (seen,) = juliet.received()
    last = next(e.get("id") for e in seen.elements() if e.name == "stanza-id")
    juliet.cut()
    missed(world, romeo, 500)
    juliet = world.login("juliet@example.org/home")
    bodies: list[str | None] = []
    is_complete = False
    while not is_complete:
        part = page(juliet, rsm(max=50, after=last), attributes=" queryid='c'")
        bodies += part.bodies
        is_complete, last = part.is_complete, part.said("last")
    assert bodies == [str(number) for number in range(500)]


def test_xep0313_6_3_what_comes_while_a_client_catches_up_is_not_lost():
    """It comes as a message of its own, and with its id, by which the client knows it from the pages."""
    world = World("romeo@example.org", "juliet@example.org")
    romeo = world.online("romeo@example.org/home")
    missed(world, romeo, 20)
    juliet = world.login("juliet@example.org/home")
    found: dict[str, str | None] = {}
    last = ""
    for number in range(20, 30):
        part = page(juliet, rsm(max=4, after=last))
        found |= {result.id: result.body for result in part.results}
        last = part.said("last") or last
        romeo.send(chat("juliet@example.org/home", number))
        for message in juliet.received():
            id = next(e.get("id") for e in message.elements() if e.name == "stanza-id")
            found[id or ""] = message.child_text("jabber:client", "body")
    assert [found[id] for id in sorted(found, key=int)] == [str(number) for number in range(30)]


def test_xep0313_4_many_queries_at_once_are_answered_in_order():
    world = World("romeo@example.org")
    romeo = world.online("romeo@example.org/home")
    for number in range(3):
        romeo.send(chat("romeo@example.org", number))
    romeo.received()
    world.memory.writes.hold()
    romeo.send(chat("romeo@example.org", "last"))
    count = HIGH_WATER // 2
    for number in range(count):
        romeo.send(query(attributes=f" queryid='{number}'").replace("id='q'", f"id='{number}'"))
    world.turn()
    world.memory.writes.release()
    world.turn()
    answers = [element for element in romeo.received() if element.child("urn:xmpp:mam:2", "result") is None]
    assert [e.get("id") for e in answers if e.name == "iq"] == [str(number) for number in range(count)]
