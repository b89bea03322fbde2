"""XEP-0484, XEP-0388: clients that come back without a password, in one round trip."""

import hmac

import pytest

from commonroom.accounts.stored import new_account
from commonroom.config.devices import Devices
from commonroom.protocol.jid import JID
from commonroom.storage.errors import StorageError
from commonroom.xml.names import NS_BIND2, NS_FAST, NS_ROSTER
from tests.conversations.returning import BIND, FAST, NS_SM, OTHER, WANTS, Login, agent, by_password, by_token
from tests.conversations.world import HEADER, Client, World, with_options
from tests.protocol.sasl2 import authenticate

JULIET, ROMEO = "juliet@example.org", "romeo@example.org"
DAY = 86_400.0


def world(**tables: object) -> World:
    return World(JULIET, ROMEO, settings=with_options(**tables))


def given(here: World, jid: str = JULIET, inside: str = WANTS + BIND) -> str:
    """A token for a client that knows the password."""
    token = by_password(here, jid, inside).token
    assert token is not None
    return token


def device_store(here: World) -> dict[str, object]:
    return dict(here.memory.kept[JID.parse(JULIET)].devices)


# Who does not get in


def test_a_token_of_one_account_is_nothing_to_another():
    here = world()
    assert by_token(here, ROMEO, given(here)).outcome == "not-authorized"
    assert by_token(here, "nobody@example.org", given(here)).outcome == "not-authorized"


def test_a_token_of_one_client_is_nothing_to_another():
    here = world()
    assert by_token(here, JULIET, given(here), id=OTHER).outcome == "not-authorized"


def test_a_wrong_token_slows_down_as_a_wrong_password_does():
    here = world()
    for _ in range(4):
        assert by_token(here, JULIET, "wrong").outcome == "not-authorized"
    assert here.slept == [1.0]


def change_password(here: World) -> None:
    made = new_account(JID.parse(JULIET), "changed", ("SHA-256",), 4096, here.random, here.now())
    here.stores.accounts.put(made)


def lock(here: World) -> None:
    here.stores.accounts.disable(JID.parse(JULIET), True)


def lock_and_unlock(here: World) -> None:
    lock(here)
    here.stores.accounts.disable(JID.parse(JULIET), False)


def make_anew(here: World) -> None:
    here.stores.accounts.remove(JID.parse(JULIET))
    here.add(JULIET)


@pytest.mark.parametrize("change", [change_password, lock, lock_and_unlock, make_anew])
def test_tokens_end_with_the_password_and_with_the_account(change):
    here = world()
    token = given(here)
    change(here)
    assert by_token(here, JULIET, token).outcome == "not-authorized"


def test_xep0484_4_2_an_expired_token_is_told_from_a_wrong_one():
    here = world()
    token = given(here)
    here.seconds += 21 * DAY
    assert by_token(here, JULIET, token).outcome == "credentials-expired"


def test_xep0484_3_4_a_count_is_good_once():
    here = world()
    token = given(here)
    counted = "<fast xmlns='urn:xmpp:fast:0' count='1'/>"
    assert by_token(here, JULIET, token, counted).outcome == "success"
    assert by_token(here, JULIET, token, counted).outcome == "not-authorized"
    assert by_token(here, JULIET, token, counted.replace("'1'", "'2'")).outcome == "success"


def test_xep0484_3_3_without_a_request_there_is_no_token():
    assert by_password(world(), JULIET).token is None


def test_xep0484_3_3_who_fails_gets_no_token():
    here = world()
    assert by_password(here, JULIET, WANTS, password="wrong").outcome == "not-authorized"
    assert device_store(here) == {}


def test_tokens_can_be_turned_off():
    here = world(devices=Devices(token_lifetime=0))
    login = by_password(here, JULIET, WANTS + BIND)
    assert login.token is None
    assert by_token(here, JULIET, "x").outcome == "invalid-mechanism"


def test_a_token_is_told_when_it_is_on_disk():
    here = world()
    by_password(here, JULIET)
    here.memory.writes.hold()
    login = by_password(here, JULIET, WANTS)
    assert login.answers == []
    here.memory.writes.release()
    here.turn()
    (success, _) = login.client.received()
    assert success.child(NS_FAST, "token") is not None


def test_a_token_that_cannot_be_kept_is_not_given():
    here = world()
    by_password(here, JULIET)
    here.memory.writes.hold()
    login = by_password(here, JULIET, WANTS)
    here.memory.writes.release(StorageError("full"))
    here.turn()
    assert Login(login.client, login.client.received()).outcome == "temporary-auth-failure"


def test_stores_that_are_out_of_reach_are_a_reason_to_try_later():
    here = world()
    token = given(here)

    async def get(account: JID, client: str) -> None:
        raise StorageError("out of reach")

    here.stores.devices.get = get  # type: ignore[method-assign]
    assert by_token(here, JULIET, token).outcome == "temporary-auth-failure"
    assert by_password(here, JULIET).outcome == "temporary-auth-failure"


# Who does


def test_xep0484_3_5_tokens_are_replaced_in_time_and_the_old_one_lasts_until_then():
    here = world()
    first = given(here)
    assert by_token(here, JULIET, first).token is None
    here.seconds += DAY
    second = by_token(here, JULIET, first).token
    assert second is not None
    third = by_token(here, JULIET, first).token  # the second got lost
    assert third is not None
    assert by_token(here, JULIET, second).outcome == "not-authorized"
    assert by_token(here, JULIET, third).outcome == "success"
    assert by_token(here, JULIET, first).outcome == "not-authorized"


def test_xep0484_3_6_who_logs_out_needs_the_password():
    here = world()
    token = given(here)
    assert (
        by_token(here, JULIET, token, "<fast xmlns='urn:xmpp:fast:0' invalidate='true'/>").outcome
        == "success"
    )
    assert by_token(here, JULIET, token).outcome == "not-authorized"


def test_tokens_outlive_a_restart():
    here = world()
    token = given(here)
    here.restart()
    login = by_token(here, JULIET, token)
    assert login.outcome == "success"
    assert login.bound.namespace == NS_BIND2


def test_what_is_kept_of_a_client_is_what_it_said_of_itself():
    here = world()
    given(here)
    (device,) = here.memory.kept[JID.parse(JULIET)].devices.values()
    assert (device.software, device.name, device.password) == ("Nightingale", "Balcony", True)
    assert len(device.tokens) == 1


def test_clients_are_bounded():
    here = world(devices=Devices(known=2))
    for digit in "123":
        here.seconds += 1
        by_password(here, JULIET, id=OTHER[:-1] + digit)
    assert [client[-1] for client in sorted(device_store(here))] == ["2", "3"]


# How long it takes


class Line:
    """A client that is far away: what it sends arrives when it must wait for an answer, and counts as a
    round trip."""

    def __init__(self, here: World) -> None:
        self.client: Client = here.connect()
        self.round_trips = 0

    def say(self, *texts: str) -> list[object]:
        """Send it all at once, and wait for what comes."""
        self.round_trips += 1
        self.client.send("".join(texts))
        return list(self.client.received())


def test_a_client_comes_back_in_one_round_trip():
    here = world()
    carbons, management = "<enable xmlns='urn:xmpp:carbons:2'/>", f"<enable xmlns='{NS_SM}' resume='1'/>"
    enable = f"<bind xmlns='{NS_BIND2}'>{carbons}{management}</bind>"
    token = given(here)
    login = by_token(here, JULIET, token, FAST + enable)
    version = roster_version(login.client)
    login.client.leave()

    line = Line(here)
    request = request_of(login, token, FAST + enable)
    roster = f"<iq type='get' id='r'><query xmlns='{NS_ROSTER}' ver='{version}'/></iq><presence/>"
    names = [getattr(e, "name", None) for e in line.say(HEADER.format(domain="example.org"), request, roster)]
    assert names == ["features", "success", "features", "iq", "presence"]
    assert line.round_trips == 1
    user = here.core.users.find(JID.parse(JULIET))
    assert user is not None
    assert len(user.available) == 1


def roster_version(client: Client) -> str:
    client.send(f"<iq type='get' id='r'><query xmlns='{NS_ROSTER}' ver=''/></iq>")
    query = client.received()[-1].only_child()
    assert query is not None
    return query.get("ver", "")


def request_of(login: Login, token: str, inside: str) -> str:
    """What the client sends, whatever the server says."""
    digest = hmac.digest(token.encode(), b"Initiator", "sha256")
    return authenticate("HT-SHA-256-NONE", b"juliet\0" + digest, agent() + inside)


def test_a_session_that_waits_is_back_in_one_round_trip_with_what_it_missed():
    here = world()
    enable = f"<bind xmlns='{NS_BIND2}'><enable xmlns='{NS_SM}' resume='true'/></bind>"
    token = given(here)
    login = by_token(here, JULIET, token, FAST + enable)
    login.client.send("<presence/>")
    login.client.received()
    enabled = login.bound.child(NS_SM, "enabled")
    assert enabled is not None
    login.client.cut()
    here.online(f"{ROMEO}/orchard").send(f"<message to='{JULIET}' type='chat'><body>missed</body></message>")

    line = Line(here)
    resume = f"<resume xmlns='{NS_SM}' previd='{enabled.get('id')}' h='1'/>"
    request = request_of(login, token, FAST + resume + enable)
    names = [getattr(e, "name", None) for e in line.say(HEADER.format(domain="example.org"), request)]
    assert names == ["features", "success", "message", "r"]
    assert line.round_trips == 1


def test_a_client_that_was_offline_has_what_it_missed_described():
    here = world()
    token = given(here)
    here.online(f"{ROMEO}/orchard").send(f"<message to='{JULIET}' type='chat'><body>missed</body></message>")
    login = by_token(here, JULIET, token)
    assert [element.name for element in login.bound.elements()[0].elements()] == ["start", "end"]
