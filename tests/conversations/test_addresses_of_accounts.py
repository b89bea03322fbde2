"""Address ≠ login name: a mapping file, aliases, and accounts that are renamed (XEP-0283)."""

from base64 import b64encode
from datetime import timedelta
from pathlib import Path

import pytest

from commonroom.admin.account_files import read_status
from commonroom.app.account_files import RETRY_AFTER
from commonroom.config.accounts import Unmapped
from commonroom.core.renaming import NS_MOVED
from commonroom.protocol.errors import StanzaError
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Iq, IqType, Presence, PresenceType, Stanza
from commonroom.storage.records import ArchiveFilter, RosterItem
from tests.conversations.listed import DES, OTHER, ListedWorld
from tests.conversations.world import condition

JULIET = JID.parse("juliet.capulet@example.org")
MARRIED = JID.parse("juliet.montague@example.org")
ROMEO = JID.parse("romeo@example.org")
BEATRICE = JID.parse("beatrice@messina.example")


@pytest.fixture
def world(tmp_path: Path) -> ListedWorld:
    (tmp_path / "map").write_text("jc12:juliet.capulet:jules,j.capulet\nnn3:nurse\n")
    return ListedWorld(tmp_path, "jc12", "romeo", "nn3", source={"mapping": tmp_path / "map"})


def marry(world: ListedWorld) -> None:
    world.files.write("map", "jc12:juliet.montague:jules", "nn3:nurse")
    world.look()


def faults(world: ListedWorld) -> str:
    status = read_status(world.settings)
    assert status is not None
    return " ".join(status.faults)


class Elsewhere:
    """Other servers: takes what is sent there."""

    def __init__(self) -> None:
        self.got: list[Stanza] = []

    def receive(self, stanza: Stanza, sender: JID, to: JID) -> None:
        self.got.append(stanza)


# Logging in


@pytest.mark.parametrize("name", ["jc12", "juliet.capulet", "jules", "J.Capulet"])
def test_somebody_logs_in_by_any_name_and_is_told_the_address(world: ListedWorld, name: str) -> None:
    client = world.connect()
    client.open("example.org")
    client.authenticate(name, "secret")
    client.open("example.org")
    client.bind("balcony")
    assert client.jid == f"{JULIET}/balcony"


@pytest.mark.parametrize("sender", ["jc12", "jules", "juliet.capulet"])
def test_the_stream_may_be_from_any_of_the_names(world: ListedWorld, sender: str) -> None:
    client = world.connect()
    client.send(
        f"<?xml version='1.0'?><stream:stream to='example.org' from='{sender}@example.org' version='1.0'"
        " xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
    )
    client.received()
    client.authenticate("jc12", "secret")


@pytest.mark.parametrize(
    ("authzid", "name", "outcome"),
    [
        ("romeo@example.org", "jc12", "invalid-authzid"),
        ("jules@example.org", "romeo", "invalid-authzid"),
        ("jc12@example.org", "romeo", "invalid-authzid"),
        ("jules@example.org", "jc12", "success"),
        ("juliet.capulet@example.org", "jules", "success"),
    ],
)
def test_an_authzid_is_a_name_of_the_same_account(
    world: ListedWorld, authzid: str, name: str, outcome: str
) -> None:
    client = world.connect()
    client.open("example.org")
    data = b64encode(f"{authzid}\0{name}\0secret".encode()).decode()
    client.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{data}</auth>")
    answer = client.one()
    assert (answer.name if answer.name == "success" else condition(answer)) == outcome


def test_an_address_goes_before_a_login_name(tmp_path: Path) -> None:
    """Who types it means the address: that is what others know the person by."""
    (tmp_path / "map").write_text("sam:smith\njones:sam\n")
    (tmp_path / "passwd").write_text(f"sam:{DES}\njones:{OTHER}\n")
    world = ListedWorld(tmp_path, source={"mapping": tmp_path / "map"})
    assert world.try_login("sam", "other") == "success"
    assert world.try_login("sam", "secret") == "not-authorized"
    assert world.try_login("smith", "secret") == "success"


def test_a_login_name_is_no_address(world: ListedWorld) -> None:
    romeo = world.online(f"{ROMEO}/r")
    romeo.send("<message to='jc12@example.org' type='chat' id='1'><body>hello</body></message>")
    world.turn()
    assert condition(romeo.one()) == "service-unavailable"


# Mapping files


def test_nobody_gets_an_address_that_two_claim(tmp_path: Path) -> None:
    (tmp_path / "map").write_text("a:juliet\nb:juliet\n")
    world = ListedWorld(tmp_path, "a", "b", source={"mapping": tmp_path / "map"})
    assert [world.try_login(name) for name in ("a", "b", "juliet")] == ["not-authorized"] * 3
    assert "more than one name claims" in faults(world)


def test_who_has_an_address_keeps_it_when_another_one_claims_it(world: ListedWorld) -> None:
    world.files.write("map", "jc12:juliet.capulet", "romeo:juliet.capulet", "nn3:nurse")
    world.look()
    assert world.try_login("jc12") == "success"
    assert world.try_login("romeo") == "not-authorized"
    assert "romeo@example.org does not get it" in faults(world)


def test_an_alias_is_nobodys_address_and_only_ones_alias(world: ListedWorld) -> None:
    world.files.write("map", "jc12:juliet.capulet:romeo,shared", "nn3:nurse:shared")
    world.look()
    romeo = world.online(f"{ROMEO}/r")
    assert romeo.jid == f"{ROMEO}/r"
    assert world.try_login("shared") == "not-authorized"
    assert "this is an address" in faults(world)
    assert "nobody gets it" in faults(world)


def test_who_is_not_mapped_may_have_no_account(tmp_path: Path) -> None:
    (tmp_path / "map").write_text("a:juliet\nnobody:lear\n")
    source = {"mapping": tmp_path / "map", "unmapped": Unmapped.NOBODY}
    world = ListedWorld(tmp_path, "a", "b", source=source)
    assert world.try_login("a") == "success"
    assert world.try_login("b") == "not-authorized"
    assert world.try_login("lear") == "not-authorized"


def test_a_mapping_file_that_is_torn_or_emptied_renames_nobody(tmp_path: Path) -> None:
    names = [f"u{number}" for number in range(20)]
    lines = [f"{name}:person.{name}" for name in names]
    (tmp_path / "map").write_text("\n".join(lines) + "\n")
    world = ListedWorld(tmp_path, *names, source={"mapping": tmp_path / "map"}, hold_least=2)
    for content in (lines[:-1], lines[:5]):
        world.files.write("map", *content, end="" if content == lines[:-1] else "\n")
        world.look()
        assert world.core.accounts.directory.resolve(JID.parse("u19@example.org")) == "person.u19@example.org"


# Aliases


def test_messages_to_an_alias_arrive_at_the_address(world: ListedWorld) -> None:
    juliet, romeo = world.online(f"{JULIET}/j"), world.online(f"{ROMEO}/r")
    for to in ("jules@example.org", "jules@example.org/gone", "j.capulet@example.org"):
        romeo.send(f"<message to='{to}' type='chat'><body>{to}</body></message>")
        world.turn()
        message = juliet.one()
        assert (message.get("to"), message.get("from")) == (JULIET, f"{ROMEO}/r")
    assert romeo.told() == []


def test_messages_to_an_alias_wait_for_who_is_offline(world: ListedWorld) -> None:
    romeo = world.online(f"{ROMEO}/r")
    romeo.send("<message to='jules@example.org' type='chat'><body>hello</body></message>")
    world.turn()
    assert world.run(world.stores.offline.usage(JULIET)).count == 1
    assert world.run(world.stores.archive.count(JULIET, ArchiveFilter(), 10)) == 1


def test_an_alias_answers_nothing_to_strangers_but_says_where_to_subscribe(world: ListedWorld) -> None:
    world.online(f"{JULIET}/j")
    romeo = world.online(f"{ROMEO}/r")
    answer = romeo.ask(
        "<iq to='jules@example.org' type='get' id='1'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
    )
    assert condition(answer) == "service-unavailable"
    romeo.send("<presence to='jules@example.org' type='probe'/>")
    romeo.send("<presence to='jules@example.org'/>")
    romeo.send("<presence to='jules@example.org' type='subscribe' id='2'/>")
    world.turn()
    refusal = romeo.received()[-1]
    assert condition(refusal) == "redirect"
    assert f"xmpp:{JULIET}" in str(refusal)


# Renaming


def test_who_is_renamed_is_told_and_keeps_roster_and_archive(world: ListedWorld) -> None:
    world.befriend(str(JULIET), str(ROMEO))
    romeo = world.online(f"{ROMEO}/r")
    romeo.send(f"<message to='{JULIET}' type='chat'><body>before</body></message>")
    juliet = world.online(f"{JULIET}/j")
    marry(world)
    assert juliet.closed
    assert "another address now" in str(juliet.received()[-1])
    again = world.connect()
    again.open("example.org")
    again.authenticate("jc12", "secret")
    again.open("example.org")
    again.bind("j")
    assert again.jid == f"{MARRIED}/j"
    assert "romeo@example.org" in str(
        again.ask("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>")
    )
    assert world.run(world.stores.archive.count(MARRIED, ArchiveFilter(), 10)) == 1
    assert world.run(world.stores.accounts.get(JULIET)) is None


def test_contacts_here_see_the_new_address_in_their_rosters_with_name_and_groups(world: ListedWorld) -> None:
    world.befriend(str(JULIET), str(ROMEO))
    romeo = world.online(f"{ROMEO}/r")
    romeo.send(
        f"<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='{JULIET}' name='Jules'>"
        "<group>Love</group></item></query></iq>"
    )
    romeo.received()
    marry(world)
    assert romeo.told() == [f"push {JULIET} remove", f"push {MARRIED} both"]
    (item,) = world.run(world.stores.rosters.load(ROMEO)).items
    assert (item.jid, item.name, item.groups) == (MARRIED, "Jules", ("Love",))
    juliet = world.online(f"{MARRIED}/j")
    assert f"available {MARRIED}/j" in romeo.told()
    romeo.send(f"<message to='{MARRIED}' type='chat'><body>wife</body></message>")
    assert juliet.bodies()[-1] == "wife"


def test_a_request_that_waits_comes_from_the_new_address(world: ListedWorld) -> None:
    juliet = world.online(f"{JULIET}/j")
    juliet.send(f"<presence to='{ROMEO}' type='subscribe'/>")
    world.turn()
    marry(world)
    romeo = world.login(f"{ROMEO}/r")
    romeo.send("<presence/>")
    assert f"subscribe {MARRIED}" in romeo.told()


def test_the_former_address_delivers_and_lets_in_until_its_time_is_over(world: ListedWorld) -> None:
    world.try_login("jc12")
    marry(world)
    romeo = world.online(f"{ROMEO}/r")
    romeo.send(f"<message to='{JULIET}' type='chat' id='1'><body>old habits</body></message>")
    assert world.try_login("juliet.capulet") == "success"
    assert world.run(world.stores.offline.usage(MARRIED)).count == 1
    world.seconds += timedelta(days=181).total_seconds()
    assert world.try_login("juliet.capulet") == "not-authorized"
    romeo.send(f"<message to='{JULIET}' type='chat' id='2'><body>too old</body></message>")
    world.turn()
    assert condition(romeo.received()[-1]) == "service-unavailable"


def test_a_former_address_outlives_later_changes_of_the_files(world: ListedWorld) -> None:
    marry(world)
    world.files.people("jc12", "romeo", "nn3", "tybalt")
    world.look()
    world.files.write("map", "jc12:juliet", "nn3:nurse")
    world.look()
    for former in (JULIET, MARRIED):
        assert world.core.accounts.directory.resolve(former) == "juliet@example.org"


def test_a_former_address_that_somebody_else_gets_is_theirs(world: ListedWorld) -> None:
    marry(world)
    world.files.write("map", "jc12:juliet.montague", "nn3:juliet.capulet")
    world.look()
    nurse = world.online(f"{JULIET}/n")
    romeo = world.online(f"{ROMEO}/r")
    romeo.send(f"<message to='{JULIET}' type='chat'><body>hello</body></message>")
    assert nurse.bodies() == ["hello"]


def test_two_who_are_renamed_at_once_find_each_other(world: ListedWorld) -> None:
    world.befriend(str(JULIET), "nurse@example.org")
    world.files.write("map", "jc12:juliet.montague", "nn3:angelica")
    world.look()
    (item,) = world.run(world.stores.rosters.load(MARRIED)).items
    assert item.jid == "angelica@example.org"
    (item,) = world.run(world.stores.rosters.load(JID.parse("angelica@example.org"))).items
    assert item.jid == MARRIED


def test_xep0283_4_3_contacts_learn_the_new_address_at_the_former_one(world: ListedWorld) -> None:
    world.befriend(str(JULIET), str(ROMEO))
    marry(world)
    user = world.run(world.core.users.load(MARRIED))
    item = RosterItem(BEATRICE, "", (), user.roster.item(ROMEO).state, False, True, None, 0)
    user.roster.put(item)
    request = Iq(IqType.GET, to=JULIET, sender=BEATRICE, id="1")
    assert _answer(world, request) == ("gone", f"xmpp:{MARRIED}")
    subscribe = Presence(PresenceType.SUBSCRIBE, to=JULIET, sender=BEATRICE)
    assert _answer(world, subscribe) == ("gone", f"xmpp:{MARRIED}")


def test_xep0283_6_1_strangers_do_not_learn_the_new_address(world: ListedWorld) -> None:
    world.try_login("jc12")
    marry(world)
    for stanza in (
        Iq(IqType.GET, to=JULIET, sender=BEATRICE, id="1"),
        Presence(PresenceType.SUBSCRIBE, to=JULIET, sender=BEATRICE),
    ):
        assert _answer(world, stanza) == ("service-unavailable", "")


def _answer(world: ListedWorld, stanza: Stanza) -> tuple[str, str]:
    domain = world.core.router.domains["example.org"]
    assert stanza.sender is not None
    assert stanza.to is not None
    waiting = domain.receive(stanza, stanza.sender, stanza.to)
    assert waiting is not None
    with pytest.raises(StanzaError) as refusal:
        world.run(_awaited(waiting))
    return refusal.value.condition, refusal.value.address


async def _awaited(waiting) -> None:
    await waiting


def test_xep0283_4_2_contacts_elsewhere_are_asked_anew_with_the_former_address(world: ListedWorld) -> None:
    world.befriend(str(JULIET), str(ROMEO))
    elsewhere = Elsewhere()
    world.core.router.domains["messina.example"] = elsewhere
    user = world.run(world.core.users.load(JULIET))
    state = user.roster.item(ROMEO).state
    world.stores.rosters.put(JULIET, RosterItem(BEATRICE, "Bea", ("x",), state, False, True, None, 9))
    world.core.users.drop(JULIET, None)  # type: ignore[arg-type]  # nobody is connected
    marry(world)
    (request,) = [s for s in elsewhere.got if isinstance(s, Presence) and s.type is PresenceType.SUBSCRIBE]
    assert (request.sender, request.to) == (MARRIED, BEATRICE)
    moved = request.child(NS_MOVED, "moved")
    assert moved is not None
    assert moved.child_text(NS_MOVED, "old-jid") == JULIET
    kept = {item.jid: item for item in world.run(world.stores.rosters.load(MARRIED)).items}[BEATRICE]
    assert (kept.state.ask, kept.approved, kept.name) == (True, True, "Bea")


def test_who_gets_the_address_of_one_that_departed_gets_none_of_its_data(world: ListedWorld) -> None:
    world.befriend("nurse@example.org", str(ROMEO))
    world.files.people("jc12", "romeo")
    world.look()
    world.files.write("map", "jc12:nurse")
    world.look()
    client = world.online("nurse@example.org/x")
    world.turn()
    (item,) = world.run(world.stores.rosters.load(ROMEO)).items
    assert (item.jid, item.state.has_from) == ("nurse@example.org", False), "or she would see him"
    assert "romeo" not in str(client.ask("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>"))


def test_the_same_message_is_in_the_senders_archive_as_it_was_written(world: ListedWorld) -> None:
    romeo = world.online(f"{ROMEO}/r")
    romeo.send("<message to='jules@example.org' type='chat'><body>hello</body></message>")
    world.turn()
    page = world.run(world.stores.archive.page(ROMEO, ArchiveFilter(), 10))
    assert [m.peer for m in page.messages] == ["jules@example.org"]


def test_an_account_that_is_kept_here_is_no_alias_of_somebody_else(world: ListedWorld) -> None:
    world.add("jules@example.org")
    romeo = world.online(f"{ROMEO}/r")
    for _ in range(2):
        romeo.send("<message to='jules@example.org' type='chat'><body>hello</body></message>")
        world.turn()
    assert world.run(world.stores.offline.usage(JID.parse("jules@example.org"))).count == 2
    assert world.run(world.stores.offline.usage(JULIET)).count == 0


# What fails on the way


@pytest.mark.parametrize(
    ("mapping", "now"),
    [
        (("jc12:juliet.montague", "nn3:nurse"), MARRIED),
        (("jc12:nurse", "nn3:juliet.capulet"), JID.parse("nurse@example.org")),  # they change places
    ],
)
def test_a_renaming_that_is_done_again_renames_once(
    world: ListedWorld, monkeypatch: pytest.MonkeyPatch, mapping: tuple[str, ...], now: JID
) -> None:
    """The database, or the disk, failed after it was done and before that was known."""
    world.befriend(str(JULIET), str(ROMEO))
    world.online("nurse@example.org/n")
    juliet = world.online(f"{JULIET}/j")
    juliet.send(f"<message to='{ROMEO}' type='chat'><body>wherefore</body></message>")
    world.turn()
    with monkeypatch.context() as patched:
        patched.setattr(type(world.watch), "_settle", _fail)
        world.files.write("map", *mapping)
        with pytest.raises(OSError, match="the disk is full"):
            world.look()
    world.seconds += RETRY_AFTER
    world.look()
    again = world.connect()
    again.open("example.org")
    again.authenticate("jc12", "secret")
    again.open("example.org")
    again.bind("j")
    assert again.jid == f"{now}/j"
    assert world.run(world.stores.archive.count(now, ArchiveFilter(), 10)) == 1
    (item,) = world.run(world.stores.rosters.load(ROMEO)).items
    assert item.jid == now


def _fail(*_: object) -> None:
    raise OSError("the disk is full")
