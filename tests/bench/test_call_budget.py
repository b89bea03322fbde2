"""How many of our functions one message and one copy of a presence call, from bytes in to text out.

Times differ from machine to machine, and from minute to minute; this does not. A budget is what it takes
today. Whoever makes it less writes the new number here; whoever must make it more says what it buys.
"""

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType

import commonroom
from bench.stanzas import ENTRANCE, GROUPCHAT, INSTANT_ROOM, MESSAGE, PRESENCE
from commonroom.config import Settings
from commonroom.config.archive import Archive, ArchiveDefault
from commonroom.net.c2s import READS_AFTER_LOGIN
from commonroom.protocol.jid import JID
from commonroom.protocol.subscription import SubscriptionState
from commonroom.storage.records import RosterItem
from tests.conversations.world import Client, World

DOMAIN = "bench.example"
# Without archives, as other servers are measured beside ours.
SETTINGS = Settings(domains=(DOMAIN,), archive=Archive(default=ArchiveDefault.NEVER))
PACKAGE = str(Path(commonroom.__file__).parent)

# Without comprehensions, which are functions up to Python 3.11 and none since.
# One of them asks whether messages are recorded, which a reload may change.
MESSAGE_BUDGET = 59
ARCHIVED_BUDGET = 123  # with eight of the memory that stands for the database
PRESENCE_COPY_BUDGET = 15
ROOM_COPY_BUDGET = 9
ROOM_PRESENCE_BUDGET = 16


def test_one_chat_message_stays_within_its_budget():
    world = World(f"romeo@{DOMAIN}", f"juliet@{DOMAIN}", settings=SETTINGS)
    romeo, juliet = world.online(f"romeo@{DOMAIN}/orchard"), world.online(f"juliet@{DOMAIN}/balcony")
    for _ in range(READS_AFTER_LOGIN):  # what is done once, or while little comes, is done now
        say(romeo, "1")
    calls = calls_of(lambda: say(romeo, "2"))
    assert juliet.received()[-1].get("id") == "2"
    assert calls.total() <= MESSAGE_BUDGET, listed(calls)


def test_one_archived_chat_message_stays_within_its_budget():
    world = World(f"romeo@{DOMAIN}", f"juliet@{DOMAIN}", settings=Settings(domains=(DOMAIN,)))
    romeo, juliet = world.online(f"romeo@{DOMAIN}/orchard"), world.online(f"juliet@{DOMAIN}/balcony")
    for number in range(READS_AFTER_LOGIN):  # what they get is held until they have lived on
        say(romeo, f"a{number}")
        say(juliet, f"b{number}", to=f"romeo@{DOMAIN}")
    calls = calls_of(lambda: say(romeo, "2"))
    assert juliet.received()[-1].get("id") == "2"
    assert calls.total() <= ARCHIVED_BUDGET, listed(calls)


def test_one_copy_of_a_presence_stays_within_its_budget():
    few, many = calls_for_contacts(10), calls_for_contacts(20)
    copies = many - few
    assert copies.total() % 10 == 0, listed(copies)
    assert copies.total() // 10 <= PRESENCE_COPY_BUDGET, listed(copies)


def test_one_copy_of_a_rooms_message_stays_within_its_budget():
    few, many = calls_for_occupants(10), calls_for_occupants(20)
    copies = many - few
    assert copies.total() // 10 <= ROOM_COPY_BUDGET, listed(copies)


def test_one_copy_of_a_presence_in_a_room_stays_within_its_budget():
    copies = calls_for_changes(20) - calls_for_changes(10)
    assert copies.total() // 10 <= ROOM_PRESENCE_BUDGET, listed(copies)


def calls_for_changes(count: int) -> Counter[str]:
    """What a change of presence in a room calls, when so many are there."""
    names = [f"u{number}@{DOMAIN}" for number in range(count)]
    world = World(*names, settings=SETTINGS)
    people = [world.online(f"{name}/bench") for name in names]
    room = f"hall@group.{DOMAIN}"
    for number, person in enumerate(people):
        person.send(ENTRANCE.replace("@TO@", f"{room}/u{number}").replace("@ID@", "1"))
        person.send(INSTANT_ROOM.format(room=room))
    for person in people:
        person.received()
    change = f"<presence to='{room}/u0'><status>away</status></presence>"
    calls = calls_of(lambda: people[0].send(change))
    assert all(len(person.received()) == 1 for person in people)
    return calls


def say(client: Client, number: str, to: str = f"juliet@{DOMAIN}") -> None:
    client.send(MESSAGE.replace("@TO@", to).replace("@ID@", number))


def calls_for_contacts(count: int) -> Counter[str]:
    """What a change of presence calls, when so many contacts are online."""
    names = [f"u{number}@{DOMAIN}" for number in range(count + 1)]
    world = World(*names, settings=SETTINGS)
    center, *contacts = names
    for contact in contacts:
        befriend(world, center, contact)
    people = [world.online(f"{name}/bench") for name in names]
    people[0].send(PRESENCE.replace("@ID@", "1"))
    calls = calls_of(lambda: people[0].send(PRESENCE.replace("@ID@", "2")))
    assert all(person.received()[-1].get("id") == "2" for person in people)
    return calls


def calls_for_occupants(count: int) -> Counter[str]:
    """What a message to a room calls, when so many are in it."""
    names = [f"u{number}@{DOMAIN}" for number in range(count)]
    world = World(*names, settings=SETTINGS)
    room = f"hall@group.{DOMAIN}"
    people = [world.online(f"{name}/bench") for name in names]
    for number, person in enumerate(people):
        person.send(ENTRANCE.replace("@TO@", f"{room}/u{number}").replace("@ID@", "1"))
        person.send(INSTANT_ROOM.format(room=room))
    say_there = GROUPCHAT.replace("@TO@", room)
    people[0].send(say_there.replace("@ID@", "2"))
    calls = calls_of(lambda: people[0].send(say_there.replace("@ID@", "3")))
    assert all(person.received()[-1].get("id") == "3" for person in people)
    return calls


def befriend(world: World, one: str, other: str) -> None:
    template = RosterItem(JID.parse(one), "", (), SubscriptionState.BOTH, False, True, None, 1)
    world.stores.rosters.put(JID.parse(other), template)
    world.stores.rosters.put(JID.parse(one), replace(template, jid=JID.parse(other)))


def calls_of(work: Callable[[], None]) -> Counter[str]:
    """The functions of the package that were called, and how often each."""
    calls: Counter[str] = Counter()

    def note(frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(PACKAGE) and not code.co_name.endswith("comp>"):
            calls[f"{code.co_filename.removeprefix(PACKAGE)}:{code.co_qualname}"] += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return calls


def listed(calls: Counter[str]) -> str:
    return "\n".join(
        [f"{calls.total()} calls", *(f"{count:5} {name}" for name, count in calls.most_common())]
    )
