"""XEP-0441: Message Archive Management Preferences."""

import pytest

from commonroom.config.archive import Archive, ArchiveDefault
from commonroom.storage.errors import StorageError
from commonroom.xml.element import Element
from tests.conversations.history import chat, everything
from tests.conversations.world import Client, World, condition, with_options

GET = "<iq type='get' id='p'><prefs xmlns='urn:xmpp:mam:2'/></iq>"


def jids(name: str, *addresses: str) -> str:
    return f"<{name}>{''.join(f'<jid>{address}</jid>' for address in addresses)}</{name}>"


def prefs(default: str, *lists: str, to: str = "") -> str:
    to = to and f" to='{to}'"
    named = f"<prefs xmlns='urn:xmpp:mam:2' default='{default}'>"
    return f"<iq type='set' id='p'{to}>{named}{''.join(lists)}</prefs></iq>"


def said(answer: Element) -> tuple[str | None, list[str], list[str]]:
    (preferences,) = answer.elements()
    always, never = preferences.elements()
    assert (always.name, never.name) == ("always", "never")
    return (
        preferences.get("default"),
        [j.text() for j in always.elements()],
        [j.text() for j in never.elements()],
    )


@pytest.fixture
def world() -> World:
    return World("romeo@example.org", "juliet@example.org")


@pytest.fixture
def romeo(world: World) -> Client:
    return world.online("romeo@example.org/orchard")


@pytest.mark.parametrize("default", ["", "sometimes", "ALWAYS"])
def test_xep0441_2_1_1_there_are_three_defaults(romeo: Client, default: str):
    assert condition(romeo.ask(prefs(default))) == "bad-request"
    assert said(romeo.ask(GET)) == ("always", [], [])


@pytest.mark.parametrize("name", ["always", "never"])
def test_xep0441_2_1_2_the_lists_have_addresses(romeo: Client, name: str):
    assert condition(romeo.ask(prefs("always", jids(name, "a@example.org", "@")))) == "jid-malformed"
    assert said(romeo.ask(GET)) == ("always", [], [])


def test_xep0441_2_1_nothing_can_be_always_and_never(romeo: Client):
    lists = jids("always", "a@example.org"), jids("never", "A@example.org")
    assert condition(romeo.ask(prefs("always", *lists))) == "bad-request"


def test_xep0441_2_1_the_lists_are_bounded():
    world = World("romeo@example.org", settings=with_options(archive=Archive(rules=3)))
    romeo = world.online("romeo@example.org/orchard")
    lists = jids("always", "a@example.org", "b@example.org"), jids("never", "c@example.org", "d@example.org")
    assert condition(romeo.ask(prefs("always", *lists))) == "policy-violation"
    assert romeo.ask(prefs("always", lists[0], jids("never", "c@example.org"))).get("type") == "result"


@pytest.mark.parametrize("to", ["juliet@example.org", "nobody@example.org"])
def test_xep0441_2_1_nobody_changes_anothers(romeo: Client, to: str):
    assert condition(romeo.ask(prefs("never", to=to))) == "service-unavailable"


def test_xep0441_2_1_what_could_not_be_stored_does_not_count(world: World, romeo: Client):
    world.memory.writes.hold()
    romeo.send(prefs("never"))
    world.memory.writes.release(StorageError("full"))
    world.turn()
    assert condition(romeo.one()) == "resource-constraint"
    assert said(romeo.ask(GET)) == ("always", [], [])


def test_xep0441_2_1_who_said_nothing_is_told_what_counts():
    world = World("romeo@example.org", settings=with_options(archive=Archive(default=ArchiveDefault.ROSTER)))
    romeo = world.online("romeo@example.org/orchard")
    assert said(romeo.ask(GET)) == ("roster", [], [])


def test_xep0441_2_1_what_was_said_is_told_and_kept(world: World, romeo: Client):
    lists = (
        jids("always", "JULIET@example.org", "juliet@example.org"),
        jids("never", "b@example.org/x", "a@example.org"),
    )
    expected = ("roster", ["juliet@example.org"], ["a@example.org", "b@example.org/x"])
    assert said(romeo.ask(prefs("roster", *lists))) == expected
    world.restart()
    romeo = world.online("romeo@example.org/orchard")
    assert said(romeo.ask(GET)) == expected
    assert said(romeo.ask(prefs("always"))) == ("always", [], [])


BARE, FULL = "juliet@example.org", "juliet@example.org/balcony"


@pytest.mark.parametrize(
    ("wanted", "is_archived"),
    [
        (prefs("always"), True),
        (prefs("never"), False),
        (prefs("roster"), False),
        (prefs("never", jids("always", BARE)), True),
        (prefs("never", jids("always", FULL)), True),
        (prefs("never", jids("always", "juliet@example.org/chamber")), False),
        (prefs("always", jids("never", BARE)), False),
        (prefs("always", jids("never", FULL)), False),
        (prefs("always", jids("never", "juliet@example.org/chamber")), True),
        (prefs("always", jids("never", BARE), jids("always", FULL)), True),
        (prefs("always", jids("always", BARE), jids("never", FULL)), False),
        (prefs("never", jids("always", "example.org")), False),
    ],
)
def test_xep0441_2_3_who_is_meant(world: World, romeo: Client, wanted: str, is_archived: bool):
    """By `to` for what is sent, by `from` for what comes; the other side has preferences of its own."""
    juliet = world.online(FULL)
    romeo.ask(wanted)
    romeo.send(chat(FULL, "sent"))
    juliet.send(chat("romeo@example.org", "received"))
    assert [r.body for r in everything(romeo)] == (["sent", "received"] if is_archived else [])
    assert [r.body for r in everything(juliet)] == ["sent", "received"]


def test_xep0441_2_3_1_a_contact_is_who_is_in_the_roster(world: World):
    world.befriend("romeo@example.org", BARE)
    romeo, juliet = world.online("romeo@example.org/orchard"), world.online(FULL)
    romeo.ask(prefs("roster"))
    juliet.send(chat("romeo@example.org", "from a contact"))
    romeo.send(chat("romeo@example.org", "note") + chat("stranger@example.org", "to a stranger"))
    assert [r.body for r in everything(romeo)] == ["from a contact", "note"]


def test_xep0441_2_3_1_who_only_asked_is_no_contact(world: World, romeo: Client):
    romeo.ask(prefs("roster"))
    juliet = world.online(FULL)
    juliet.send("<presence to='romeo@example.org' type='subscribe'/>" + chat("romeo@example.org", "hello"))
    assert everything(romeo) == []


def test_xep0441_2_1_it_counts_for_all_of_a_users_clients_at_once(world: World, romeo: Client):
    phone = world.online("romeo@example.org/phone")
    phone.ask(prefs("never"))
    romeo.send(chat(BARE, "1"))
    assert everything(romeo) == []
