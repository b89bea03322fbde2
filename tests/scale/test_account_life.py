"""An account's whole life on a running service, as docs/operations.md tells it, seen by its own commands."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from commonroom.accounts.libcrypt import crypt
from commonroom.protocol.muc import NS_MUC
from tests.attack.client import Client, condition, online, secured
from tests.attack.server import DOMAIN, PASSWORD, Server
from tests.scale.crowd import slowness

HASH, OTHER = (crypt(PASSWORD.encode(), f"$6$rounds=1000${salt}$".encode()).decode() for salt in ("a", "b"))
SOON = 5.0
ROOM = f"hall@group.{DOMAIN}"
INSTANT = (
    "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'>"
    "<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field>"
    "<field var='muc#roomconfig_persistentroom'><value>1</value></field></x></query>"
)


class Institution:
    """A server, the files that it follows, and its operator."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.people = {"romeo": HASH}
        self.names: dict[str, str] = {}
        self.write()
        tables: dict[str, dict[str, object]] = {
            "accounts": {"keep_departed": "1s"},
            "accounts.files.people": {
                "passwords": [str(folder / "passwd")],
                "mapping": str(folder / "map"),
                "domain": DOMAIN,
            },
            "sasl": {"delay_first": "0s", "delay_longest": "0s"},
        }
        self.server = Server(folder, tables)

    def write(self) -> None:
        for name, lines in (("passwd", self.people), ("map", self.names)):
            new = self.folder / "new"
            new.write_text("".join(f"{key}:{value}\n" for key, value in lines.items()))
            new.replace(self.folder / name)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = (sys.executable, "-m", "commonroom", *words, "-c", str(self.server.configuration))
        return subprocess.run(command, capture_output=True, text=True)

    def state(self, address: str) -> str | None:
        """As `user show` says it."""
        done = self.run("user", "show", f"{address}@{DOMAIN}", "--json")
        found: str | None = json.loads(done.stdout)["state"] if done.returncode == 0 else None
        return found

    def records(self, *about: str) -> list[Any]:
        done = self.run("audit", "find", "--json", *about)
        assert done.returncode == 0, done.stderr
        found: list[Any] = json.loads(done.stdout)
        return found

    def life(self, address: str) -> list[str]:
        """The tags of its records, the oldest first."""
        time.sleep(1.5)  # records are gathered for a second
        found = self.records("--tag", "account:", "--who", f"{address}@{DOMAIN}")
        return [each["tag"].removeprefix("account:") for each in reversed(found)]

    def outcome(self, name: str) -> str | None:
        with secured(self.server) as client:
            return condition(client.authenticate(name))


def soon(is_so: Callable[[], bool]) -> None:
    begun = time.monotonic()
    while not is_so():
        waited = time.monotonic() - begun
        assert waited < SOON or waited < SOON * 2 * slowness(), "not in time"  # commands take long, too
        time.sleep(0.1)


@pytest.fixture
def it(tmp_path: Path) -> Iterator[Institution]:
    made = Institution(tmp_path)
    made.server.start()
    yield made
    made.server.stop()
    assert "Traceback" not in made.server.log()


def is_there(client: Client, name: str) -> bool:
    """Whether somebody can be written to: an account that never was says service-unavailable."""
    client.send(f"<message to='{name}@{DOMAIN}' type='chat' id='probe'><body>are you there?</body></message>")
    return not any(each.get("type") == "error" for each in client.fence())


class Life:
    """Juliet's, whose login name is jc12; Romeo looks on."""

    def __init__(self, it: Institution, opened: ExitStack) -> None:
        self.it = it
        self.opened = opened
        self.romeo = self.comes("romeo")

    def comes(self, name: str) -> Client:
        return self.opened.enter_context(online(self.it.server, name))

    def is_changed(self, hash: str | None, address: str | None = None) -> None:
        """The files say something else of her."""
        if hash is None:
            del self.it.people["jc12"]
        else:
            self.it.people["jc12"] = hash
        if address is not None:
            self.it.names["jc12"] = f"{address}:jules"
        self.it.write()

    def is_out(self, client: Client, why: str = "not-authorized") -> None:
        assert client.error(SOON * slowness()) == why

    def can_log_in(self, name: str) -> None:
        soon(lambda: self.it.outcome(name) is None)

    # The steps of docs/operations.md

    def arrives(self) -> None:
        """She exists as soon as the file says so."""
        assert not is_there(self.romeo, "juliet")
        assert self.it.outcome("jc12") == "not-authorized"
        self.is_changed(HASH, "juliet")
        self.can_log_in("jc12")

    def settles(self) -> Client:
        """She has a contact and a room."""
        juliet = self.comes("juliet")
        assert juliet.bare == f"juliet@{DOMAIN}"
        for one, other in ((juliet, self.romeo), (self.romeo, juliet)):
            one.send(f"<presence type='subscribe' to='{other.bare}'/>")
            one.fence()
            other.send(f"<presence type='subscribed' to='{one.bare}'/>")
            other.fence()
        juliet.send(f"<presence to='{ROOM}/Juliet'><x xmlns='{NS_MUC}'/></presence>")
        juliet.fence()
        assert juliet.ask(f"<iq type='set' id='own' to='{ROOM}'>{INSTANT}</iq>").get("type") == "result"
        return juliet

    def has_another_password(self, juliet: Client) -> None:
        self.is_changed(OTHER)
        self.is_out(juliet)
        self.can_log_in("juliet")

    def is_locked_for_a_while(self) -> None:
        """Messages come all the same."""
        juliet = self.comes("juliet")
        self.is_changed("*")
        self.is_out(juliet)
        assert self.it.state("juliet") == "locked"
        assert is_there(self.romeo, "juliet")
        self.is_changed(OTHER)
        self.can_log_in("juliet")

    def marries(self) -> None:
        """Contacts and room follow, and the former address is an alias."""
        juliet = self.comes("juliet")
        self.is_changed(OTHER, "mrs.montague")
        self.is_out(juliet, "reset")
        soon(lambda: self.it.state("mrs.montague") == "active")
        soon(lambda: f"mrs.montague@{DOMAIN}" in self.it.run("room", "members", ROOM).stdout)
        assert is_there(self.romeo, "juliet")
        assert roster(self.romeo) == {f"mrs.montague@{DOMAIN}": "both"}
        assert self.it.outcome("juliet") is None

    def leaves(self) -> None:
        """Out at once, and as if she had never been there."""
        juliet = self.comes("jules")
        self.romeo.fence()
        self.is_changed(None)
        self.is_out(juliet)
        assert any(each.get("type") == "unavailable" for each in self.romeo.fence())
        soon(lambda: self.it.state("mrs.montague") == "departed")
        assert self.it.outcome("mrs.montague") == "not-authorized"
        assert not is_there(self.romeo, "mrs.montague")
        assert not is_there(self.romeo, "juliet")

    def comes_back(self) -> None:
        """All is as it was."""
        self.is_changed(OTHER)
        self.can_log_in("jc12")
        assert roster(self.comes("mrs.montague")) == {f"romeo@{DOMAIN}": "both"}

    def leaves_for_good(self) -> None:
        self.is_changed(None)
        soon(lambda: self.it.state("mrs.montague") == "departed")
        time.sleep(1.0)


def roster(client: Client) -> dict[str | None, str | None]:
    answer = client.ask("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>")
    return {item.get("jid"): item.get("subscription") for item in answer[0]}


@pytest.mark.timeout(150)
def test_a_whole_life(it: Institution) -> None:
    with ExitStack() as opened:
        life = Life(it, opened)
        life.arrives()
        life.has_another_password(life.settles())
        life.is_locked_for_a_while()
        life.marries()
        life.leaves()
        life.comes_back()
        life.leaves_for_good()
    it.server.stop()
    it.server.start()  # when a service starts, it looks whose time is over
    soon(lambda: it.state("mrs.montague") is None)
    assert "montague" not in it.run("user", "list").stdout
    assert "montague" not in it.run("room", "members", ROOM).stdout
    with online(it.server, "romeo") as romeo:
        assert set(roster(romeo).values()) == {"none"}
        assert not is_there(romeo, "mrs.montague")
    first = ["entry:appeared", "state:made", "hash:changed", "entry:locked", "entry:unlocked"]
    then = ["entry:departed", "entry:appeared", "state:restored", "entry:departed", "state:erased"]
    assert it.life("juliet") == [*first, "entry:renamed"]
    assert it.life("mrs.montague") == ["entry:renamed", *then]
    files = it.records("--tag", "account:files:changed")
    assert len(files) == 9, "the first reading, and each change"
