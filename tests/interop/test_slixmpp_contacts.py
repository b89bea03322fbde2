"""slixmpp keeps contacts: roster, subscriptions and presence (RFC 6121 §2, §3, §4)."""

import pytest
from slixmpp.exceptions import IqError

from .people import Person, befriend
from .slix import SlixClient
from .stanzas import Contact, is_presence, is_push


def test_slixmpp_cannot_remove_somebody_who_is_no_contact(romeo: Person) -> None:
    """RFC 6121 §2.5.3."""
    client = romeo.login()
    with pytest.raises(IqError) as refused:
        client.remove_contact("paris@localhost")
    assert refused.value.condition == "item-not-found"


def test_slixmpp_adds_changes_and_removes_a_contact(romeo: Person, juliet: Person) -> None:
    client = romeo.login()
    client.set_contact(juliet.jid, "Juliet", ["Capulets", "Friends"])
    assert client.roster() == {juliet.jid: Contact("none", "Juliet", frozenset({"Capulets", "Friends"}))}
    client.set_contact(juliet.jid, "My Lady", ["Verona & “elsewhere” <1>"])
    assert client.roster() == {
        juliet.jid: Contact("none", "My Lady", frozenset({"Verona & “elsewhere” <1>"}))
    }
    client.remove_contact(juliet.jid)
    assert client.roster() == {}


def test_slixmpp_is_told_of_changes_on_every_resource_that_asked_for_the_roster(
    romeo: Person, juliet: Person
) -> None:
    """RFC 6121 §2.2: a resource that asked is interested, another is not."""
    garden, street, ignorant = romeo.login("garden"), romeo.login("street"), romeo.login("ignorant")
    garden.roster()
    street.roster()
    garden.set_contact(juliet.jid, "Juliet", ["Friends"])
    for client in (garden, street):
        assert client.receive_push(juliet.jid, "none") == Contact("none", "Juliet", frozenset({"Friends"}))
    street.remove_contact(juliet.jid)
    for client in (garden, street):
        client.receive_push(juliet.jid, "remove")
    ignorant.sync()
    assert not ignorant.has(is_push)


def test_slixmpp_asks_again_and_learns_what_changed(romeo: Person, juliet: Person) -> None:
    """slixmpp asks with the version it has, where the server offers versions (RFC 6121 §2.6)."""
    client = romeo.login()
    client.ask(lambda stream: stream.get_roster())
    client.set_contact(juliet.jid, "Juliet")
    client.ask(lambda stream: stream.get_roster())
    assert client.knows(juliet.jid)["name"] == "Juliet"


def test_slixmpp_subscribes_and_is_approved_both_ways(romeo: Person, juliet: Person) -> None:
    """RFC 6121 §3.1, step by step as both clients see it."""
    garden, balcony = romeo.come_online("garden"), juliet.come_online("balcony")
    garden.send_subscription("subscribe", juliet.jid)
    garden.receive_push(juliet.jid, "none", ask="subscribe")
    balcony.receive_presence("subscribe", romeo.jid)
    balcony.send_subscription("subscribed", romeo.jid)
    balcony.receive_push(romeo.jid, "from")
    garden.receive_presence("subscribed", juliet.jid)
    garden.receive_push(juliet.jid, "to")
    garden.receive_presence("available", balcony.jid)
    balcony.send_subscription("subscribe", romeo.jid)
    garden.receive_presence("subscribe", juliet.jid)
    garden.send_subscription("subscribed", juliet.jid)
    balcony.receive_presence("subscribed", romeo.jid)
    balcony.receive_presence("available", garden.jid)
    assert garden.roster() == {juliet.jid: Contact("both")}
    assert balcony.roster() == {romeo.jid: Contact("both")}
    assert garden.knows(juliet.jid)["subscription"] == balcony.knows(romeo.jid)["subscription"] == "both"


def test_slixmpp_finds_a_request_that_came_while_it_was_away(romeo: Person, juliet: Person) -> None:
    """RFC 6121 §3.1.3."""
    garden = romeo.come_online("garden")
    garden.send_subscription("subscribe", juliet.jid)
    garden.receive_push(juliet.jid, "none", ask="subscribe")
    juliet.come_online("balcony").receive_presence("subscribe", romeo.jid)


def test_slixmpp_is_declined(romeo: Person, juliet: Person) -> None:
    garden, balcony = romeo.come_online("garden"), juliet.come_online("balcony")
    garden.send_subscription("subscribe", juliet.jid)
    balcony.receive_presence("subscribe", romeo.jid)
    balcony.send_subscription("unsubscribed", romeo.jid)
    garden.receive_presence("unsubscribed", juliet.jid)
    assert garden.roster() == {juliet.jid: Contact("none")}


def test_slixmpp_loses_a_subscription_that_is_cancelled(romeo: Person, juliet: Person) -> None:
    """RFC 6121 §3.2."""
    garden, balcony = friends(romeo, juliet)
    balcony.send_subscription("unsubscribed", romeo.jid)
    garden.receive_presence("unavailable", juliet.jid)
    garden.receive_presence("unsubscribed", juliet.jid)
    garden.receive_push(juliet.jid, "from")
    balcony.receive_push(romeo.jid, "to")


def test_slixmpp_loses_both_subscriptions_with_a_removed_contact(romeo: Person, juliet: Person) -> None:
    """RFC 6121 §2.5.2."""
    garden, balcony = friends(romeo, juliet)
    garden.remove_contact(juliet.jid)
    balcony.receive_presence("unavailable", romeo.jid)
    balcony.receive_push(romeo.jid, "none")
    assert garden.roster() == {}


def test_slixmpp_shows_its_presence_to_its_contacts_only(
    romeo: Person, juliet: Person, nurse: Person
) -> None:
    garden, balcony = friends(romeo, juliet)
    stranger = nurse.come_online()
    balcony.announce(pshow="dnd", pstatus="speaking to the night", ppriority=7)
    seen = garden.receive_presence("dnd", balcony.jid)
    assert (seen["status"], seen["priority"]) == ("speaking to the night", 7)
    stranger.sync()
    assert not stranger.has(lambda stanza: is_presence(stanza, "dnd", juliet.jid))


def test_slixmpp_sees_on_login_who_is_there(romeo: Person, juliet: Person) -> None:
    """RFC 6121 §4.3: the server asks on the client's behalf."""
    garden, balcony = friends(romeo, juliet)
    garden.logout()
    balcony.receive_presence("unavailable", garden.jid)
    balcony.announce(pshow="away", pstatus="at the ball")
    street = romeo.come_online("street")
    assert street.receive_presence("away", balcony.jid)["status"] == "at the ball"
    balcony.receive_presence("available", street.jid)


@pytest.mark.parametrize("end", [SlixClient.logout, SlixClient.vanish])
def test_slixmpp_sees_a_contact_go(end: type, romeo: Person, juliet: Person) -> None:
    """RFC 6121 §4.5.2: whether the client said goodbye or not."""
    garden, balcony = friends(romeo, juliet)
    end(balcony)
    garden.receive_presence("unavailable", balcony.jid)


def friends(romeo: Person, juliet: Person) -> tuple[SlixClient, SlixClient]:
    """Both online and subscribed to each other."""
    garden, balcony = romeo.come_online("garden"), juliet.come_online("balcony")
    befriend(garden, balcony)
    return garden, balcony
