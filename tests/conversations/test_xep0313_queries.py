"""XEP-0313: asking one's archive: errors first, then filters, pages, the form and the metadata."""

from dataclasses import replace

import pytest

from commonroom.config.archive import Archive
from commonroom.protocol.jid import JID
from commonroom.storage.memory_archive import MemoryArchiveStore
from commonroom.storage.records import ArchiveFilter, ArchivePage
from tests.conversations.history import FULL_TEXT, chat, everything, field, form, page, query, rsm
from tests.conversations.world import Client, Gate, World, condition, with_options

METADATA = "<iq type='get' id='m'><metadata xmlns='urn:xmpp:mam:2'/></iq>"


@pytest.fixture
def world() -> World:
    return World("romeo@example.org", "juliet@example.org", "nurse@example.org")


@pytest.fixture
def romeo(world: World) -> Client:
    return world.online("romeo@example.org/orchard")


@pytest.fixture
def talk(world: World, romeo: Client) -> Client:
    """Romeo, who wrote ten messages, one a minute from 12:01 on; those with even numbers to Juliet."""
    for number in range(10):
        world.advance(60)
        romeo.send(chat(f"{'nurse' if number % 2 else 'juliet'}@example.org", number))
    romeo.received()
    return romeo


# What is refused


@pytest.mark.parametrize(
    "inside",
    [
        form(kind="form"),
        form(kind="result"),
        form(form_type="urn:xmpp:mam:1"),
        form(form_type=""),
        "<x xmlns='jabber:x:data' type='submit'/>",
        form(field("start", "yesterday")),
        form(field("start", "2026-03-01")),
        form(field("start", "2026-03-01T12:00:00")),
        form(field("start", "2026-02-30T12:00:00Z")),
        form(field("end", "2026-03-01T25:00:00Z")),
        form(field("with", "a@example.org", "b@example.org")),
        form(field("include-groupchat", "perhaps")),
        rsm(max="many"),
        rsm(max="-1"),
        rsm(max=""),
        rsm(max="1_0"),
        rsm(max="9" * 30),
    ],
)
def test_xep0313_4_a_query_that_means_nothing_is_refused(romeo: Client, inside: str):
    assert condition(romeo.ask(query(inside))) == "bad-request"


@pytest.mark.parametrize("name", ["withtext", "{urn:x}y", "", "x" * 5000])
def test_xep0313_4_1_5_an_unknown_field_is_refused(romeo: Client, name: str):
    assert condition(romeo.ask(query(form(field(name, "1"))))) == "feature-not-implemented"


def test_xep0313_4_1_1_what_is_no_address_is_refused(romeo: Client):
    assert condition(romeo.ask(query(form(field("with", "@"))))) == "jid-malformed"


@pytest.mark.parametrize("id", ["0", "1", "01", "-1", "x", "1e3", "9" * 18, "9" * 40, "1 ", "\u0661"])
@pytest.mark.parametrize("where", ["after", "before", "after-id", "before-id", "ids"])
def test_xep0313_4_1_3_an_id_that_is_not_there_is_not_found(talk: Client, where: str, id: str):
    inside = rsm(**{where: id}) if where in ("after", "before") else form(field(where, id))
    assert condition(talk.ask(query(inside))) == "item-not-found"


def test_xep0313_4_1_3_one_of_several_ids_that_is_not_there_is_not_found(talk: Client):
    ids = page(talk).ids
    assert condition(talk.ask(query(form(field("ids", ids[0], "1", ids[1]))))) == "item-not-found"


def test_xep0313_8_1_the_id_of_anothers_message_is_not_found(world: World, talk: Client):
    juliet = world.online("juliet@example.org/balcony")
    theirs = everything(juliet)[0].id
    assert condition(talk.ask(query(rsm(after=theirs)))) == "item-not-found"
    assert condition(talk.ask(query(form(field("ids", theirs))))) == "item-not-found"


@pytest.mark.parametrize("to", ["juliet@example.org", "nobody@example.org", "example.org"])
@pytest.mark.parametrize("kind", ["get", "set"])
def test_xep0313_8_1_nobody_reads_anothers_archive(world: World, to: str, kind: str):
    world.befriend("romeo@example.org", "juliet@example.org")
    romeo = world.online("romeo@example.org/orchard")
    assert condition(romeo.ask(query(kind=kind, to=to))) == "service-unavailable"
    assert condition(romeo.ask(METADATA.replace("id=", f"to='{to}' id="))) == "service-unavailable"


def test_xep0059_2_6_pages_have_no_index(romeo: Client):
    assert condition(romeo.ask(query(rsm(index=3)))) == "feature-not-implemented"


def test_xep0313_6_1_3_there_are_no_nodes(romeo: Client):
    assert condition(romeo.ask(query(attributes=" node='urn:x'"))) == "item-not-found"


@pytest.mark.parametrize(
    ("inside", "attributes"),
    [
        (form(field("ids", *range(1, 252))), ""),
        (form(field(FULL_TEXT, "x" * 1025)), ""),
        ("", f" queryid='{'x' * 257}'"),
    ],
)
def test_xep0313_4_what_is_too_long_is_refused(romeo: Client, inside: str, attributes: str):
    assert condition(romeo.ask(query(inside, attributes=attributes))) == "policy-violation"


# Filters


def test_xep0313_4_all_messages_in_order_and_then_their_end(talk: Client):
    answer = page(talk)
    assert answer.bodies == [str(number) for number in range(10)]
    assert answer.is_complete
    assert (answer.said("first"), answer.said("last")) == (answer.ids[0], answer.ids[-1])


@pytest.mark.parametrize("to", ["", "romeo@example.org"])
def test_xep0313_4_the_account_answers_in_its_own_name(talk: Client, to: str):
    talk.send(query(attributes=" queryid='f&lt;27'", to=to))
    *messages, _ = talk.received()
    assert {m.get("from") for m in messages} == {"romeo@example.org"}
    assert {m.get("to") for m in messages} == {"romeo@example.org/orchard"}
    assert {m.elements()[0].get("queryid") for m in messages} == {"f<27"}


def test_xep0313_4_without_a_queryid_there_is_none(talk: Client):
    talk.send(query())
    assert all("queryid" not in m.elements()[0].attributes for m in talk.received()[:-1])


def test_xep0313_4_1_an_empty_archive_is_no_error(world: World):
    answer = page(world.online("juliet@example.org/balcony"), form(field("with", "romeo@example.org")))
    assert (answer.results, answer.is_complete) == ([], True)
    assert (answer.said("first"), answer.said("last"), answer.said("count")) == (None, None, "0")


@pytest.mark.parametrize(
    ("peer", "numbers"),
    [
        ("juliet@example.org", "02468"),
        ("JULIET@example.org", "02468"),
        ("nurse@example.org", "13579"),
        ("juliet@example.org/balcony", ""),
        ("nobody@example.org", ""),
        ("romeo@example.org", ""),
        ("", "0123456789"),
    ],
)
def test_xep0313_4_1_1_with_whom(talk: Client, peer: str, numbers: str):
    assert page(talk, form(field("with", peer))).bodies == list(numbers)


def test_xep0313_4_1_1_a_bare_address_stands_for_all_resources_a_full_one_for_itself(
    world: World, romeo: Client
):
    for place in ("balcony", "chamber"):
        world.online(f"juliet@example.org/{place}").send(chat("romeo@example.org", place))
    assert page(romeo, form(field("with", "juliet@example.org"))).bodies == ["balcony", "chamber"]
    assert page(romeo, form(field("with", "juliet@example.org/chamber"))).bodies == ["chamber"]


def test_xep0313_4_1_1_ones_own_address_means_what_one_sent_to_oneself(talk: Client):
    talk.send(chat("romeo@example.org", "note") + chat("romeo@example.org/phone", "another"))
    assert page(talk, form(field("with", "romeo@example.org"))).bodies == ["note", "another"]


@pytest.mark.parametrize(
    ("start", "end", "numbers"),
    [
        ("2026-03-01T12:05:00Z", "", "456789"),
        ("2026-03-01T12:05:00.000001Z", "", "56789"),
        ("", "2026-03-01T12:05:00Z", "01234"),
        ("", "2026-03-01T12:04:59.999999Z", "0123"),
        ("2026-03-01T12:05:00Z", "2026-03-01T12:05:00Z", "4"),
        ("2026-03-01T14:05:00+02:00", "2026-03-01T10:06:00-02:00", "45"),
        ("2026-03-01T12:06:00Z", "2026-03-01T12:05:00Z", ""),
        ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.9999999-14:00", "0123456789"),
    ],
)
def test_xep0313_4_1_2_from_when_to_when(talk: Client, start: str, end: str, numbers: str):
    assert page(talk, form(field("start", start), field("end", end))).bodies == list(numbers)


def test_xep0313_4_1_2_the_time_of_a_message_given_back_means_that_message(world: World, romeo: Client):
    world.advance(0.123456)
    for number in range(3):
        romeo.send(chat("juliet@example.org", number))
    middle = page(romeo).results[1]
    assert page(romeo, form(field("start", middle.stamp), field("end", middle.stamp))).bodies == ["1"]


def test_xep0313_4_1_3_between_two_known_messages(talk: Client):
    ids = page(talk).ids
    between = field("after-id", ids[2]), field("before-id", ids[6])
    assert page(talk, form(*between)).bodies == list("345")
    assert page(talk, form(*between), rsm(max=2)).bodies == list("34")
    assert page(talk, form(*between), rsm(max=2, before="")).bodies == list("45")
    assert page(talk, form(*between), rsm(after=ids[3])).bodies == list("45")
    assert page(talk, form(*between, field("with", "juliet@example.org"))).bodies == list("4")


def test_xep0313_4_1_3_messages_by_their_ids(talk: Client):
    ids = page(talk).ids
    assert page(talk, form(field("ids", ids[7], ids[3], ids[3]))).bodies == list("37")
    assert page(talk, form(field("ids"))).bodies == list("0123456789")


@pytest.mark.parametrize("value", ["true", "false", "1", "0"])
def test_xep0313_4_1_4_groupchat_is_not_there_whatever_is_asked(talk: Client, value: str):
    assert len(page(talk, form(field("include-groupchat", value))).results) == 10


def test_xep0313_4_what_was_sent_just_before_is_there(world: World, romeo: Client):
    world.memory.writes.hold()
    romeo.send(chat("juliet@example.org", "1") + query())
    world.turn()
    assert romeo.received() == []
    world.memory.writes.release()
    world.turn()
    assert [element.name for element in romeo.received()] == ["message", "iq"]


# Pages


def test_xep0313_4_3_1_a_page_has_a_usual_and_a_largest_length(world: World, romeo: Client):
    for number in range(260):
        romeo.send(chat("juliet@example.org", number))
    assert (len(page(romeo).results), page(romeo).is_complete) == (50, False)
    assert len(page(romeo, rsm(max=1000)).results) == 250
    assert len(page(romeo, rsm(max=251, before="")).results) == 250


def test_xep0313_4_3_1_a_page_of_long_messages_is_shorter_but_never_empty(world: World, romeo: Client):
    for number in range(12):
        romeo.send(chat("juliet@example.org", f"{number} " + "x" * 200_000))
    forwards, backwards = page(romeo), page(romeo, rsm(before=""))
    assert [body.split()[0] for body in forwards.bodies if body] == list("01234")
    assert [body.split()[0] for body in backwards.bodies if body] == ["7", "8", "9", "10", "11"]
    assert not forwards.is_complete
    assert not backwards.is_complete
    assert len(everything(romeo)) == 12


def test_xep0313_4_3_2_the_next_page_and_the_one_before(talk: Client):
    first = page(talk, rsm(max=4))
    second = page(talk, rsm(max=4, after=first.ids[-1]))
    third = page(talk, rsm(max=4, after=second.ids[-1]))
    assert [p.bodies for p in (first, second, third)] == [list("0123"), list("4567"), list("89")]
    assert [p.is_complete for p in (first, second, third)] == [False, False, True]
    again = page(talk, rsm(max=3, before=third.ids[0]))
    assert (again.bodies, again.is_complete) == (list("567"), False)
    assert page(talk, rsm(max=5, before=again.ids[0])).is_complete


def test_xep0313_4_3_2_a_full_last_page_is_complete(talk: Client):
    assert page(talk, rsm(max=10)).is_complete
    assert page(talk, rsm(max=10, before="")).is_complete


def test_xep0313_4_3_2_behind_the_last_message_is_nothing(talk: Client):
    answer = page(talk, rsm(after=page(talk).ids[-1]))
    assert (answer.results, answer.is_complete, answer.said("first")) == ([], True, None)


def test_xep0313_4_3_3_the_last_page(talk: Client):
    assert page(talk, rsm(max=3, before="")).bodies == list("789")
    assert page(talk, rsm(max=2, before=""), form(field("with", "juliet@example.org"))).bodies == list("68")


def test_xep0313_4_3_4_a_flipped_page_is_the_same_page_from_its_end(talk: Client):
    flipped = page(talk, rsm(max=3, before=""), "<flip-page/>")
    assert flipped.bodies == list("987")
    assert (flipped.said("first"), flipped.said("last")) == (flipped.ids[-1], flipped.ids[0])


@pytest.mark.parametrize(
    ("inside", "index", "count"),
    [
        (rsm(max=3), "0", None),
        (rsm(max=10), "0", "10"),
        (rsm(max=20, before=""), "0", "10"),
        (rsm(max=3, before=""), None, None),
        (form(field("with", "juliet@example.org")), "0", "5"),
    ],
)
def test_xep0059_2_2_index_and_count_are_told_where_they_are_known(
    talk: Client, inside: str, index: str | None, count: str | None
):
    answer = page(talk, inside)
    first = answer.fin.elements()[0].elements()[0]
    assert (first.name, first.get("index"), answer.said("count")) == ("first", index, count)


def test_xep0059_2_7_only_the_number(talk: Client):
    answer = page(talk, rsm(max=0), form(field("with", "juliet@example.org")))
    assert (answer.results, answer.said("count"), answer.is_complete) == ([], "5", False)
    assert page(talk, rsm(max=0, after=page(talk).ids[7])).said("count") == "10"


# What there is to ask for


def test_xep0313_4_1_5_the_form(romeo: Client):
    (data,) = romeo.ask(query(kind="get")).elements()[0].elements()
    fields = {field.get("var"): field.get("type") for field in data.elements()}
    assert data.get("type") == "form"
    assert fields == {
        "FORM_TYPE": "hidden",
        "with": "jid-single",
        "start": "text-single",
        "end": "text-single",
        "before-id": "text-single",
        "after-id": "text-single",
        "ids": "list-multi",
        "include-groupchat": "boolean",
        FULL_TEXT: "text-single",
    }
    (ids,) = (field for field in data.elements() if field.get("var") == "ids")
    assert ids.elements()[0].elements()[0].name == "open"


def test_xep0313_5_the_metadata_of_an_empty_archive(romeo: Client):
    assert romeo.ask(METADATA).elements()[0].children == []


def test_xep0313_5_the_metadata_are_the_first_and_the_last_message(talk: Client):
    results = page(talk).results
    start, end = talk.ask(METADATA).elements()[0].elements()
    assert (start.name, end.name) == ("start", "end")
    assert start.attributes == {"id": results[0].id, "timestamp": results[0].stamp}
    assert end.attributes == {"id": results[-1].id, "timestamp": results[-1].stamp}


def test_xep0313_7_it_is_announced_by_the_account(romeo: Client):
    info = "<iq type='get' id='d' to='romeo@example.org'><query xmlns='{}'/></iq>"
    answer = romeo.ask(info.format("http://jabber.org/protocol/disco#info"))
    features = {e.get("var") for e in answer.elements()[0].elements() if e.name == "feature"}
    assert {
        "urn:xmpp:mam:2",
        "urn:xmpp:mam:2#extended",
        "urn:xmpp:mam:2#groupchat-field",
        "http://jabber.org/protocol/rsm",
        "urn:xmpp:fulltext:0",
        "urn:xmpp:sid:0",
        "urn:xmpp:message-retract:1",
        "urn:xmpp:message-retract:1#tombstone",
    } <= features
    assert "urn:xmpp:mam:2#groupchat-available" not in features


# Full-text search


def test_xep0431_2_2_an_empty_text_does_not_matter(talk: Client):
    assert len(page(talk, form(field(FULL_TEXT, ""))).results) == 10


def test_xep0431_3_2_words_are_found_whatever_their_case_and_order(romeo: Client):
    for body in ("Wherefore art thou Romeo?", "thou art", "Deny thy father", "art"):
        romeo.send(chat("juliet@example.org", body))
    assert page(romeo, form(field(FULL_TEXT, "ART thou"))).bodies == ["Wherefore art thou Romeo?", "thou art"]
    both = form(field(FULL_TEXT, "art"), field("with", "juliet@example.org"))
    assert page(romeo, both, rsm(max=2, before="")).bodies == ["thou art", "art"]


# Bounds


class SlowArchive(MemoryArchiveStore):
    """Lets the test say when a page is read, and counts those that are under way."""

    def __init__(self, world: World) -> None:
        super().__init__(world.memory.writes.note)
        self.kept = world.memory.archive.kept
        self.gates: list[Gate] = []
        self.now = self.most = self.read = 0
        world.stores = replace(world.stores, archive=self)
        world.restart()

    async def page(
        self, owner: JID, wanted: ArchiveFilter, limit: int, backwards: bool = False
    ) -> ArchivePage:
        self.now += 1
        self.read += 1
        self.most = max(self.most, self.now)
        self.gates.append(gate := Gate())
        await gate
        self.now -= 1
        return await super().page(owner, wanted, limit, backwards)


def test_xep0313_4_an_accounts_queries_are_answered_two_at_a_time(world: World):
    archive = SlowArchive(world)
    clients = [world.online(f"romeo@example.org/{number}") for number in range(5)]
    other = world.online("juliet@example.org/balcony")
    for client in [*clients, other]:
        client.send(query())
    world.turn()
    assert archive.now == 3  # two of Romeo's, one of Juliet's
    while archive.gates:
        archive.gates.pop(0).is_open = True
        world.turn()
    assert archive.most == 3
    assert all("iq result q" in client.told() for client in [*clients, other])


def test_xep0313_4_a_client_that_left_keeps_nobody_waiting(world: World):
    archive = SlowArchive(world)
    clients = [world.online(f"romeo@example.org/{number}") for number in range(3)]
    for client in clients:
        client.send(query())
    world.turn()
    clients[0].cut()
    clients[2].cut()  # whose query waits
    while archive.gates:
        archive.gates.pop(0).is_open = True
        world.turn()
    assert "iq result q" in clients[1].told()
    assert archive.read == 2


def test_xep0313_4_3_1_the_lengths_are_options():
    world = World("romeo@example.org", settings=with_options(archive=Archive(page=2, largest_page=3)))
    romeo = world.online("romeo@example.org/orchard")
    for number in range(5):
        romeo.send(chat("romeo@example.org", number))
    assert len(page(romeo).results) == 2
    assert len(page(romeo, rsm(max=5)).results) == 3
