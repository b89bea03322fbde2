"""The path of a message, as the features of a configuration make it."""

import secrets
from collections.abc import Coroutine, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from commonroom.app.composition import build_core
from commonroom.config import Settings
from commonroom.core.feature import Feature
from commonroom.core.message import MessageStage, Received, Sent
from commonroom.core.surroundings import Surroundings
from commonroom.storage.memory import Memory, memory_stores


class Station(NamedTuple):
    """One of the names that every stanza of a client passes (docs/architecture.md)."""

    module: str
    name: str
    does: str


LINE = (
    Station("net.connection", "Connection.readable", "the socket: TLS, buffers, pause and resume"),
    Station("net.c2s", "ClientConnection.receive", "holds connection, stream and session together; its pace"),
    Station("protocol.c2s", "ServerStream.receive", "parses, negotiates TLS, login and resource"),
    Station("core.session", "Session.take", "one resource; its stanzas stay in order"),
    Station("core.router", "Router.submit", "stamps `from`; the domain of `to` names a destination"),
    Station("core.local", "LocalDomain.receive", "to the server itself, or to an account"),
    Station("core.message", "run", "the stages below"),
    Station("core.session", "Session.send", "to one client"),
    Station("net.connection", "Connection.flush", "once per turn of the loop"),
)


class Step(NamedTuple):
    """A feature's part in a stage; `wants` is what a user must have turned on, None if it is for all."""

    stage: str
    feature: str
    method: str
    module: str
    spec: str
    wants: str | None


class MessagePath(NamedTuple):
    """What happens to a message at the sender's account, and then at the recipient's."""

    sent: tuple[Step, ...]
    received: tuple[Step, ...]


def message_path(settings: Settings) -> MessagePath:
    """Compile the features as a service would, with nothing behind them."""
    core = build_core(settings, memory_stores(Memory()), _nothing_around())
    tables = core.tables
    return MessagePath(
        tuple(_steps(Sent, [*tables.sent.entries(), *tables.copies.entries()])),
        tuple(_steps(Received, [*tables.arriving.entries(), *tables.delivery.entries()])),
    )


def _steps(
    stages: type[Sent] | type[Received], entries: list[tuple[str | None, MessageStage]]
) -> Iterator[Step]:
    for stage in stages:
        for wants, method in entries:
            if any(getattr(mark, "stage", None) is stage for mark in _marks(method)):
                feature = _feature(method)
                yield Step(
                    stage.value,
                    type(feature).__name__,
                    method.__name__,
                    type(feature).__module__.removeprefix("commonroom."),
                    spec(feature),
                    wants,
                )


def _marks(method: Any) -> tuple[object, ...]:
    marks: tuple[object, ...] = getattr(method, "marks", ())
    return marks


def _feature(method: Any) -> Feature:
    feature: Feature = method.__self__
    return feature


def spec(feature: Feature) -> str:
    """The specification of a feature, as it is cited."""
    if feature.xep is not None:
        return f"XEP-{feature.xep.number}"
    return f"RFC {feature.rfc}" if feature.rfc else ""


def _nothing_around() -> Surroundings:
    def never(*arguments: object) -> Any:
        raise AssertionError("nothing runs here")

    def start(work: Coroutine[Any, Any, Any]) -> Any:
        work.close()
        return never()

    return Surroundings(start, never, lambda: datetime.now(UTC), secrets.token_bytes)
