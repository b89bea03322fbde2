"""How a feature is declared, and how the declarations become tables.

A decorator only attaches a mark to a method. `compile_features` reads the marks once, at start: it
refuses two owners of one IQ, collects what disco announces, and sorts the stages of a message.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from enum import Enum
from itertools import chain
from typing import Any, ClassVar, Literal, NamedTuple, TypeVar

from commonroom.core.message import (
    ARRIVING,
    RECEIVED_FIRST,
    RECEIVED_THEN,
    SENT_FIRST,
    SENT_THEN,
    MessageStage,
    Received,
    Sent,
    StageTable,
)
from commonroom.core.moments import Moment, SessionHandler
from commonroom.core.session import ElementHandler, Session
from commonroom.protocol.stanza import Iq, IqType
from commonroom.xml.element import Element

Method = TypeVar("Method", bound=Callable[..., Any])


class Xep(NamedTuple):
    """An extension and the version of its text that the code follows."""

    number: str
    version: str


class Scope(Enum):
    """To whom an IQ is addressed; what the handler is given beside it (in brackets)."""

    SERVER = "server"  # the domain itself [LocalDomain]
    OWN_ACCOUNT = (
        "own account"  # no `to`, or the sender's own bare address: the owner alone gets here [Session]
    )
    ACCOUNT = "account"  # the bare address of somebody else's account [User]


class Answered(Enum):
    """What a handler returns that has sent the answer itself, because its order matters."""

    ANSWERED = "answered"


ANSWERED = Answered.ANSWERED
Reply = Element | Answered | None
IqHandler = Callable[[Iq, Any], Reply | Awaitable[Reply]]
# Takes an element of a request to bind; and hears of a session that was bound by one (XEP-0386 §3.2).
BindHandler = Callable[[Element, Session], Element | None]
BoundHandler = Callable[[Session], Element | Awaitable[Element | None] | None]
IqKey = tuple[Scope, IqType, str, str]


class _IqMark(NamedTuple):
    kind: IqType
    namespace: str
    names: tuple[str, ...]
    scopes: tuple[Scope, ...]


class _MessageMark(NamedTuple):
    stage: Sent | Received
    wants: str | None
    rooms: bool


class _SessionMark(NamedTuple):
    moment: Moment


class _ElementMark(NamedTuple):
    namespace: str
    names: tuple[str, ...]


class _BindMark(NamedTuple):
    namespace: str
    names: tuple[str, ...]


class _BoundMark(NamedTuple):
    pass


def _attach(method: Method, mark: object) -> Method:
    marks = getattr(method, "marks", ())
    method.marks = (*marks, mark)  # type: ignore[attr-defined]  # functions carry attributes
    return method


def on_iq(
    kind: Literal["get", "set"], namespace: str, *names: str, to: Scope | tuple[Scope, ...]
) -> Callable[[Method], Method]:
    """The method answers a `get` or `set` whose child has one of these names.

    It returns the payload of the result (None: an empty result), `ANSWERED`, or an awaitable of either;
    it raises StanzaError to refuse.
    """
    scopes = to if isinstance(to, tuple) else (to,)
    return lambda method: _attach(method, _IqMark(IqType(kind), namespace, names, scopes))


def on_message(
    stage: Sent | Received, wants: str | None = None, rooms: bool = True
) -> Callable[[Method], Method]:
    """The method is a stage of a message's life; with `wants`, only for users who turned that on.

    Not `rooms`: it has nothing to do with what one of our rooms says to a client that somebody looks at.
    """
    return lambda method: _attach(method, _MessageMark(stage, wants, rooms))


def on_session(moment: Moment) -> Callable[[Method], Method]:
    """The method hears of this moment of each session."""
    return lambda method: _attach(method, _SessionMark(moment))


def on_element(namespace: str, *names: str) -> Callable[[Method], Method]:
    """The method takes these elements of a bound client's stream, which are no stanzas, and their session."""
    return lambda method: _attach(method, _ElementMark(namespace, names))


def on_bind(namespace: str, *names: str) -> Callable[[Method], Method]:
    """The method takes these elements of a request to bind (XEP-0386 §3.2), and the new session.

    It returns what the client is told of it, or None; `namespace` is announced.
    """
    return lambda method: _attach(method, _BindMark(namespace, names))


def on_bound(method: Method) -> Method:
    """The method is told of each session that is bound so, before its client is (XEP-0386 §3.2).

    It returns what the client is to know, or None, or an awaitable of either.
    """
    return _attach(method, _BoundMark())


class Feature:
    """One specification's part of the server. Subclasses declare; they are not called by name."""

    xep: ClassVar[Xep | None] = None
    rfc: ClassVar[str | None] = None
    disco: ClassVar[tuple[str, ...]] = ()  # announced by the domain
    account_disco: ClassVar[tuple[str, ...]] = ()  # announced by each account

    def disco_forms(self) -> tuple[Element, ...]:
        """What the domain's disco#info says beyond features (XEP-0128)."""
        return ()

    def compiled(self, tables: "Tables") -> None:
        """All features are compiled; only those that must know of the others override this."""

    def stream_features(self) -> tuple[Element, ...]:
        """What a stream announces once its client may bind (RFC 6120 §4.3.2); asked after `compiled`."""
        return ()


class Tables(NamedTuple):
    """What the features declared, ready to be looked up; a message's stages before and after the commit.

    `rooms`: those of a recipient that concern what our rooms say to a client that somebody looks at.
    """

    iq: dict[IqKey, IqHandler]
    sent: StageTable
    copies: StageTable
    arriving: StageTable
    received: StageTable
    delivery: StageTable
    rooms: StageTable
    session: dict[Moment, tuple[SessionHandler, ...]]
    elements: dict[tuple[str, str], ElementHandler]
    bind: dict[tuple[str, str], BindHandler]
    bound: tuple[BoundHandler, ...]
    disco: tuple[str, ...]
    account_disco: tuple[str, ...]
    disco_forms: tuple[Element, ...]


class DeclarationError(Exception):
    """Two features claim the same thing."""


def _marked(feature: Feature) -> Iterator[tuple[Callable[..., Any], object]]:
    """In the order of the class; what it inherits comes first."""
    classes = reversed(type(feature).__mro__)
    for name in dict.fromkeys(name for each in classes for name in vars(each)):
        for mark in getattr(getattr(type(feature), name), "marks", ()):
            yield getattr(feature, name), mark


def _claim(table: dict[IqKey, IqHandler], mark: _IqMark, handler: IqHandler) -> None:
    for scope in mark.scopes:
        for name in mark.names:
            key = (scope, mark.kind, mark.namespace, name)
            if key in table:
                raise DeclarationError(f"{handler} and {table[key]} both answer {key}")
            table[key] = handler


Stages = defaultdict[Sent | Received, list[tuple[str | None, MessageStage]]]


def _stage_table(stages: Stages, group: Sequence[Sent | Received]) -> StageTable:
    return StageTable([entry for stage in group for entry in stages[stage]])


class _Marks:
    """The marks of all features, by what they are."""

    def __init__(self) -> None:
        self.iq: dict[IqKey, IqHandler] = {}
        self.stages: Stages = defaultdict(list)
        self.rooms: list[tuple[str | None, MessageStage]] = []
        self.sessions: dict[Moment, list[SessionHandler]] = defaultdict(list)
        self.elements: dict[tuple[str, str], ElementHandler] = {}
        self.bind: dict[tuple[str, str], BindHandler] = {}
        self.bound: list[BoundHandler] = []

    def add(self, method: Callable[..., Any], mark: object) -> None:
        match mark:
            case _IqMark():
                _claim(self.iq, mark, method)
            case _MessageMark():
                self.stages[mark.stage].append((mark.wants, method))
                if mark.rooms and isinstance(mark.stage, Received):
                    self.rooms.append((mark.wants, method))
            case _SessionMark():
                self.sessions[mark.moment].append(method)
            case _ElementMark():
                self.elements |= {(mark.namespace, name): method for name in mark.names}
            case _BindMark():
                self.bind |= {(mark.namespace, name): method for name in mark.names}
            case _BoundMark():
                self.bound.append(method)


def compile_features(features: Sequence[Feature]) -> Tables:
    """Read every mark; within one stage, the catalog's order holds. Raises DeclarationError."""
    marks = _Marks()
    for method, mark in chain.from_iterable(map(_marked, features)):
        marks.add(method, mark)
    tables = Tables(
        marks.iq,
        _stage_table(marks.stages, SENT_FIRST),
        _stage_table(marks.stages, SENT_THEN),
        _stage_table(marks.stages, ARRIVING),
        _stage_table(marks.stages, RECEIVED_FIRST),
        _stage_table(marks.stages, RECEIVED_THEN),
        StageTable(marks.rooms),
        {moment: tuple(marks.sessions[moment]) for moment in Moment},
        marks.elements,
        marks.bind,
        tuple(marks.bound),
        _sorted_union(feature.disco for feature in features),
        _sorted_union(feature.account_disco for feature in features),
        tuple(form for feature in features for form in feature.disco_forms()),
    )
    for feature in features:
        feature.compiled(tables)
    return tables


def _sorted_union(announced: Iterator[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted({namespace for namespaces in announced for namespace in namespaces}))
