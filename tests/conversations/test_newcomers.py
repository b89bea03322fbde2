"""Who is logged in goes before those who are not (net/newcomers.py): from when is that so?"""

from tests.conversations.managed import managed, resume
from tests.conversations.returning import by_password
from tests.conversations.world import World

JULIET = "juliet@example.org"


def test_until_a_resource_is_bound_a_client_is_a_newcomer():
    world = World(JULIET)
    client = world.connect()
    client.open("example.org")
    client.authenticate("juliet", "secret")
    client.open("example.org")
    assert not client.is_in
    client.bind("balcony")
    assert client.is_in


def test_so_it_is_with_bind_2():
    assert by_password(World(JULIET), JULIET).client.is_in


def test_so_it_is_with_a_session_that_goes_on():
    world = World(JULIET)
    before = managed(world, f"{JULIET}/balcony")
    before.cut()
    client, _ = resume(world, JULIET, before.name, before.got)
    assert client.is_in
