"""XEP-0050, XEP-0133: ad-hoc commands, as operators and others send them."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from commonroom.admin.desk import Call, Desk
from commonroom.admin.live import Live
from commonroom.admin.operations import operations
from commonroom.admin.privacy import PrivacyCommand, for_accounts, privacy_text
from commonroom.admin.registry import Registry, registry
from commonroom.admin.roles import Roles
from commonroom.config import Settings
from commonroom.config.administration import Roles as RolesTable
from commonroom.features.ad_hoc import LIFETIME, NS_COMMANDS, UNFINISHED
from commonroom.protocol.dataforms import NS_DATA
from commonroom.protocol.jid import JID
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_DISCO_INFO, NS_DISCO_ITEMS
from tests.conversations.world import Client, World, condition, with_options

ADMIN = "http://jabber.org/protocol/admin"
LIST = f"<iq type='get' id='1' to='example.org'><query xmlns='{NS_DISCO_ITEMS}' node='{NS_COMMANDS}'/></iq>"
INFO = f"<iq type='get' id='1' to='example.org'><query xmlns='{NS_DISCO_INFO}' node='{ADMIN}#add-user'/></iq>"
ALICE, BOB, CAROL = "alice@example.org", "bob@example.org", "carol@example.org"


class Operated:
    """A world where Alice is an operator and Carol an auditor; Bob is nobody."""

    def __init__(self) -> None:
        tables = RolesTable(operator=(ALICE, "mallory@example.net"), auditor=(CAROL,))
        self.world = World(ALICE, BOB, CAROL, settings=with_options(roles=tables))
        world, core = self.world, self.world.core
        self.calls: list[Call] = []
        live = Live(
            core.users,
            core.clients,
            world.service.connected,
            lambda: world.seconds,
            lambda: datetime(2026, 3, 1, tzinfo=UTC),
        )
        known = replace(registry(world.settings, world.stores), iterations=4096, hash_names=("SHA-256",))
        desk = Desk(operations(), {Registry: known, Live: live, Settings: world.settings}, self._note)
        self.settings = world.settings
        core.commands.connect(desk, Roles(world.settings), for_accounts(lambda: self.settings))

    async def _note(self, call: Call) -> None:
        self.calls.append(call)


def execute(client: Client, node: str, more: str = "", inside: str = "") -> Element:
    """Send a command; gives the answer."""
    return client.ask(
        f"<iq type='set' id='1' to='example.org'>"
        f"<command xmlns='{NS_COMMANDS}' node='{node}' {more}>{inside}</command></iq>"
    )


def form(**fields: str | tuple[str, ...]) -> str:
    """A form that was filled in."""
    inside = "".join(
        f"<field var='{var}'>{''.join(f'<value>{v}</value>' for v in _many(values))}</field>"
        for var, values in fields.items()
    )
    return f"<x xmlns='{NS_DATA}' type='submit'>{inside}</x>"


def _many(values: str | tuple[str, ...]) -> tuple[str, ...]:
    return (values,) if isinstance(values, str) else values


def command(answer: Element) -> Element:
    """The command in an answer that is no error."""
    assert answer.get("type") == "result", answer
    found = answer.child(NS_COMMANDS, "command")
    assert found is not None
    return found


def begun(client: Client, node: str) -> str:
    """Begin a command with a form; gives the session's attribute."""
    return f"sessionid='{command(execute(client, node)).get('sessionid')}'"


def specific(answer: Element) -> str | None:
    """The condition of XEP-0050 in an error."""
    error = answer.child(NS_CLIENT, "error")
    assert error is not None
    return next((each.name for each in error.elements() if each.namespace == NS_COMMANDS), None)


def note(answer: Element) -> str | None:
    return command(answer).child_text(NS_COMMANDS, "note")


@pytest.mark.parametrize("node", [f"{ADMIN}#add-user", f"{ADMIN}#nothing", ""])
def test_xep0133_6_who_has_no_role_runs_nothing_and_learns_of_nothing(node: str) -> None:
    it = Operated()
    bob = it.world.online(f"{BOB}/desk")
    assert condition(execute(bob, node)) == "forbidden"
    listed = bob.ask(LIST)
    query = listed.only_child()
    assert query is not None
    assert [each.get("node") for each in query.elements()] == [PrivacyCommand.node]
    assert it.calls == []


def test_every_account_may_read_what_is_kept_about_it_as_it_is_now() -> None:
    it = Operated()
    bob = it.world.online(f"{BOB}/desk")
    assert note(execute(bob, PrivacyCommand.node)) == privacy_text(it.world.settings)
    wanted = replace(it.settings, records=replace(it.settings.records, messages=7 * 86_400.0))
    it.settings = wanted
    told = note(execute(bob, PrivacyCommand.node)) or ""
    assert "- For 7 days: who wrote to whom" in told
    assert told == privacy_text(wanted)
    assert for_accounts(lambda: wanted)(JID.parse("mallory@example.net")) == ()


@pytest.mark.parametrize(
    ("action", "told"),
    [("explode", "malformed-action"), ("prev", "bad-action"), ("cancel", "bad-action")],
)
def test_xep0050_4_4_actions_that_cannot_begin_a_command_are_refused(action: str, told: str) -> None:
    alice = Operated().world.online(f"{ALICE}/desk")
    assert specific(execute(alice, f"{ADMIN}#add-user", f"action='{action}'")) == told


@pytest.mark.parametrize("action", ["prev", "next"])
def test_xep0050_4_4_there_is_one_stage(action: str) -> None:
    alice = Operated().world.online(f"{ALICE}/desk")
    session = begun(alice, f"{ADMIN}#add-user")
    assert specific(execute(alice, f"{ADMIN}#add-user", f"{session} action='{action}'")) == "bad-action"


def test_xep0050_4_4_a_session_is_one_clients_and_one_commands() -> None:
    it = Operated()
    alice, other = it.world.online(f"{ALICE}/desk"), it.world.online(f"{ALICE}/phone")
    session = begun(alice, f"{ADMIN}#add-user")
    filled = form(accountjid="dave@example.org", password="secret")
    assert specific(execute(other, f"{ADMIN}#add-user", session, filled)) == "bad-sessionid"
    assert specific(execute(alice, f"{ADMIN}#delete-user", session, filled)) == "bad-sessionid"
    assert specific(execute(alice, f"{ADMIN}#add-user", "sessionid='x'", filled)) == "session-expired"
    it.world.seconds += LIFETIME.total_seconds()  # and no timer of the connections
    assert specific(execute(alice, f"{ADMIN}#add-user", session, filled)) == "session-expired"
    assert it.calls == []


@pytest.mark.parametrize(
    ("filled", "told"),
    [
        ("", "bad-payload"),
        (form(), "bad-payload"),
        (form(accountjid="dave@example.org"), "bad-payload"),
        (form(accountjid="dave@example.net", password="secret"), "bad-payload"),
        (form(accountjid="dave@example.org", password="one", **{"password-verify": "two"}), "bad-payload"),
        (form(accountjid="@", password="secret"), "bad-payload"),
    ],
)
def test_xep0050_4_4_a_form_that_is_not_filled_in_right_stays_open(filled: str, told: str) -> None:
    alice = Operated().world.online(f"{ALICE}/desk")
    session = begun(alice, f"{ADMIN}#add-user")
    assert specific(execute(alice, f"{ADMIN}#add-user", session, filled)) == told
    right = form(accountjid="dave@example.org", password="secret")
    assert note(execute(alice, f"{ADMIN}#add-user", session, right)) == "dave@example.org"


@pytest.mark.parametrize(
    ("node", "filled", "told"),
    [
        ("add-user", form(accountjid=BOB, password="secret"), "conflict"),
        ("delete-user", form(accountjids="nobody@example.org"), "item-not-found"),
        ("end-user-session", form(accountjids=BOB), "item-not-found"),
    ],
)
def test_xep0133_5_what_cannot_be_done_is_told_by_its_condition(node: str, filled: str, told: str) -> None:
    alice = Operated().world.online(f"{ALICE}/desk")
    session = begun(alice, f"{ADMIN}#{node}")
    assert condition(execute(alice, f"{ADMIN}#{node}", session, filled)) == told


def test_what_is_begun_and_not_ended_is_bounded() -> None:
    alice = Operated().world.online(f"{ALICE}/desk")
    sessions = [begun(alice, f"{ADMIN}#add-user") for _ in range(UNFINISHED)]
    assert condition(execute(alice, f"{ADMIN}#add-user")) == "resource-constraint"
    execute(alice, f"{ADMIN}#add-user", f"{sessions[0]} action='cancel'")
    assert begun(alice, f"{ADMIN}#add-user")


def test_an_account_elsewhere_has_no_role_whatever_the_configuration_says() -> None:
    it = Operated()
    assert Roles(it.world.settings).scopes(JID.parse("mallory@example.net")) == frozenset()


def test_xep0050_2_2_the_list_has_what_one_may_run() -> None:
    it = Operated()
    lists = {}
    for who in (ALICE, CAROL):
        query = it.world.online(f"{who}/desk").ask(LIST).only_child()
        assert query is not None
        assert {each.get("jid") for each in query.elements()} == {"example.org"}
        lists[who] = [each.get("node") for each in query.elements()]
    assert len(lists[ALICE]) == len(operations()) + 1
    assert all(nodes[-1] == PrivacyCommand.node for nodes in lists.values())
    assert f"{ADMIN}#add-user" in lists[ALICE]
    assert "commonroom#audit-find" in lists[CAROL]
    assert f"{ADMIN}#add-user" not in lists[CAROL]


def test_xep0050_2_2_a_command_says_what_it_is_to_who_may_run_it() -> None:
    it = Operated()
    info = it.world.online(f"{ALICE}/desk").ask(INFO).only_child()
    assert info is not None
    identity, *features = info.elements()
    assert (identity.get("category"), identity.get("type")) == ("automation", "command-node")
    assert [each.get("var") for each in features] == [NS_COMMANDS, NS_DATA]
    assert condition(it.world.online(f"{BOB}/desk").ask(INFO)) == "item-not-found"


def test_xep0050_2_4_3_a_command_can_be_cancelled() -> None:
    it = Operated()
    alice = it.world.online(f"{ALICE}/desk")
    session = begun(alice, f"{ADMIN}#add-user")
    cancelled = command(execute(alice, f"{ADMIN}#add-user", f"{session} action='cancel'"))
    assert cancelled.get("status") == "canceled"
    assert specific(execute(alice, f"{ADMIN}#add-user", session)) == "session-expired"
    assert it.calls == []


def test_xep0133_4_1_a_form_asks_and_its_answer_is_done_and_recorded() -> None:
    it = Operated()
    alice = it.world.online(f"{ALICE}/desk")
    first = command(execute(alice, f"{ADMIN}#add-user", "action='execute'"))
    asked = first.child(NS_DATA, "x")
    assert asked is not None
    kinds = {each.get("var"): each.get("type") for each in asked.elements() if each.name == "field"}
    assert kinds == {
        "FORM_TYPE": "hidden",
        "accountjid": "jid-single",
        "password": "text-private",
        "password-verify": "text-private",
    }
    actions = first.child(NS_COMMANDS, "actions")
    assert actions is not None
    assert actions.get("execute") == "complete"
    filled = form(accountjid="dave@example.org", password="secret", **{"password-verify": "secret"})
    session = f"sessionid='{first.get('sessionid')}' action='complete'"
    done = execute(alice, f"{ADMIN}#add-user", session, filled)
    assert command(done).get("status") == "completed"
    (call,) = it.calls
    assert (call.operation, call.caller.name, call.outcome) == ("user add", ALICE, "done")
    assert it.world.online("dave@example.org/desk").jid == "dave@example.org/desk"


def test_xep0133_4_5_several_accounts_at_once() -> None:
    it = Operated()
    alice = it.world.online(f"{ALICE}/desk")
    bob, carol = it.world.online(f"{BOB}/desk"), it.world.online(f"{CAROL}/desk")
    session = begun(alice, f"{ADMIN}#end-user-session")
    execute(alice, f"{ADMIN}#end-user-session", session, form(accountjids=(BOB, f"{CAROL}/desk")))
    assert bob.closed
    assert carol.closed
    assert [call.outcome for call in it.calls] == ["done", "done"]


def test_xep0133_4_23_an_announcement_goes_to_who_is_online() -> None:
    it = Operated()
    alice, bob = it.world.online(f"{ALICE}/desk"), it.world.online(f"{BOB}/desk")
    session = begun(alice, f"{ADMIN}#announce")
    filled = form(announcement=("We stop", "at noon."))
    alice.send(
        f"<iq type='set' id='1' to='example.org'>"
        f"<command xmlns='{NS_COMMANDS}' node='{ADMIN}#announce' {session}>{filled}</command></iq>"
    )
    own, answer = alice.received()
    assert own.name == "message"
    assert command(answer).get("status") == "completed"
    (told,) = bob.received()
    assert (told.get("type"), told.get("from")) == ("headline", "example.org")
    assert told.child_text(NS_CLIENT, "body") == "We stop\nat noon."
    assert "noon" not in repr(it.calls)


def test_a_list_is_a_form_with_rows() -> None:
    it = Operated()
    alice = it.world.online(f"{ALICE}/desk")
    session = begun(alice, "commonroom#session-list")
    shown = command(execute(alice, "commonroom#session-list", session, form())).child(NS_DATA, "x")
    assert shown is not None
    reported, row = shown.elements()
    assert [each.get("var") for each in reported.elements()][:1] == ["address"]
    assert row.elements()[0].child_text(NS_DATA, "value") == f"{ALICE}/desk"
