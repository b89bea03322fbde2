"""Operations on archives: what would expire, expiring it, and erasing (XEP-0313 §3.2)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from commonroom.admin.accounts import Address, find
from commonroom.admin.errors import BadAddress
from commonroom.admin.operation import Arg, Form, operation
from commonroom.admin.registry import Registry
from commonroom.admin.scopes import Scope
from commonroom.config import Settings
from commonroom.protocol.jid import JID, InvalidJID
from commonroom.storage.records import ArchiveAge, ArchiveFilter
from commonroom.storage.retention import KeepRule, KeepRules, due
from commonroom.storage.stamps import from_stamp, to_stamp

# A step is one transaction, which a running service may have to wait for: some 5 ms.
STEP = 100
_OWNERS_AT_ONCE = 200
_ALL = 2**62

DEFAULT_RULE = "archive.keep"


@dataclass(slots=True)
class Expiry:
    """What one rule lets go: so many messages in so many archives, the oldest of them from `since`."""

    rule: KeepRule
    messages: int = 0
    archives: int = 0
    since: datetime | None = None

    def add(self, messages: int, first: int) -> None:
        """Count one more archive; `first` is the id of its oldest message."""
        oldest = from_stamp(first)
        self.messages += messages
        self.archives += 1
        self.since = oldest if self.since is None else min(self.since, oldest)


@dataclass(frozen=True, slots=True)
class ExpiryLine:
    """What one rule lets go, in a list."""

    rule: str
    messages: int
    accounts: int
    since: datetime | None


@operation(
    "archive expire",
    Scope.ARCHIVES_WRITE,
    "Remove the messages that are older than they are kept.",
    "--dry-run",
)
async def expire_archives(
    registry: Registry,
    rules: KeepRules,
    dry_run: Annotated[bool, Arg("Only say what would go.")] = False,
) -> tuple[ExpiryLine, ...]:
    """As `expire`, or, for a dry run, `expiring`."""
    found = await (expiring if dry_run else expire)(registry, rules)
    return tuple(ExpiryLine(each.rule.name, each.messages, each.archives, each.since) for each in found)


def keep_rules(settings: Settings) -> KeepRules:
    """What the configuration says of how long messages are kept; of rooms, their class before all."""
    rules = [
        KeepRule(f"rooms.classes.{name}", _rooms(settings, each.names), each.keep)
        for name, each in settings.rooms.classes.items()
        if each.keep is not None
    ]
    rules += [
        KeepRule(f"archive.policies.{name}", policy.accounts, policy.keep)
        for name, policy in settings.archive.policies.items()
    ]
    return KeepRules(rules, KeepRule(DEFAULT_RULE, (), settings.archive.keep))


def _rooms(settings: Settings, names: tuple[str, ...]) -> tuple[str, ...]:
    """The addresses of rooms with such names."""
    prefix = settings.rooms.prefix
    return tuple(f"{name}@{prefix}.{domain}" for name in names for domain in settings.domains)


async def expiring(registry: Registry, rules: KeepRules) -> list[Expiry]:
    """What would go now, for each rule that lets anything go, in the order of their names."""
    found: dict[str, Expiry] = {}
    async for age, before in _due(registry, rules):
        count = await registry.stores.archive.count(age.owner, ArchiveFilter(before=before), _ALL)
        rule = rules.rule(age.owner)
        found.setdefault(rule.name, Expiry(rule)).add(count, age.first)
    return [found[name] for name in sorted(found)]


async def expire(registry: Registry, rules: KeepRules) -> list[Expiry]:
    """Remove what is too old, step by step; returns what went."""
    found: dict[str, Expiry] = {}
    async for age, before in _due(registry, rules):
        rule = rules.rule(age.owner)
        removed = step = await registry.stores.upkeep.expire(age.owner, before, STEP)
        while step == STEP:
            step = await registry.stores.upkeep.expire(age.owner, before, STEP)
            removed += step
        found.setdefault(rule.name, Expiry(rule)).add(removed, age.first)
    return [found[name] for name in sorted(found)]


@operation("archive erase", Scope.ARCHIVES_WRITE, "Erase the history of an account.", "alice@example.org")
async def erase(
    registry: Registry,
    address: Address,
    peer: Annotated[str | None, Arg("Only the messages from and to this address.", Form.ADDRESS)] = None,
) -> JID:
    """Erase the archive of an account, or its messages with one peer; they are off the disk afterwards.

    Raises BadAddress or NoSuchAccount.
    """
    account = await find(registry, address)
    other = None if peer is None else _peer(peer)
    before = registry.stores.writes.appended
    registry.stores.archive.erase(account.jid, other)
    await registry.stores.writes.flushed(before)
    while await registry.stores.upkeep.purge(STEP):
        pass
    return account.jid


async def _due(registry: Registry, rules: KeepRules) -> AsyncIterator[tuple[ArchiveAge, int]]:
    """Each archive with messages that are too old, and the id before which they are."""
    now = to_stamp(registry.now())
    after: JID | None = None
    while ages := await registry.stores.upkeep.ages(after, _OWNERS_AT_ONCE):
        limits = dict(due(ages, rules, now))
        for age in ages:
            if age.owner in limits:
                yield age, limits[age.owner]
        after = ages[-1].owner


def _peer(text: str) -> JID:
    try:
        return JID.parse(text).bare
    except InvalidJID as error:
        raise BadAddress(f"{text}: this is not an address: {error}") from None
