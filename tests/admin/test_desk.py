"""The desk: bad wishes first, then what is done and recorded."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import pytest

from commonroom.admin.desk import Call, Caller, Desk, Way
from commonroom.admin.encoding import plain, read
from commonroom.admin.errors import (
    AdminError,
    BadArgument,
    NeedsService,
    NoSuchOperation,
    NotAllowed,
    OutOfReach,
)
from commonroom.admin.operation import Arg, Form, declared, operation
from commonroom.admin.operations import operations
from commonroom.admin.scopes import EVERYTHING, ROLES, Scope
from commonroom.protocol.jid import JID
from commonroom.storage.errors import StorageError
from tests.admin.registries import done


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class Told:
    who: JID
    at: datetime | None
    colours: tuple[Colour, ...] = ()


class Machine:
    """What the operations of these tests work with."""

    def __init__(self, works: bool = True) -> None:
        self.works = works


class Elsewhere:
    """What only a running service would have."""


@operation("machine paint", Scope.SERVICE_WRITE, "Paint it.", "red")
async def paint(
    machine: Machine,
    caller: Caller,
    elsewhere: Elsewhere | None,
    who: Annotated[str, Arg("Who paints.", Form.ADDRESS)],
    secret: Annotated[str, Arg("What nobody may know.", Form.SECRET)],
    colours: Annotated[tuple[Colour, ...], Arg("Which colours.")] = (),
    coats: Annotated[int, Arg("How many coats.")] = 1,
) -> Told:
    if not machine.works:
        raise StorageError("the disk is full")
    if coats > 2:
        raise AdminError("there is not so much paint")
    assert caller.name == "alice@example.org"
    assert elsewhere is None
    return Told(JID.parse(who), None, colours)


@operation("machine move", Scope.SERVICE_WRITE, "Move it.")
async def move(elsewhere: Elsewhere) -> None:
    raise AssertionError("nobody has one")


class Book:
    """Where calls are recorded."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    async def note(self, call: Call) -> None:
        self.calls.append(call)


async def nobody(call: Call) -> None:
    """Records nothing."""


ALICE = Caller(Way.CHAT, "alice@example.org", EVERYTHING)
GIVEN: Mapping[str, Any] = {"who": "bob@example.org", "secret": "hush"}


def desk(book: Book, machine: Machine | None = None) -> Desk:
    subjects = {Machine: machine or Machine()}
    return Desk((declared(paint), declared(move)), subjects, book.note)


@pytest.mark.parametrize(
    ("name", "arguments", "error", "text"),
    [
        ("machine break", {}, NoSuchOperation, "there is no such operation"),
        ("", {}, NoSuchOperation, "there is no such operation"),
        ("machine paint", {}, BadArgument, "who: it is missing; Who paints."),
        ("machine paint", {**GIVEN, "brush": 1}, BadArgument, "brush: machine paint has no such argument"),
        ("machine paint", {**GIVEN, "coats": "two"}, BadArgument, "coats: write a whole number"),
        ("machine paint", {**GIVEN, "coats": True}, BadArgument, "coats: write a whole number"),
        ("machine paint", {**GIVEN, "coats": None}, BadArgument, "coats: write a whole number"),
        ("machine paint", {**GIVEN, "colours": "red"}, BadArgument, "colours: write a list"),
        ("machine paint", {**GIVEN, "colours": ["blue"]}, BadArgument, "colours: write one of: red"),
        ("machine paint", {**GIVEN, "who": ["a"]}, BadArgument, "who: write a text"),
        ("machine paint", {**GIVEN, "secret": "a\0b"}, BadArgument, "secret: it has characters"),
        ("machine paint", {**GIVEN, "secret": "\ud800"}, BadArgument, "secret: it has characters"),
        ("machine paint", {**GIVEN, "coats": 3}, AdminError, "not so much paint"),
        ("machine move", {}, NeedsService, "the configuration of this service turns off what this is about"),
    ],
)
def test_a_wish_that_cannot_be_is_refused_and_recorded(
    name: str, arguments: Mapping[str, Any], error: type[AdminError], text: str
) -> None:
    book = Book()
    with pytest.raises(error, match=text):
        done(desk(book).call(name, arguments, ALICE))
    (call,) = book.calls
    assert (call.outcome, call.caller) == (error.kind, ALICE)


def test_without_a_service_it_is_told_that_there_is_none() -> None:
    with pytest.raises(NeedsService, match="this needs the service, which is not running"):
        done(desk(Book()).call("machine move", {}, ALICE._replace(way=Way.COMMAND)))


def test_who_lacks_the_scope_is_refused_before_anything_is_read() -> None:
    book = Book()
    auditor = ALICE._replace(scopes=ROLES["auditor"])
    with pytest.raises(NotAllowed, match=r"needs the scope service:write, which alice@example\.org lacks"):
        done(desk(book).call("machine paint", {"nonsense": 1}, auditor))
    assert [call.outcome for call in book.calls] == ["not-allowed"]
    assert desk(book).allowed(auditor) == []


def test_a_database_that_does_not_answer_is_told() -> None:
    book = Book()
    with pytest.raises(OutOfReach, match="the disk is full; try again later"):
        done(desk(book, Machine(works=False)).call("machine paint", GIVEN, ALICE))
    assert [call.outcome for call in book.calls] == ["unavailable"]


def test_what_was_done_is_recorded_without_its_secrets() -> None:
    book = Book()
    arguments = {**GIVEN, "colours": ["red"]}
    told = done(desk(book).call("machine paint", arguments, ALICE))
    assert told == Told(JID.parse("bob@example.org"), None, (Colour.RED,))
    (call,) = book.calls
    assert (call.operation, call.scope, call.outcome) == ("machine paint", Scope.SERVICE_WRITE, "done")
    assert call.arguments == {"who": "bob@example.org", "colours": "['red']"}


def test_what_is_to_be_done_afterwards_is() -> None:
    looked = []

    async def look() -> None:
        looked.append(True)

    it = Desk((declared(paint),), {Machine: Machine()}, nobody, {Scope.SERVICE_WRITE: look})
    done(it.call("machine paint", GIVEN, ALICE))
    with pytest.raises(AdminError):
        done(it.call("machine paint", {**GIVEN, "coats": 3}, ALICE))
    assert looked == [True]


def test_values_survive_json() -> None:
    told = Told(JID.parse("bob@example.org"), datetime(2026, 3, 1, 12, tzinfo=UTC), (Colour.RED,))
    assert plain(told) == {"who": "bob@example.org", "at": "2026-03-01T12:00:00Z", "colours": ["red"]}
    assert read(Told, plain(told)) == told
    assert read(dict[str, int], {"a": 1}) == {"a": 1}
    with pytest.raises(ValueError, match="who is missing"):
        read(Told, {})
    with pytest.raises(ValueError, match="write a moment with its zone"):
        read(Told, {"who": "a@b", "at": "2026-03-01"})


def test_every_operation_is_declared_in_full() -> None:
    known = operations()
    assert len({each.name for each in known}) == len(known)
    for each in known:
        assert each.summary.endswith("."), each.name
        assert all(
            argument.help.endswith((".", "_ -", "Z")) or ":" in argument.help for argument in each.arguments
        ), each.name
        assert each.result is not None, each.name
