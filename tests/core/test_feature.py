"""How declarations become tables: what is refused, what is collected, and in which order."""

import pytest

from commonroom.core.feature import (
    DeclarationError,
    Feature,
    Scope,
    compile_features,
    on_iq,
    on_message,
    on_session,
)
from commonroom.core.message import Received, Sent
from commonroom.core.moments import Moment
from commonroom.core.session import Session
from commonroom.core.user import User
from commonroom.protocol.stanza import Iq, IqType, Message
from commonroom.xml.element import Element

EVERYBODY = frozenset[str]()


class Ping(Feature):
    disco = ("urn:ping", "urn:common")
    account_disco = ("urn:ping",)

    @on_iq("get", "urn:ping", "ping", "pong", to=(Scope.SERVER, Scope.OWN_ACCOUNT))
    def answer(self, iq: Iq, at: object) -> None:
        """Two names in two scopes."""


class OtherPing(Feature):
    @on_iq("get", "urn:ping", "pong", to=Scope.SERVER)
    def answer(self, iq: Iq, at: object) -> None: ...


class Stages(Feature):
    """Declared in an order that is not that of a message's life."""

    def __init__(self, name: str) -> None:
        self.name = name

    @on_message(Received.STORE)
    def store(self, message: Message, user: User) -> None: ...

    @on_message(Received.BLOCK)
    def block(self, message: Message, user: User) -> None: ...

    @on_message(Received.COPY, wants="carbons")
    def copy(self, message: Message, user: User) -> None: ...

    @on_message(Sent.ARCHIVE)
    @on_message(Received.ARCHIVE)
    def archive(self, message: Message, user: User) -> None: ...

    @on_session(Moment.BOUND)
    @on_session(Moment.CLOSED)
    def came_or_went(self, session: Session) -> None: ...


# What is refused


def test_two_owners_of_one_iq_are_refused_by_name():
    with pytest.raises(DeclarationError, match=r"OtherPing.*Ping.*urn:ping"):
        compile_features([Ping(), OtherPing()])


def test_a_feature_cannot_be_listed_twice():
    with pytest.raises(DeclarationError):
        compile_features([Ping(), Ping()])


# What is collected


def test_each_name_in_each_scope_is_found():
    ping = Ping()
    tables = compile_features([ping])
    assert tables.iq == {
        (scope, IqType.GET, "urn:ping", name): ping.answer
        for scope in (Scope.SERVER, Scope.OWN_ACCOUNT)
        for name in ("ping", "pong")
    }


def test_what_is_inherited_counts_unless_it_is_replaced():
    class Third(Ping):
        @on_iq("set", "urn:ping", "ping", to=Scope.SERVER)
        def take(self, iq: Iq, at: object) -> None: ...

    class Fourth(Third):
        def answer(self, iq: Iq, at: object) -> None: ...

    assert len(compile_features([Third()]).iq) == 5
    assert list(compile_features([Fourth()]).iq) == [(Scope.SERVER, IqType.SET, "urn:ping", "ping")]


def test_what_is_announced_is_sorted_and_there_once():
    class Third(Feature):
        disco = ("urn:a", "urn:common")

        def disco_forms(self) -> tuple[Element, ...]:
            return (Element("jabber:x:data", "x"),)

    tables = compile_features([Ping(), Third()])
    assert tables.disco == ("urn:a", "urn:common", "urn:ping")
    assert tables.account_disco == ("urn:ping",)
    assert tables.disco_forms == (Element("jabber:x:data", "x"),)


def test_features_learn_of_the_tables_when_all_are_compiled():
    seen = []

    class Curious(Feature):
        def compiled(self, tables) -> None:
            seen.append(tables.disco)

    compile_features([Curious(), Ping()])
    assert seen == [("urn:common", "urn:ping")]


# In which order


def test_stages_are_in_the_order_of_a_messages_life_and_then_of_the_catalog():
    one, two = Stages("one"), Stages("two")
    tables = compile_features([one, two])
    assert tables.received[EVERYBODY] == (one.block, two.block, one.archive, two.archive)
    assert tables.delivery[EVERYBODY] == (one.store, two.store)
    assert tables.sent[EVERYBODY] == (one.archive, two.archive)


def test_a_stage_that_must_be_wanted_is_only_for_those_who_want_it():
    one = Stages("one")
    tables = compile_features([one])
    assert one.copy not in tables.delivery[EVERYBODY]
    assert tables.delivery[frozenset(("carbons", "other"))] == (one.copy, one.store)
    assert [want for want, _ in tables.delivery.entries()] == ["carbons", None]


def test_moments_are_told_in_the_order_of_the_catalog():
    one, two = Stages("one"), Stages("two")
    tables = compile_features([one, two])
    assert (
        tables.session[Moment.BOUND] == tables.session[Moment.CLOSED] == (one.came_or_went, two.came_or_went)
    )
    assert tables.session[Moment.AVAILABLE] == ()
