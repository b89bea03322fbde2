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
from commonroom.admin.operation import Argument, Form, Operation
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
# Ends everything: see the test of its own.
LAST = "drain"
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
    "s2s list": Wish({"domain": "example.net"}, ""),
    "s2s close": Wish({"domain": "example.net"}, "0"),
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
        self.bob: RawClient | None = None
        self.lacking: dict[Scope, str] = {}
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
        return self.post(operation, arguments, self.token)[1]

    def post(self, operation: Operation, arguments: Mapping[str, Any], token: str) -> tuple[int, str]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{operation.path}",
            json.dumps(arguments).encode(),
            {"authorization": f"Bearer {token}", "content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def chat(self, operation: Operation, arguments: Mapping[str, Any]) -> str:
        node = node_of(operation)
        answer = self.execute(self.alice, node)
        if "status='executing'" not in answer:
            return answer
        session = re.search(r"sessionid='([^']+)'", answer)
        assert session is not None
        fields = "".join(_field(operation, name, value) for name, value in arguments.items())
        form = f"<x xmlns='jabber:x:data' type='submit'>{fields}</x>"
        answer = self.execute(self.alice, node, f"sessionid='{session[1]}'", form)
        if "type='error'" in answer:  # the form stays open, for another try
            self.execute(self.alice, node, f"sessionid='{session[1]}' action='cancel'")
        return answer

    def execute(self, client: RawClient, node: str, more: str = "", inside: str = "") -> str:
        self.number += 1
        name = f"c{self.number}"
        client.send(
            f"<iq type='set' id='{name}' to='localhost'><command xmlns='http://jabber.org/protocol/commands'"
            f" node='{node}' {more}>{inside}</command></iq>"
        )
        got = client.expect(f"id='{name}'")
        return got if got.endswith("</iq>") else got + client.expect("</iq>")


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


@contextmanager
def opened(folder: Path) -> Iterator[Doors]:
    api, servers = free_ports(2)
    more = (
        f"[api]\nlisten = ['127.0.0.1:{api}']\n[roles]\noperator = ['alice@localhost']\n"
        f"[federation]\nenabled = true\nlisten = ['127.0.0.1:{servers}']\nlisten_direct_tls = []\n"
    )
    with operated(folder, more) as (config, _):
        it = Doors(config, api)
        with it.alice:
            yield it
        if it.bob is not None:
            it.bob.__exit__(None, None, None)


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    with opened(tmp_path_factory.mktemp("skins")) as it:
        for skin in SKINS:
            for name in (skin, f"gone-{skin}"):
                wish = {"address": f"{name}@localhost", "password": "secret"}
                it.api(OPERATIONS["user add"], wish)
            it.api(OPERATIONS["token add"], {"name": f"old-{skin}", "scopes": ["metrics:read"]})
            room = {"address": f"old-{skin}@group.localhost", "owner": "alice@localhost"}
            it.api(OPERATIONS["room create"], room)
        it.api(OPERATIONS["room create"], {"address": CHESS, "owner": "alice@localhost"})
        it.api(OPERATIONS["user add"], {"address": "bob@localhost", "password": "secret"})
        yield it


def ask(doors: Doors, skin: str, operation: Operation, arguments: Mapping[str, Any]) -> str:
    way: Callable[[Operation, Mapping[str, Any]], str] = getattr(doors, skin)
    return way(operation, arguments)


def test_every_operation_is_tried() -> None:
    assert WISHES.keys() | {LAST} == OPERATIONS.keys()


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
def test_the_last_operation_through_a_skin(tmp_path: Path, skin: str) -> None:
    with opened(tmp_path) as it:
        answer = ask(it, skin, OPERATIONS[LAST], {"over": 1})
        assert re.search(r"connections\D+1", answer), answer
        assert "<system-shutdown" in it.alice.closed()
        assert "draining" in (tmp_path / "errors.txt").read_text()


# Bad input: for each argument of each operation, whatever operations there will be.

ARGUMENTS = [(each.name, argument.name) for each in OPERATIONS.values() for argument in each.arguments]


def good(name: str, skin: str = "api") -> dict[str, Any]:
    """Arguments with which it would be done, or at least tried."""
    words = {"who": f"{skin}@localhost", "skin": skin}
    arguments = {"over": 1} if name == LAST else WISHES[name].arguments
    return {key: v.format(**words) if isinstance(v, str) else v for key, v in arguments.items()}


def argument_of(name: str, argument: str) -> Argument:
    return next(each for each in OPERATIONS[name].arguments if each.name == argument)


def wrong_values(argument: Argument) -> list[Any]:
    """Of other types, and of its type but out of all reason."""
    hint = str(argument.type)
    wrong: list[Any] = [{"a": 1}, {}, 0.5, [[]], [None], [1]]
    if "tuple" not in hint:
        wrong += [[], ["a"]]
    if "bool" not in hint:
        wrong += [True]
    if "int" in hint or "bool" in hint:
        wrong += ["1", ""]
    if hint == "<class 'int'>" or "int |" in hint:
        wrong += [-1, 10**9 + 1, 10**30]
    if argument.is_required:
        wrong += [None]
    if "datetime" in hint:
        wrong += ["yesterday", "2026-03-01", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"]
    if "str" in hint:
        wrong += ["\ud800", "a\0b", "\x1b[2J", "x" * 100_000, 1]
    return wrong


@pytest.mark.parametrize(("name", "argument"), ARGUMENTS)
def test_wrong_values_are_refused_and_named(doors: Doors, name: str, argument: str) -> None:
    for value in wrong_values(argument_of(name, argument)):
        status, answer = doors.post(OPERATIONS[name], {**good(name), argument: value}, doors.token)
        assert status == 400, (value, answer)
        assert json.loads(answer)["error"]["text"].startswith(f"{argument}: "), (value, answer)


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_argument_that_it_does_not_have_is_refused(doors: Doors, name: str) -> None:
    status, answer = doors.post(OPERATIONS[name], {**good(name), "colour": "red"}, doors.token)
    assert status == 400
    assert "colour: " in answer


@pytest.mark.parametrize(
    ("name", "argument"), [(n, a) for n, a in ARGUMENTS if argument_of(n, a).is_required]
)
@pytest.mark.parametrize("skin", SKINS)
def test_what_is_missing_is_told(doors: Doors, name: str, argument: str, skin: str) -> None:
    if skin == "command" and (name in OWN_WORDS or argument_of(name, argument).form is Form.SECRET):
        return  # the words of these are asked for, or tried in test_room.py
    given = {key: value for key, value in good(name, skin).items() if key != argument}
    answer = ask(doors, skin, OPERATIONS[name], given)
    assert re.search(r"Error|Usage|\"error\"|type='error'", answer), answer


NOT_TEXT = re.compile(r"int|bool|datetime|Level|Scope")


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        (n, a)
        for n, a in ARGUMENTS
        if NOT_TEXT.search(str(argument_of(n, a).type)) or argument_of(n, a).form is Form.DOMAIN
    ],
)
@pytest.mark.parametrize("skin", ["command", "chat"])
def test_text_that_is_no_such_value_is_refused(doors: Doors, name: str, argument: str, skin: str) -> None:
    declared = argument_of(name, argument)
    if skin == "command" and declared.type is bool:
        return  # it is a flag, without a value
    value: Any = ["@@"] if "tuple" in str(declared.type) else "@@"
    answer = ask(doors, skin, OPERATIONS[name], {**good(name, skin), argument: value})
    assert re.search(r"Error|type='error'", answer), answer
    assert argument.removesuffix("s") in answer or name in OWN_WORDS


STRANGE = (
    "nobody@localhost",
    "alice@example.net",
    "@",
    "a@b@c/d/",
    "alice@localhost\n",
    "no room@group.localhost",
)
ADDRESSES = [(n, a) for n, a in ARGUMENTS if argument_of(n, a).form is Form.ADDRESS]
# Anybody may be looked for in records and archives, and another room may be anywhere.
ANYBODY = {("audit find", "who"), ("room destroy", "alternate"), ("archive erase", "peer")}


@pytest.mark.parametrize("skin", SKINS)
@pytest.mark.parametrize(("name", "argument"), sorted(set(ADDRESSES) - ANYBODY))
def test_addresses_of_nobody_are_refused(doors: Doors, name: str, argument: str, skin: str) -> None:
    for address in STRANGE[name == "user add" :]:
        answer = ask(doors, skin, OPERATIONS[name], {**good(name, skin), argument: address})
        assert re.search(r"Error|\"error\"|type='error'|<note type='error'", answer), (address, answer)
        assert not re.search('Traceback|internal-server-error|"failed"', answer)


@pytest.mark.parametrize("name", OPERATIONS)
def test_without_its_scope_a_token_does_nothing(doors: Doors, name: str) -> None:
    lacking = OPERATIONS[name].scope
    wish = {
        "name": f"without-{lacking.replace(':', '-')}",
        "scopes": [each for each in Scope if each is not lacking],
    }
    if lacking not in doors.lacking:
        doors.lacking[lacking] = json.loads(doors.api(OPERATIONS["token add"], wish))["result"]["token"]
    status, answer = doors.post(OPERATIONS[name], good(name), doors.lacking[lacking])
    assert status == 403
    assert f"needs the scope {lacking}" in answer


@pytest.mark.parametrize("token", ["", "crt_x", "a b"])
def test_without_a_token_nothing_is_done(doors: Doors, token: str) -> None:
    """Each costs a second, whatever is asked for; see tests/admin/test_api.py."""
    assert doors.post(OPERATIONS["user list"], {}, token)[0] == 401


@pytest.mark.parametrize("name", OPERATIONS)
def test_who_has_no_role_runs_no_command(doors: Doors, name: str) -> None:
    if doors.bob is None:
        doors.bob = RawClient(doors_port(doors), doors.config.parent / "var" / "certificate.pem")
        doors.bob.login("bob", "secret")
    answer = doors.execute(doors.bob, node_of(OPERATIONS[name]))
    assert "type='error'" in answer
    assert "<item-not-found" in answer or "<forbidden" in answer
