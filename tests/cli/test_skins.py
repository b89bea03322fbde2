"""Every operation through each of its three skins: a command, the HTTP API, and an ad-hoc command."""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

import pytest

from commonroom.admin.ad_hoc import node_of
from commonroom.admin.operation import Form, Operation
from commonroom.admin.operations import operations
from commonroom.admin.registry import Registry
from commonroom.admin.scopes import Scope
from commonroom.cli.with_registry import with_registry
from commonroom.config import load
from commonroom.protocol.jid import JID
from commonroom.storage.records import Device
from tests.admin.registries import NOW

from .commands import run, worked
from .operated import free_ports, online, operated
from .raw_client import RawClient

SKINS = ("command", "api", "chat")
OPERATIONS = {each.name: each for each in operations()}
# Ends the service (test_reload.py), or wants other servers (tests/lab).
ELSEWHERE = {"drain", "s2s list", "s2s close"}
# Of which it is enough here that they say why not.
REFUSED = {"certificate self-signed", "room approve", "room refuse"}
CHESS = "chess@group.localhost"
CLIENT = "d4565fa7-4d72-4749-b3d3-740edbf87770"


class Wish(NamedTuple):
    """What is asked for; `{who}` is an account of the skin's own, `{skin}` the skin."""

    arguments: Mapping[str, Any]
    expected: str


WISHES = {
    "user add": Wish({"address": "new-{skin}@localhost", "password": "secret"}, "new-{skin}@localhost"),
    "user list": Wish({"domain": "localhost"}, "{who}"),
    "user show": Wish({"address": "{who}"}, "{who}"),
    "user passwd": Wish({"address": "{who}", "password": "another"}, "{who}"),
    "user disable": Wish({"address": "{who}"}, "{who}"),
    "user enable": Wish({"address": "{who}"}, "{who}"),
    "user remove": Wish({"address": "gone-{skin}@localhost"}, "gone-{skin}@localhost"),
    "session list": Wish({}, "alice@localhost/"),
    "session show": Wish({"address": "alice@localhost"}, "alice@localhost/"),
    "session kick": Wish({"address": "bob@localhost"}, "1"),
    "session clients": Wish({"address": "{who}"}, CLIENT),
    "session revoke": Wish({"address": "{who}", "client": CLIENT}, "{who}"),
    "archive expire": Wish({"dry_run": True}, ""),
    "archive erase": Wish({"address": "{who}"}, "{who}"),
    "token add": Wish({"name": "t-{skin}", "scopes": ["metrics:read"]}, "crt_"),
    "token list": Wish({}, "all"),
    "token remove": Wish({"name": "old-{skin}"}, ""),
    "room list": Wish({}, "chess@group.localhost"),
    "room show": Wish({"address": CHESS}, CHESS),
    "room create": Wish({"address": "new-{skin}@group.localhost", "owner": "alice@localhost"}, "new-{skin}@"),
    "room set": Wish({"address": CHESS, "options": ["name=Club of {skin}"]}, CHESS),
    "room members": Wish({"address": CHESS}, "alice@localhost"),
    "room affiliate": Wish({"address": CHESS, "person": "{who}", "affiliation": "member"}, CHESS),
    "room history": Wish({"address": CHESS}, ""),
    "room destroy": Wish({"address": "old-{skin}@group.localhost"}, "old-{skin}@"),
    "room requests": Wish({}, ""),
    "room approve": Wish({"address": "wish-{skin}@group.localhost"}, "wish-{skin}@"),
    "room refuse": Wish({"address": "wish-{skin}@group.localhost"}, "wish-{skin}@"),
    "audit find": Wish({"tag": "operator:", "limit": 5}, "operator:"),
    "audit statistics": Wish({"days": 2}, ""),
    "certificate show": Wish({}, "CN=localhost"),
    "certificate check": Wish({}, "self-signed"),
    "certificate self-signed": Wish({"domain": "localhost"}, "exists already"),
    "certificate request": Wish({}, "BEGIN CERTIFICATE REQUEST"),
    "dns records": Wish({"target": "chat.example.org"}, "_xmpp-client._tcp.localhost."),
    "stats": Wish({}, "sessions"),
    "announce": Wish({"text": "Hello from {skin}"}, "sessions"),
    "log level": Wish({"level": "warning"}, "warning"),
    "reload": Wish({}, ""),
}  # fmt: skip


# Commands whose words are not made of the operation's arguments.
OWN_WORDS: Mapping[str, Callable[[Mapping[str, Any]], list[str]]] = {
    "room create": lambda given: ["room", "create", given["address"], "--owner", given["owner"]],
    "room set": lambda given: ["room", "set", given["address"], *given["options"]],
    "room affiliate": lambda given: [
        "room", "members", given["address"], "--set", given["person"], given["affiliation"]
    ],
    "room history": lambda given: ["room", "history", given["address"], "--last", str(given.get("limit", 5))],
}  # fmt: skip


class Doors:
    """A running service, where Alice is an operator and connected."""

    def __init__(self, config: Path, port: int) -> None:
        self.config = config
        self.port = port
        made = worked(run("token", "add", "all", *_scopes(), "--json", "-c", config))
        self.token = json.loads(made)["token"]
        self.alice = online(config)
        self.number = 0

    def command(self, operation: Operation, arguments: Mapping[str, Any]) -> str:
        if operation.name in OWN_WORDS:
            return str(run(*OWN_WORDS[operation.name](arguments), "-c", self.config).output)
        words: list[str] = [*operation.words]
        secret = None
        for argument in operation.arguments:
            value = arguments.get(argument.name)
            if value is None:
                continue
            if argument.form is Form.SECRET:
                secret = value
                words.append("--password-stdin")
            elif argument.is_required and not isinstance(value, list):
                words.append(str(value))
            else:
                words += _option(argument.name, value)
        if operation.name in ("user remove", "archive erase", "room destroy"):
            words.append("--yes")
        result = run(*words, "-c", self.config, stdin=secret)
        return str(result.output)

    def api(self, operation: Operation, arguments: Mapping[str, Any]) -> str:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{operation.path}",
            json.dumps(arguments).encode(),
            {"authorization": f"Bearer {self.token}", "content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return str(response.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return error.read().decode()

    def chat(self, operation: Operation, arguments: Mapping[str, Any]) -> str:
        node = node_of(operation)
        answer = self._execute(node)
        if "status='executing'" not in answer:
            return answer
        session = re.search(r"sessionid='([^']+)'", answer)
        assert session is not None
        fields = "".join(_field(operation, name, value) for name, value in arguments.items())
        form = f"<x xmlns='jabber:x:data' type='submit'>{fields}</x>"
        return self._execute(node, f"sessionid='{session[1]}'", form)

    def _execute(self, node: str, more: str = "", inside: str = "") -> str:
        self.number += 1
        name = f"c{self.number}"
        self.alice.send(
            f"<iq type='set' id='{name}' to='localhost'><command xmlns='http://jabber.org/protocol/commands'"
            f" node='{node}' {more}>{inside}</command></iq>"
        )
        got = self.alice.expect(f"id='{name}'")
        return got if got.endswith("</iq>") else got + self.alice.expect("</iq>")


def _scopes() -> list[str]:
    return [word for scope in Scope for word in ("--scope", scope)]


def _option(name: str, value: Any) -> list[str]:
    flag = f"--{name.replace('_', '-')}"
    if name == "peer":
        flag = "--with"
    if value is True:
        return [flag]
    if isinstance(value, list):
        return [word for each in value for word in (flag.removesuffix("s"), each)]
    return [flag, str(value)]


def _field(operation: Operation, name: str, value: Any) -> str:
    argument = next(each for each in operation.arguments if each.name == name)
    texts = value if isinstance(value, list) else [{True: "1"}.get(value, str(value))]
    values = "".join(f"<value>{escape(text)}</value>" for text in texts)
    return f"<field var='{argument.var or name}'>{values}</field>"


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    (port,) = free_ports(1)
    more = f"[api]\nlisten = ['127.0.0.1:{port}']\n[roles]\noperator = ['alice@localhost']\n"
    with operated(tmp_path_factory.mktemp("skins"), more) as (config, _):
        it = Doors(config, port)
        for skin in SKINS:
            for name in (skin, f"gone-{skin}"):
                wish = {"address": f"{name}@localhost", "password": "secret"}
                it.api(OPERATIONS["user add"], wish)
            it.api(OPERATIONS["token add"], {"name": f"old-{skin}", "scopes": ["metrics:read"]})
            room = {"address": f"old-{skin}@group.localhost", "owner": "alice@localhost"}
            it.api(OPERATIONS["room create"], room)
        it.api(OPERATIONS["room create"], {"address": CHESS, "owner": "alice@localhost"})
        it.api(OPERATIONS["user add"], {"address": "bob@localhost", "password": "secret"})
        with it.alice:
            yield it


def ask(doors: Doors, skin: str, operation: Operation, arguments: Mapping[str, Any]) -> str:
    way: Callable[[Operation, Mapping[str, Any]], str] = getattr(doors, skin)
    return way(operation, arguments)


def test_every_operation_is_tried() -> None:
    assert WISHES.keys() | ELSEWHERE == OPERATIONS.keys()


@pytest.mark.parametrize("skin", SKINS)
@pytest.mark.parametrize("name", WISHES)
def test_an_operation_through_a_skin(doors: Doors, name: str, skin: str) -> None:
    words = {"who": f"{skin}@localhost", "skin": skin}
    wish = WISHES[name]
    given = {key: v.format(**words) if isinstance(v, str) else v for key, v in wish.arguments.items()}
    with _prepared(doors, name, words["who"]):
        answer = ask(doors, skin, OPERATIONS[name], given)
    if not (skin == "command" and name in SILENT):
        assert wish.expected.format(**words) in answer, answer
    if name not in REFUSED:
        assert "rror" not in answer, answer
    found = json.loads(doors.api(OPERATIONS["audit find"], {"tag": "operator:", "limit": 3}))["result"]
    way = {"command": "socket", "api": "api", "chat": "chat"}[skin]
    assert any(each["facts"]["way"] == way for each in found), found


# Commands that say nothing in a pipe when all is well.
SILENT = {f"user {verb}" for verb in ("add", "passwd", "disable", "enable", "remove")}
SILENT |= {"session revoke", "archive erase"}
SILENT |= {f"room {verb}" for verb in ("create", "set", "affiliate", "destroy")}


@contextmanager
def _prepared(doors: Doors, name: str, who: str) -> Iterator[None]:
    """What some operations need: a client of Bob's, or one that an account is known to have."""
    if name == "session kick":
        with RawClient(doors_port(doors), doors.config.parent / "var" / "certificate.pem") as client:
            client.login("bob", "secret")
            client.expect("<presence")
            yield
        return
    if name in ("session clients", "session revoke"):

        async def fill(registry: Registry) -> None:
            registry.stores.devices.put(JID.parse(who), Device(CLIENT, "Nightingale", "", NOW, NOW, True))
            await registry.stores.writes.flushed()

        with_registry(doors.config, fill)
    yield


def doors_port(doors: Doors) -> int:
    (address,) = load(doors.config).c2s.listen_direct_tls
    return address.port


@pytest.mark.parametrize("skin", SKINS)
@pytest.mark.parametrize("name", [name for name, each in OPERATIONS.items() if each.arguments])
def test_bad_input_to_every_operation_is_told(doors: Doors, name: str, skin: str) -> None:
    operation = OPERATIONS[name]
    required = [each.name for each in operation.arguments if each.is_required]
    wish: dict[str, Any] = dict.fromkeys(required, "@@") if required else {"limit": "x", "days": "x"}
    optional = {each.name for each in operation.arguments}
    if not required:
        wish = {key: value for key, value in wish.items() if key in optional} or {min(optional): "@@"}
    if "scopes" in wish:
        wish["scopes"] = ["everything"]
    answer = ask(doors, skin, operation, wish)
    if name in LENIENT:
        return
    assert re.search(r"Error|\"error\"|type='error'", answer), answer
    assert "Traceback" not in answer
    assert "internal-server-error" not in answer


# Any text will do, or anything but `1` is no.
LENIENT = {"room list", "announce", "archive expire", "session list", "user list", "dns records"}
