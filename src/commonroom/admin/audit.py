"""Operations on records; to ask for them is itself recorded, as all operations are."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from commonroom.admin.desk import Call
from commonroom.admin.errors import BadArgument
from commonroom.admin.operation import Arg, Form, operation
from commonroom.admin.registry import Registry
from commonroom.admin.scopes import Scope
from commonroom.audit.statistics import DAY
from commonroom.audit.tags import Source, operator_tag
from commonroom.storage.records import AuditFilter, AuditRecord
from commonroom.storage.stamps import from_stamp, to_stamp

LARGEST_PAGE = 1000


@dataclass(frozen=True, slots=True)
class RecordFacts:
    """A record: what happened when, who did it, whom it concerned, and from where."""

    at: datetime
    tag: str
    who: str | None
    peer: str | None
    address: str | None
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Number:
    """A number of a day."""

    day: str
    name: str
    value: int


@operation("audit find", Scope.RECORDS_READ, "Find records, the newest first.", "--who alice@example.org")
async def find_records(
    registry: Registry,
    tag: Annotated[str | None, Arg("What happened: a tag, or its beginning, as auth:login:")] = None,
    who: Annotated[str | None, Arg("Who did it, or whom it concerned.", Form.ADDRESS)] = None,
    address: Annotated[str | None, Arg("The IP address.")] = None,
    since: Annotated[datetime | None, Arg("From this moment on, as 2026-03-01T12:00:00Z.")] = None,
    until: Annotated[datetime | None, Arg("Before this moment.")] = None,
    limit: Annotated[int, Arg(f"How many, {LARGEST_PAGE} at most.")] = 100,
) -> tuple[RecordFacts, ...]:
    """An address finds what an account's sessions did as well. Raises BadArgument."""
    if tag is not None and tag.partition(":")[0] not in set(Source):
        raise BadArgument(f"tag: it begins with one of: {', '.join(f'{source}:' for source in Source)}")
    wanted = AuditFilter(
        tag,
        who,
        address,
        None if since is None else to_stamp(since),
        None if until is None else to_stamp(until),
    )
    found = await registry.stores.audit.find(wanted, max(1, min(limit, LARGEST_PAGE)))
    return tuple(
        RecordFacts(from_stamp(each.at), each.tag, each.who, each.peer, each.address, json.loads(each.facts))
        for each in found
    )


@operation("audit statistics", Scope.SERVICE_READ, "Show numbers of the last days.", "--days 7")
async def statistics(
    registry: Registry, days: Annotated[int, Arg("How many days, today included.")] = 30
) -> tuple[Number, ...]:
    """By day and name; they name nobody."""
    today = to_stamp(registry.now()) // DAY
    found = await registry.stores.statistics.load(today - max(1, days) + 1)
    return tuple(
        Number(f"{from_stamp(0) + timedelta(days=each.day):%Y-%m-%d}", each.name, each.value)
        for each in found
    )


def record_of(call: Call, at: int) -> AuditRecord:
    """What is kept of an operation that somebody asked for; `at` is microseconds since 1970."""
    facts = {**call.arguments, "way": call.caller.way.value, "outcome": call.outcome}
    concerned = call.arguments.get("address") or call.arguments.get("who")
    tag = operator_tag(call.operation if call.scope is not None else "unknown")
    return AuditRecord(at, tag, call.caller.name, concerned, None, json.dumps(facts, ensure_ascii=False))


async def keep(registry: Registry, call: Call) -> None:
    """Keep the record of an operation; on disk when this returns. Raises StorageError."""
    writes = registry.stores.writes
    before = writes.appended
    registry.stores.audit.add([record_of(call, to_stamp(registry.now()))])
    await writes.flushed(before)
