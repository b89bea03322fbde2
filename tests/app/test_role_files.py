"""Roles by files: broken files change nothing, and what they say counts when it was the same twice."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from commonroom.admin.roles import Roles
from commonroom.admin.scopes import EVERYTHING, ROLES, Scope
from commonroom.app.role_files import RoleFiles
from commonroom.config import Settings
from commonroom.config.administration import Roles as RoleSettings
from commonroom.protocol.jid import JID

ALICE, BOB, CAROL = (JID.parse(f"{name}@example.org") for name in ("alice", "bob", "carol"))


class Listed:
    """A service whose help desk is in a file, with Alice as its operator."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "helpdesk"
        roles = RoleSettings(operator=("alice@example.org",), helpdesk_files=(self.path,))
        self.settings = replace(Settings(domains=("example.org", "example.net")), roles=roles)
        self.roles = Roles(self.settings)
        self.files = RoleFiles(lambda: self.settings, self.roles, _at_once)

    def write(self, text: str) -> None:
        new = self.path.with_suffix(".new")
        new.write_text(text)
        new.replace(self.path)

    def look(self, times: int = 2) -> None:
        for _ in range(times):
            asyncio.run(self.files.look())

    def helps(self, account: JID) -> bool:
        return Scope.SESSIONS_WRITE in self.roles.scopes(account)


async def _at_once(work):
    return work()


@pytest.fixture
def it(tmp_path: Path) -> Listed:
    return Listed(tmp_path)


def test_without_its_file_the_configuration_counts(it: Listed, caplog: pytest.LogCaptureFixture) -> None:
    it.look(6)
    assert it.roles.scopes(ALICE) == EVERYTHING
    assert not it.helps(BOB)
    assert caplog.text.count("a file of roles cannot be read") == 1


def test_a_file_that_does_not_end_or_is_gone_changes_nothing(it: Listed) -> None:
    it.write("bob\n")
    it.look()
    it.write("bob\ncar")
    it.look()
    assert it.helps(BOB)
    it.path.unlink()
    it.look(4)
    assert it.helps(BOB)


def test_lines_that_are_no_accounts_of_ours_are_told_and_the_others_count(
    it: Listed, caplog: pytest.LogCaptureFixture
) -> None:
    it.write("# the help desk\nmallory@elsewhere.example\n@\nexample.org\nbob/desk\n\nCarol:Room 5\n")
    it.look()
    assert it.helps(CAROL)
    assert not it.helps(BOB)
    assert not it.helps(JID.parse("mallory@elsewhere.example"))
    assert "3 faults" in caplog.text


def test_names_are_of_the_first_domain_and_addresses_of_any(it: Listed) -> None:
    it.write("bob\ncarol@example.net\n")
    it.look()
    assert it.helps(BOB)
    assert it.helps(JID.parse("carol@example.net/desk"))
    assert not it.helps(CAROL)


def test_a_change_is_read_when_it_was_the_same_twice(it: Listed) -> None:
    it.write("bob\n")
    it.look()
    it.write("carol\n")
    it.look(1)
    assert it.helps(BOB)
    it.look(1)
    assert it.helps(CAROL)
    assert not it.helps(BOB)


def test_an_emptied_file_takes_the_role_away(it: Listed) -> None:
    it.write("bob\n")
    it.look()
    it.write("")
    it.look()
    assert not it.helps(BOB)


def test_roles_add_up_and_a_reload_keeps_what_the_files_say(it: Listed) -> None:
    it.write("bob\n")
    it.look()
    wanted = replace(it.settings.roles, auditor=("bob@example.org",))
    it.settings = replace(it.settings, roles=wanted)
    it.roles.use(it.settings)
    assert it.roles.scopes(BOB) == ROLES["helpdesk"] | {Scope.RECORDS_READ}


def test_files_that_are_not_configured_any_more_give_nothing(it: Listed) -> None:
    it.write("bob\n")
    it.look()
    it.settings = replace(it.settings, roles=replace(it.settings.roles, helpdesk_files=()))
    it.roles.use(it.settings)
    it.look()
    assert not it.helps(BOB)
