"""Ten thousand rooms that last, on a running service: they cost nothing until somebody uses them."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest

from commonroom.features.muc.affiliations import Affiliation, Entry
from commonroom.features.muc.config import RoomConfig
from commonroom.features.muc.held import Held
from commonroom.features.muc.loading import all_affiliations, to_head
from commonroom.features.muc.room import Room, Subject
from commonroom.protocol.jid import JID
from commonroom.protocol.muc import NS_MUC
from commonroom.protocol.stanza import Message, MessageType
from commonroom.storage.database import open_database
from commonroom.storage.stores import sql_stores
from commonroom.xml.element import Element as Made
from commonroom.xml.names import NS_CLIENT
from tests.attack.client import CLIENT, Client, online
from tests.attack.server import DOMAIN, Server
from tests.scale.crowd import slowness

ROOMS = 10_000
SERVICE = f"group.{DOMAIN}"
ITEMS = "http://jabber.org/protocol/disco#items"
RSM = "http://jabber.org/protocol/rsm"
# How often each server is started: the quickest counts, since others may use the machine as well.
STARTS = 3
MORE_KIB = 4096
MORE_SECONDS = 0.5  # of CPU, until clients can connect


@dataclass(frozen=True)
class AtRest:
    """A server that has come up and does nothing: how long that took, and what it holds."""

    seconds: float
    cpu: float
    kib: int

    def __str__(self) -> str:
        return f"{self.seconds:.2f} s ({self.cpu:.2f} s of CPU), {self.kib / 1024:.1f} MiB"


async def fill(folder: Path) -> None:
    """Straight into the database: rooms that last, each with a name, a subject, an owner and two members."""
    database = open_database("sqlite:///commonroom.sqlite3", folder, asyncio.get_running_loop())
    rooms, writes = sql_stores(database).rooms, sql_stores(database).writes
    for number in range(ROOMS):
        held = lasting(number)
        rooms.put(to_head(held), tuple(all_affiliations(held.room)))
        if number % 1000 == 0:
            await writes.flushed()
    await database.close()


def lasting(number: int) -> Held:
    now = datetime.now(UTC)
    config = RoomConfig(name=f"Course {number}", persistent=True, public=True)
    room = Room(JID.of(f"course-{number:05}", SERVICE), config, b"k" * 32, count().__next__)
    people = (
        (f"u{number % 997}", Affiliation.OWNER),
        (f"u{number % 991 + 2}", Affiliation.MEMBER),
        (f"u{number % 983 + 4}", Affiliation.MEMBER),
    )
    room.restore([(JID.of(name, DOMAIN), Entry(one, version=1)) for name, one in people], [], 1)
    said = Made(NS_CLIENT, "subject", None, f"Week one of course {number}")
    sender = room.address.with_resource("lecturer")
    room.subject = Subject(Message(MessageType.GROUPCHAT, sender=sender, children=[said]), now)
    return Held(room, now, now, True, 0.0)


@contextmanager
def started(server: Server) -> Iterator[AtRest]:
    begun = time.monotonic()
    server.start(patience=60.0)
    took, cpu = time.monotonic() - begun, server.usage().seconds
    try:
        time.sleep(1.0)  # what a service does after it has come up
        yield AtRest(took, cpu, server.usage().kib)
        assert "Traceback" not in server.log()
    finally:
        server.stop()


def fresh_log(server: Server) -> None:
    """It says only what the next process says."""
    (server.folder / "server.log").unlink(missing_ok=True)


def best(found: list[AtRest]) -> AtRest:
    return AtRest(min(x.seconds for x in found), min(x.cpu for x in found), min(x.kib for x in found))


def items(client: Client, after: str | None) -> list[str]:
    """A page of the rooms that can be found."""
    place = "<max>500</max>" + (f"<after>{after}</after>" if after else "")
    query = f"<query xmlns='{ITEMS}'><set xmlns='{RSM}'>{place}</set></query>"
    answer = client.ask(f"<iq type='get' id='page-{after}' to='{SERVICE}'>{query}</iq>")
    assert answer.get("type") == "result", client.came[-500:]
    return [item.get("jid") or "" for item in answer.iter(f"{{{ITEMS}}}item")]


def all_items(client: Client) -> list[str]:
    found: list[str] = []
    while page := items(client, found[-1] if found else None):
        found += page
        client.came = b""
    return found


def enter(client: Client, room: str) -> list[Element]:
    """Come in; gives all that comes up to the subject."""
    client.send(f"<presence to='{room}/guest'><x xmlns='{NS_MUC}'/></presence>")
    found = [client.next()]
    while found[-1].find(f"{CLIENT}subject") is None:
        assert found[-1].get("type") != "error", client.came[-500:]
        found.append(client.next())
    return found


@pytest.mark.timeout(120)
def test_ten_thousand_rooms_cost_no_start_and_no_memory_until_they_are_used(tmp_path: Path) -> None:
    """A service that has them starts as soon, and holds as much, as one that has none."""
    servers = []
    for name in ("none", "many"):
        (tmp_path / name).mkdir()
        servers.append(Server(tmp_path / name, {}))
    asyncio.run(fill(tmp_path / "many"))
    found: list[list[AtRest]] = [[], []]
    for _ in range(STARTS):
        for server, seen in zip(servers, found, strict=True):
            fresh_log(server)
            with started(server) as at_rest:
                seen.append(at_rest)
    none, many = map(best, found)
    print(f"\nno rooms: {none}; {ROOMS} rooms: {many}")
    assert many.kib - none.kib < MORE_KIB
    assert many.cpu - none.cpu < MORE_SECONDS
    assert many.seconds < none.seconds + 1.0 or many.seconds < none.seconds * 2


@pytest.mark.timeout(120)
def test_one_of_ten_thousand_rooms_is_found_and_entered(tmp_path: Path) -> None:
    server = Server(tmp_path, {})
    asyncio.run(fill(tmp_path))
    with started(server) as at_rest, online(server, "u1") as client:
        begun = time.monotonic()
        rooms = all_items(client)
        listed = time.monotonic() - begun
        begun = time.monotonic()
        came = enter(client, rooms[7531])
        entered = time.monotonic() - begun
        more = server.usage().kib - at_rest.kib
    print(f"\n{len(rooms)} listed in {listed:.2f} s, one entered in {entered * 1000:.1f} ms; {more} KiB more")
    assert rooms == [f"course-{number:05}@{SERVICE}" for number in range(ROOMS)]
    assert came[-1].findtext(f"{CLIENT}subject") == "Week one of course 7531"
    assert listed < 5.0 * slowness()
    assert entered < 0.5 * slowness()
