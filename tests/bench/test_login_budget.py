"""What a login costs: how often it waits for the database, and how many of our functions it calls.

Times differ from machine to machine; this does not. A budget is what it takes today: it only goes down. TLS,
sockets and the log are not in it.
"""

import base64
import hashlib
import hmac
import inspect
from collections import Counter
from dataclasses import fields, replace
from typing import Any

from commonroom.accounts.stored import new_account
from commonroom.config import Settings
from commonroom.protocol.jid import JID
from commonroom.storage.interfaces import Stores
from tests.bench.test_call_budget import calls_of, listed
from tests.conversations.world import HEADER, Client, World

DOMAIN = "bench.example"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
STANZAS = (
    "<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
    "<resource>@RESOURCE@</resource></bind></iq>",
    "<iq type='get' id='2'><query xmlns='jabber:iq:roster'/></iq>",
    "<presence/>",
)

# 29 of them make a parser anew for each of the first stanzas: 15 KiB less for each idle session. 16 record
# that the session began, and count the day's visitors.
CALLS = 462
READS = {"users.load_user": 1}
READS_OF_A_SECOND_SESSION = {"accounts.get": 1}
TASKS = 2


def test_a_login_calls_no_more_functions_than_it_did():
    world = service()
    log_in(world, 0)  # what is done once per name or stream is done now
    calls = calls_of(lambda: log_in(world, 1))
    assert calls.total() <= CALLS, listed(calls)


def test_a_login_reads_the_database_once_and_writes_nothing():
    world = service()
    reads = watched(world)
    log_in(world, 0)
    assert reads == READS
    before = world.memory.writes.appended
    log_in(world, 1)
    assert world.memory.writes.appended == before


def test_a_client_that_says_who_it_is_costs_no_other_read():
    """What its account can do is looked at before (XEP-0388 §2.1), and not again."""
    world = service()
    reads = watched(world)
    log_in(world, 0, sender=f"u0@{DOMAIN}")
    assert reads == READS
    reads.clear()
    log_in(world, 0, "other", sender=f"u0@{DOMAIN}")
    assert reads == READS_OF_A_SECOND_SESSION


def test_a_second_session_reads_the_account_alone():
    world = service()
    reads = watched(world)
    log_in(world, 0)
    reads.clear()
    log_in(world, 0, "other")
    assert reads == READS_OF_A_SECOND_SESSION


def test_a_login_starts_only_so_many_tasks():
    world = service()
    started = 0
    start = world.start

    def counted(coroutine: Any) -> Any:
        nonlocal started
        started += 1
        return start(coroutine)

    world.start = counted  # type: ignore[method-assign]
    world.restart()
    log_in(world, 0)
    assert started <= TASKS


def service() -> World:
    world = World(settings=Settings(domains=(DOMAIN,)))
    account = new_account(JID.parse(f"u0@{DOMAIN}"), "secret", ("SHA-1",), 4, world.random, world.now())
    for number in range(2):
        world.stores.accounts.put(replace(account, jid=JID.parse(f"u{number}@{DOMAIN}")))
    return world


class Watched:
    """A store whose reads are counted by name."""

    def __init__(self, name: str, store: object, reads: Counter[str]) -> None:
        self._name = name
        self._store = store
        self._reads = reads

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if not inspect.iscoroutinefunction(found):
            return found

        async def read(*arguments: Any) -> Any:
            self._reads[f"{self._name}.{name}"] += 1
            return await found(*arguments)

        return read


def watched(world: World) -> Counter[str]:
    """What is read from now on; the service starts anew."""
    reads: Counter[str] = Counter()
    for field in fields(Stores):
        if field.name != "writes":
            store = Watched(field.name, getattr(world.stores, field.name), reads)
            world.stores = replace(world.stores, **{field.name: store})
    world.restart()
    return reads


def log_in(world: World, number: int, resource: str = "r", sender: str = "") -> None:
    """SCRAM-SHA-1, bind, roster, presence."""
    client = world.connect()
    client.send(HEADER.format(domain=DOMAIN).replace(" to=", f" from='{sender}' to=" if sender else " to="))
    bare = f"n=u{number},r=fyko"
    challenge = say(client, f"<auth xmlns='{SASL}' mechanism='SCRAM-SHA-1'>{encoded('n,,' + bare)}</auth>")
    server_first = base64.b64decode(challenge).decode()
    parts = dict(field.split("=", 1) for field in server_first.split(","))
    final = f"c=biws,r={parts['r']}"
    proof = prove(parts, f"{bare},{server_first},{final}".encode())
    say(client, f"<response xmlns='{SASL}'>{encoded(f'{final},p={proof}')}</response>")
    client.send(HEADER.format(domain=DOMAIN))
    for stanza in STANZAS:
        client.send(stanza.replace("@RESOURCE@", resource))
    assert f"u{number}@{DOMAIN}/{resource}'" in client.bytes


def say(client: Client, text: str) -> str:
    """The text of the element that answers."""
    client.bytes = ""
    client.send(text)
    return client.bytes.partition(">")[2].partition("<")[0]


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def prove(parts: dict[str, str], signed: bytes) -> str:
    salted = hashlib.pbkdf2_hmac("sha1", b"secret", base64.b64decode(parts["s"]), int(parts["i"]))
    key = hmac.digest(salted, b"Client Key", "sha1")
    signature = hmac.digest(hashlib.sha1(key).digest(), signed, "sha1")
    return base64.b64encode(bytes(a ^ b for a, b in zip(key, signature, strict=True))).decode()
