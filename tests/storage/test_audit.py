"""The contracts of `TokenStore`, `AuditStore` and `StatisticStore`."""

from dataclasses import replace
from datetime import UTC, datetime

from commonroom.storage.interfaces import Stores
from commonroom.storage.records import ApiToken, AuditFilter, AuditRecord, DailyStatistic
from tests.storage.conftest import Run

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIRST = ApiToken("first", b"1" * 32, ("metrics:read", "accounts:read"), NOON)
SECOND = ApiToken("second", b"2" * 32, ("metrics:read",), NOON, datetime(2026, 4, 1, tzinfo=UTC))
LOGIN = AuditRecord(1_000_000, "auth:login:succeeded", "a@b", None, "192.0.2.1", '{"mechanism": "PLAIN"}')
FAILED = replace(LOGIN, at=2_000_000, tag="auth:login:failed", facts="{}")
MESSAGE = AuditRecord(3_000_000, "message:chat:sent", "a@b", "c@d", None, '{"bytes": 3}')
OPERATOR = AuditRecord(3_000_000, "operator:user:show", "x@b")
ALL = (LOGIN, FAILED, MESSAGE, OPERATOR)


def test_tokens_are_found_by_their_digest(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        assert await stores.tokens.load() == ()
        for token in (SECOND, FIRST):
            stores.tokens.put(token)
        await stores.writes.flushed()
        assert await stores.tokens.load() == (FIRST, SECOND)
        assert await stores.tokens.find(b"2" * 32) == SECOND
        assert await stores.tokens.find(b"3" * 32) is None
        stores.tokens.put(replace(FIRST, scopes=()))
        stores.tokens.remove("second")
        stores.tokens.remove("third")
        await stores.writes.flushed()
        assert await stores.tokens.load() == (replace(FIRST, scopes=()),)

    run(scenario)


def test_records_are_found_by_all_that_is_wanted_of_them(run: Run) -> None:
    wanted = {
        AuditFilter(): (OPERATOR, MESSAGE, FAILED, LOGIN),
        AuditFilter(tag="auth:"): (FAILED, LOGIN),
        AuditFilter(tag="auth:login:failed"): (FAILED,),
        AuditFilter(tag="auth"): (),
        AuditFilter(who="c@d"): (MESSAGE,),
        AuditFilter(who="a@b", since=2_000_000): (MESSAGE, FAILED),
        AuditFilter(until=2_000_000): (LOGIN,),
        AuditFilter(address="192.0.2.1", tag="auth:login:"): (FAILED, LOGIN),
        AuditFilter(address="192.0.2.2"): (),
    }

    async def scenario(stores: Stores) -> None:
        stores.audit.add(ALL[:2])
        stores.audit.add(ALL[2:])
        await stores.writes.flushed()
        for each, found in wanted.items():
            assert await stores.audit.find(each, 10) == found, each
        assert await stores.audit.find(AuditFilter(), 2) == (OPERATOR, MESSAGE)

    run(scenario)


def test_records_of_a_kind_are_forgotten_the_oldest_first(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.audit.add(ALL)
        await stores.writes.flushed()
        assert await stores.audit.purge("auth:", 1_000_000, 10) == 0
        assert await stores.audit.purge("auth:", 9_000_000, 1) == 1
        assert await stores.audit.find(AuditFilter(tag="auth:"), 10) == (FAILED,)
        assert await stores.audit.purge("auth:", 9_000_000, 10) == 1
        assert await stores.audit.find(AuditFilter(), 10) == (OPERATOR, MESSAGE)

    run(scenario)


def test_a_visitor_counts_once_a_day_and_is_forgotten_with_it(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        statistics = stores.statistics
        for pseudonym, client in ((b"a", "Nightingale"), (b"a", "Owl"), (b"b", "Owl"), (b"c", "Owl")):
            statistics.visit(7, pseudonym, client)
        statistics.visit(8, b"a", "Owl")
        await stores.writes.flushed()
        assert await statistics.visits(7) == {"Nightingale": 1, "Owl": 2}
        await statistics.close(7)
        assert await statistics.visits(7) == {}
        assert await statistics.visits(8) == {"Owl": 1}

    run(scenario)


def test_the_last_number_of_a_day_stays(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.statistics.put([DailyStatistic(7, "users", 1), DailyStatistic(8, "users", 2)])
        stores.statistics.put([DailyStatistic(8, "users", 3), DailyStatistic(8, "messages", 4)])
        await stores.writes.flushed()
        assert await stores.statistics.load(8) == (
            DailyStatistic(8, "messages", 4),
            DailyStatistic(8, "users", 3),
        )

    run(scenario)
