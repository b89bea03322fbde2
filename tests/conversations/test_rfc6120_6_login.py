"""RFC 6120 §6: logging in to a whole service: who gets in, what strangers learn, how guessing is slowed."""

from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import replace

import pytest
from scramp import ScramClient

from commonroom.accounts.chain import Checked, stored_accounts
from commonroom.config.c2s import C2s
from commonroom.protocol.jid import JID
from commonroom.storage.errors import StorageError
from commonroom.storage.memory import MemoryAccountStore
from commonroom.storage.records import Account
from commonroom.xml.names import NS_SASL
from tests.conversations.world import Client, World, condition, plain, with_options

JULIET = JID.parse("juliet@example.org")


def opened(world: World, address: str = "192.0.2.1") -> Client:
    client = world.connect(address)
    client.open("example.org")
    return client


def attempt(world: World, user: str, password: str, address: str = "192.0.2.1") -> str | None:
    """One try on a connection of its own: `success`, or the condition of the failure."""
    client = opened(world, address)
    client.send(plain(user, password))
    element = client.one()
    client.cut()
    return condition(element) if element.name == "failure" else element.name


def scram(client: Client, user: str, password: str) -> tuple[str, str]:
    """A whole exchange by another's code; gives the challenge and what came of it."""
    scramp = ScramClient(["SCRAM-SHA-256"], user, password)
    data = b64encode(scramp.get_client_first().encode()).decode()
    client.send(f"<auth xmlns='{NS_SASL}' mechanism='SCRAM-SHA-256'>{data}</auth>")
    challenge = b64decode(client.one().text()).decode()
    scramp.set_server_first(challenge)
    client.send(
        f"<response xmlns='{NS_SASL}'>{b64encode(scramp.get_client_final().encode()).decode()}</response>"
    )
    element = client.one()
    if element.name == "success":
        scramp.set_server_final(
            b64decode(element.text()).decode()
        )  # raises if the server is not the right one
    return challenge, condition(element) or element.name if element.name == "failure" else element.name


# Who does not get in


async def at_once(work: Callable[[], Checked]) -> Checked:
    return work()


class NoAccounts(MemoryAccountStore):
    """A database that cannot be read."""

    async def get(self, account: JID) -> Account | None:
        raise StorageError("disk full")


def test_rfc6120_6_5_11_accounts_that_cannot_be_read_are_a_temporary_failure():
    world = World("juliet@example.org")
    broken = stored_accounts(
        NoAccounts(world.memory).get, world.stores.accounts, world.memory.writes, at_once, b"fake", 4096
    )
    world.service = replace(world.service, accounts=broken)
    client = opened(world)
    client.send(plain("juliet", "secret"))
    assert condition(client.one()) == "temporary-auth-failure"
    client.send(f"<auth xmlns='{NS_SASL}' mechanism='SCRAM-SHA-256'>biwsbj1qdWxpZXQscj1hYmM=</auth>")
    assert condition(client.one()) == "temporary-auth-failure"
    assert not client.closed


def test_rfc6120_6_5_10_wrong_unknown_and_disabled_look_the_same():
    world = World("juliet@example.org", "romeo@example.org")
    world.stores.accounts.disable(JID.parse("romeo@example.org"), True)
    said = set()
    for user in ("juliet", "romeo", "nobody", "not a/name"):
        client = opened(world)
        client.send(plain(user, "wrong" if user == "juliet" else "secret"))
        said.add(client.bytes)
    assert said == {f"<failure xmlns='{NS_SASL}'><not-authorized/></failure>"}


def test_rfc6120_6_5_10_every_plain_attempt_costs_one_check_of_a_password():
    world = World("juliet@example.org", "romeo@example.org")
    world.stores.accounts.disable(JID.parse("romeo@example.org"), True)
    checks: list[str] = []
    user = ""

    async def off_loop(work):
        checks.append(user)
        return work()

    accounts = stored_accounts(
        world.stores.accounts.get, world.stores.accounts, world.memory.writes, off_loop, b"fake", 4096
    )
    world.service = replace(world.service, accounts=accounts)
    users = ["juliet", "romeo", "nobody", "not a/name"]
    for user in users:
        assert attempt(world, user, "wrong") == "not-authorized"
    assert checks == users


def test_rfc6120_6_5_10_a_scram_exchange_with_nobody_looks_like_one_with_somebody():
    world = World("juliet@example.org")
    known, refused = scram(opened(world), "juliet", "wrong")
    unknown, also_refused = scram(opened(world), "nobody", "wrong")
    assert refused == also_refused == "not-authorized"
    assert [part[0] for part in known.split(",")] == [part[0] for part in unknown.split(",")]
    assert len(known) == len(unknown)
    assert known.rsplit(",", 1)[1] == unknown.rsplit(",", 1)[1]  # the iterations
    salts = {scram(opened(world), name, "x")[0].split(",")[1] for name in ("nobody", "NOBODY")}
    assert salts == {unknown.split(",")[1]}


def test_rfc6120_6_3_8_a_right_password_does_not_let_one_act_as_another():
    world = World("juliet@example.org", "romeo@example.org")
    client = opened(world)
    data = b64encode(b"romeo@example.org\0juliet\0secret").decode()
    client.send(f"<auth xmlns='{NS_SASL}' mechanism='PLAIN'>{data}</auth>")
    assert condition(client.one()) == "invalid-authzid"


# Who gets in


@pytest.mark.parametrize("user", ["juliet", "Juliet", "JULIET"])
def test_rfc6120_6_3_7_user_names_are_normalised(user):
    world = World("juliet@example.org")
    client = opened(world)
    client.authenticate(user, "secret")
    client.open("example.org")
    client.bind("balcony")
    assert client.jid == "juliet@example.org/balcony"


def test_rfc5802_5_a_client_of_others_logs_in_and_trusts_the_server():
    world = World("juliet@example.org")
    client = opened(world)
    assert scram(client, "juliet", "secret")[1] == "success"
    client.open("example.org")
    client.bind("balcony")


def test_an_account_of_one_domain_is_nobody_at_another():
    world = World(
        "juliet@example.org", settings=replace(with_options(), domains=("example.org", "example.com"))
    )
    client = world.connect()
    client.open("example.com")
    client.send(plain("juliet", "secret"))
    assert condition(client.one()) == "not-authorized"


# Guessing


def test_guesses_at_one_account_wait_longer_and_longer_from_wherever_they_come():
    world = World("juliet@example.org")
    for number in range(9):
        assert attempt(world, "juliet", "guess", f"198.51.100.{number}") == "not-authorized"
    # Two are slips; a wait is never more than half of the time that is left to log in.
    assert world.slept == [1, 2, 4, 8, 16, 30]


def test_guesses_from_one_address_wait_longer_and_longer_whomever_they_are_at():
    world = World("juliet@example.org")
    for number in range(6):
        attempt(world, f"user{number}", "guess", "198.51.100.7")
    assert world.slept == [1, 2, 4]  # the failures of the others count
    attempt(world, "juliet", "guess", "192.0.2.1")
    assert len(world.slept) == 3


@pytest.mark.parametrize("name", ["a/b", "x@y", " "])
def test_names_that_no_account_can_have_count_for_the_address(name):
    world = World()
    for _ in range(4):
        attempt(world, name, "guess")
    assert world.slept == [1]


def test_addresses_of_ipv6_count_by_their_network():
    world = World("juliet@example.org")
    for number in range(4):
        attempt(world, f"user{number}", "guess", f"2001:db8::{number}")
    assert world.slept == [1]
    attempt(world, "somebody", "guess", "2001:db8:0:1::1")
    assert world.slept == [1]


def test_the_owners_known_address_is_not_slowed_down_by_guesses_from_elsewhere():
    world = World("juliet@example.org")
    assert attempt(world, "juliet", "secret", "192.0.2.1") == "success"
    for number in range(20):
        attempt(world, "juliet", "guess", f"198.51.100.{number}")
    world.slept.clear()
    assert attempt(world, "juliet", "secret", "192.0.2.1") == "success"
    assert world.slept == []


def test_the_owner_is_not_slowed_down_by_guesses_at_others_behind_the_same_gateway():
    world = World("juliet@example.org")
    assert attempt(world, "juliet", "secret", "192.0.2.1") == "success"
    for number in range(20):
        attempt(world, f"user{number}", "guess", "192.0.2.1")
    world.slept.clear()
    assert attempt(world, "juliet", "secret", "192.0.2.1") == "success"
    assert world.slept == []


def test_guesses_at_the_owners_own_address_are_slowed_down_all_the_same():
    world = World("juliet@example.org")
    attempt(world, "juliet", "secret", "192.0.2.1")
    for _ in range(4):
        attempt(world, "juliet", "guess", "192.0.2.1")
    assert world.slept == [1]


def test_the_owner_gets_in_however_many_guessed():
    world = World("juliet@example.org")
    for _ in range(60):
        attempt(world, "juliet", "guess", "198.51.100.7")
    assert attempt(world, "juliet", "secret", "198.51.100.7") == "success"
    assert max(world.slept) == 30


def test_a_wait_leaves_time_to_log_in_whatever_is_configured():
    options = with_options(c2s=C2s(login_timeout=10.0))
    world = World("juliet@example.org", settings=options)
    for _ in range(20):
        attempt(world, "juliet", "guess")
    assert max(world.slept) == 5
    client = opened(world)
    world.advance(8)
    client.send(plain("juliet", "secret"))
    assert world.slept[-1] == 1
    assert client.one().name == "success"


def test_guesses_are_forgiven_in_time():
    world = World("juliet@example.org")
    for _ in range(5):
        attempt(world, "juliet", "guess")
    world.slept.clear()
    world.advance(3600)
    attempt(world, "juliet", "guess")
    assert world.slept == []


def test_scram_waits_as_plain_does():
    world = World("juliet@example.org")
    for _ in range(4):
        scram(opened(world), "juliet", "guess")
    assert world.slept == [1]


def test_what_is_no_guess_does_not_count():
    world = World("juliet@example.org")
    for _ in range(10):
        client = opened(world)
        client.send(f"<auth xmlns='{NS_SASL}' mechanism='SCRAM-SHA-256'>biwsbj1qdWxpZXQscj1hYmM=</auth>")
        client.send(f"<abort xmlns='{NS_SASL}'/>")
        client.send(f"<auth xmlns='{NS_SASL}' mechanism='X'/>")
        client.cut()
    assert world.slept == []


def test_a_password_for_a_connection_that_is_gone_is_not_even_looked_at():
    world = World("juliet@example.org")
    for _ in range(4):
        attempt(world, "juliet", "guess")

    async def sleep(seconds: float) -> None:
        client.cut()

    async def off_loop(work: Callable[[], Checked]) -> Checked:
        raise AssertionError("it was looked at")

    accounts = stored_accounts(
        world.stores.accounts.get, world.stores.accounts, world.memory.writes, off_loop, b"fake", 4096
    )
    world.service = replace(world.service, sleep=sleep, accounts=accounts)
    client = opened(world)
    client.send(plain("juliet", "secret"))
    assert client.bytes == ""
