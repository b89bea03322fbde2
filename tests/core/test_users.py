"""Accounts in memory: loaded once, kept while they are needed, forgotten when the disk's word must count."""

import pytest

from commonroom.core.user import User
from commonroom.core.users import DROPPED, IDLE_USERS, Users
from commonroom.protocol.errors import StreamCondition, StreamError
from commonroom.protocol.jid import JID
from commonroom.storage.errors import StorageError
from commonroom.storage.memory import MemoryUserLoader
from commonroom.storage.records import Account, StoredUser
from tests.conversations.test_rfc6121_2_roster import change, interested
from tests.conversations.world import Client, Gate, World, condition

JULIET = JID.parse("juliet@example.org")


class Loader(MemoryUserLoader):
    """Counts, and takes its time or fails if it is told to."""

    def __init__(self, world: World) -> None:
        super().__init__(world.memory)
        self.gate = Gate()
        self.gate.is_open = True
        self.fails = False
        self.loads = 0
        self.old: StoredUser | None = None  # what the first load finds

    async def load_user(self, account: JID) -> StoredUser:
        self.loads += 1
        await self.gate
        if self.fails:
            raise StorageError("the disk is broken")
        old, self.old = self.old, None
        return old or await super().load_user(account)


def run(coroutine):
    """What it returns; it waits for nothing."""
    with pytest.raises(StopIteration) as end:
        coroutine.send(None)
    return end.value.value


@pytest.fixture
def world() -> World:
    return World("romeo@example.org", "juliet@example.org")


@pytest.fixture
def loader(world: World) -> Loader:
    return Loader(world)


@pytest.fixture
def users(world: World, loader: Loader) -> Users:
    return Users(loader, world.stores.accounts, world.memory.writes, world.start)


def load(world: World, users: Users, account: JID):
    """The user, when everything has come to its end."""
    found = []

    async def wait() -> None:
        found.append(await users.load(account))

    world.start(wait())
    return found


def look_up(world: World, users: Users, account: JID):
    """The account, when everything has come to its end."""
    found = []

    async def wait() -> None:
        found.append(await users.account(account))

    world.start(wait())
    return found


def found_user(users: Users) -> User:
    user = users.find(JULIET)
    assert user is not None
    return user


def changed(revision: int) -> tuple[int, StreamError]:
    return revision, StreamError(StreamCondition.NOT_AUTHORIZED, "changed")


# Looking an account up, before anybody has logged in


def test_a_look_up_that_fails_is_told_and_leaves_nothing(world: World, users: Users, loader: Loader):
    loader.fails = True
    with pytest.raises(StorageError):
        look_up(world, users, JULIET)
    assert users.find(JULIET) is None
    loader.fails = False
    assert look_up(world, users, JULIET)[0].jid == JULIET


def test_looking_up_nobody_leaves_nothing(world: World, users: Users):
    nobody = JID.parse("nobody@example.org")
    assert look_up(world, users, nobody) == [None]
    assert users.find(nobody) is None


def test_an_account_that_is_removed_while_it_is_read_is_none(world: World, users: Users, loader: Loader):
    found = look_up_slowly(world, users, loader)
    world.stores.accounts.remove(JULIET)
    users.outdate(JULIET, *changed(world.memory.revision))
    loader.gate.is_open = True
    world.turn()
    assert found == [None]
    assert users.find(JULIET) is None


def test_an_account_that_is_changed_while_it_is_read_is_read_again(
    world: World, users: Users, loader: Loader
):
    before = loader.old = run(MemoryUserLoader(world.memory).load_user(JULIET))
    found = look_up_slowly(world, users, loader)
    world.stores.accounts.disable(JULIET, True)
    users.outdate(JULIET, *changed(world.memory.revision))
    loader.gate.is_open = True
    world.turn()
    assert before.account is not None
    assert not before.account.disabled
    assert found[0].disabled
    assert found_user(users).disabled
    assert loader.loads == 2


def test_a_user_who_is_dropped_as_the_read_ends_fits_no_login(world: World, users: Users):
    (user,) = load(world, users, JULIET)
    users.drop(JULIET, changed(1)[1])
    assert user is not None
    assert user.changed == DROPPED


def test_a_change_that_a_user_was_read_after_drops_nobody(world: World, users: Users):
    (user,) = load(world, users, JULIET)
    assert user is not None
    revision = user.changed
    users.outdate(JULIET, *changed(revision))
    assert users.find(JULIET) is user
    users.outdate(JULIET, *changed(revision + 1))
    assert users.find(JULIET) is None


def test_looking_up_reads_all_that_a_session_needs(world: World, users: Users, loader: Loader):
    (account,) = look_up(world, users, JULIET)
    assert account.keys
    assert found_user(users).changed == account.changed
    load(world, users, JULIET)
    assert loader.loads == 1


def test_of_a_user_in_memory_the_account_alone_is_read_anew(world: World, users: Users, loader: Loader):
    (user,) = load(world, users, JULIET)
    world.stores.accounts.disable(JULIET, True)
    assert look_up(world, users, JULIET)[0].disabled
    assert users.find(JULIET) is user
    assert loader.loads == 1


@pytest.mark.parametrize("is_told", [True, False])
def test_what_is_stored_for_somebody_while_they_are_read_may_wait_for_them(
    is_told: bool, world: World, users: Users, loader: Loader
):
    found = look_up_slowly(world, users, loader)
    if is_told:
        users.mail_comes(JULIET)
    loader.gate.is_open = True
    world.turn()
    assert found != []
    assert found_user(users).mail_waits is is_told


def look_up_slowly(world: World, users: Users, loader: Loader):
    loader.gate.is_open = False
    found = look_up(world, users, JULIET)
    assert found == []
    return found


def test_a_missing_account_is_none_and_is_looked_for_again(world: World, users: Users, loader: Loader):
    nobody = JID.parse("nobody@example.org")
    assert load(world, users, nobody) == [None]
    world.add("nobody@example.org")
    (user,) = load(world, users, nobody)
    assert user is not None
    assert users.find(nobody) is user


def test_many_who_ask_at_once_share_one_load_and_one_user(world: World, users: Users, loader: Loader):
    loader.gate.is_open = False
    found = [load(world, users, JULIET) for _ in range(3)]
    loader.gate.is_open = True
    world.turn()
    assert loader.loads == 1
    assert len({id(user) for (user,) in found}) == 1
    load(world, users, JULIET)
    assert loader.loads == 1


def test_a_load_that_fails_is_told_to_all_and_tried_again(world: World, users: Users, loader: Loader):
    errors = []

    async def wait() -> None:
        try:
            await users.load(JULIET)
        except StorageError as error:
            errors.append(error)

    loader.fails, loader.gate.is_open = True, False
    for _ in range(2):
        world.start(wait())
    loader.gate.is_open = True
    world.turn()
    assert len(errors) == 2
    loader.fails = False
    assert load(world, users, JULIET) != [None]


def test_those_who_are_idle_longest_are_forgotten_first(world: World, users: Users):
    accounts = [JID.parse(f"user{number}@example.org") for number in range(IDLE_USERS + 2)]
    for account in accounts:
        world.stores.accounts.put(Account(account, (), world.now()))
    (kept,) = load(world, users, accounts[0])
    users.keep(kept)
    for account in accounts[1:]:
        load(world, users, account)

    def forgotten() -> list[JID]:
        return [account for account in accounts if users.find(account) is None]

    assert forgotten() == accounts[1:2]
    users.release(kept)
    assert forgotten() == accounts[1:3]


def test_what_is_on_its_way_to_the_disk_is_waited_for(world: World, users: Users):
    world.memory.writes.hold()
    world.stores.private.put(JULIET, "urn:x", "x", "<x/>")
    found = load(world, users, JULIET)
    assert found == []
    world.memory.writes.release()
    world.turn()
    assert len(found) == 1


def test_one_who_is_dropped_loses_all_sessions_and_is_read_anew(world: World):
    clients = [world.online(f"juliet@example.org/{r}") for r in ("balcony", "chamber")]
    before = world.core.users.find(JULIET)
    world.core.users.drop(JULIET, StreamError(StreamCondition.NOT_AUTHORIZED, "gone"))
    for client in clients:
        assert [condition(e) for e in client.received() if e.name == "error"] == ["not-authorized"]
        assert client.closed
    assert world.core.users.find(JULIET) is None
    world.login("juliet@example.org/balcony")
    assert world.core.users.find(JULIET) not in (None, before)


def test_dropping_one_who_is_not_there_is_nothing(world: World):
    world.core.users.drop(JID.parse("nobody@example.org"), StreamError(StreamCondition.NOT_AUTHORIZED))


# A change that cannot be written: the disk's word counts (core/rosters.py)


def test_a_roster_change_that_is_lost_ends_the_sessions_so_that_nobody_believes_in_it(world: World):
    juliet = interested(world, "juliet@example.org/balcony")
    world.memory.writes.hold()
    juliet.send(change("<item jid='a@example.org'/>"))
    world.memory.writes.release(StorageError("disk full"))
    world.turn()
    received = juliet.received()
    assert [condition(e) for e in received if e.name == "error"] == ["internal-server-error"]
    assert not any(e.get("type") == "set" for e in received)
    assert juliet.closed


def test_a_subscription_that_is_lost_is_told_to_nobody(world: World):
    juliet: Client = interested(world, "juliet@example.org/balcony")
    romeo = world.online("romeo@example.org/orchard")
    world.memory.writes.hold()
    romeo.send("<presence to='juliet@example.org' type='subscribe'/>")
    world.memory.writes.release(StorageError("disk full"))
    world.turn()
    assert romeo.closed
    juliet.send("<presence/>")
    assert juliet.told() == ["available juliet@example.org/balcony"]
