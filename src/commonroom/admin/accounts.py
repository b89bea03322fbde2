"""Operations on accounts."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from commonroom.accounts.chain import Standing
from commonroom.accounts.stored import new_account
from commonroom.admin.errors import AccountExists, AdminError, BadAddress, BadPassword, NoSuchAccount
from commonroom.admin.operation import Arg, Form, operation
from commonroom.admin.outbound import forget_sender
from commonroom.admin.registry import Registry
from commonroom.admin.scopes import Scope
from commonroom.protocol.jid import JID, InvalidJID
from commonroom.storage.records import Account, OfflineUsage

# How many accounts are read at once: enough to be fast, few enough to take no memory.
PAGE = 500
LARGEST_PAGE = 1000

Address = Annotated[str, Arg("The address of the account.", Form.ADDRESS, "accountjid")]
Addresses = Annotated[str, Arg("The address of the account.", Form.ADDRESS, "accountjids")]
Password = Annotated[str, Arg("The password.", Form.SECRET, "password")]


class AccountStanding(StrEnum):
    """How things are with an account."""

    ACTIVE = "active"
    UNUSED = "unused"  # a file lists it, and nothing is kept for it yet
    LOCKED = "locked"  # by what stands in the file instead of a hash
    DISABLED = "disabled"  # by an operator
    DEPARTED = "departed"  # it has left the files
    RETURNED = "returned"  # and is in them again; what is kept is restored when somebody needs it


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """What is known of an account; `last_online` is None if it never was, `created` if nothing is kept yet.

    `hashes`: how often each is iterated. `origin` is the table of files that it is from.
    """

    jid: JID
    created: datetime | None
    disabled: bool
    hashes: Mapping[str, int]
    contacts: int
    offline: OfflineUsage
    last_online: datetime | None
    origin: str = ""
    departed: datetime | None = None
    standing: AccountStanding = AccountStanding.ACTIVE


@dataclass(frozen=True, slots=True)
class AccountLine:
    """An account in a list."""

    address: JID
    created: datetime | None
    disabled: bool
    origin: str = ""
    departed: datetime | None = None
    standing: AccountStanding = AccountStanding.ACTIVE
    last_online: datetime | None = None


@dataclass(frozen=True, slots=True)
class AccountPage:
    """Some of the accounts; `next` is what to ask for those behind, None if there are none."""

    accounts: tuple[AccountLine, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Eraser:
    """Erases an account where the service runs: contacts and rooms hear of it."""

    erase: Callable[[Account], Awaitable[None]]


@operation("user add", Scope.ACCOUNTS_WRITE, "Make an account.", "alice@example.org", "add-user")
async def add_account(registry: Registry, address: Address, password: Password) -> JID:
    """Make an account; raises BadAddress, BadPassword or AccountExists."""
    jid = local_address(registry.domains, address)
    if await registry.stores.accounts.exists(jid):
        raise AccountExists(f"{jid}: there is such an account; change its password, or remove it first")
    if (listed := registry.listed(jid)) is not None:
        raise AccountExists(f"{jid}: it is in the files of {listed.source}; choose another name")
    await _put(registry, made(registry, jid, password))
    return jid


async def list_accounts(registry: Registry, domain: str | None = None) -> AsyncIterator[Account]:
    """All accounts, or those of one domain, by address."""
    if domain is not None:
        domain = local_address(registry.domains, domain, is_account=False).domain
    after: JID | None = None
    while page := await registry.stores.accounts.page(domain, after, PAGE):
        for account in page:
            yield account
        after = page[-1].jid


@operation("user list", Scope.ACCOUNTS_READ, "List the accounts, by address.", "--domain example.org")
async def page_of_accounts(
    registry: Registry,
    domain: Annotated[str | None, Arg("Only the accounts of this domain.")] = None,
    after: Annotated[str | None, Arg("Those behind this address: the `next` of another page.")] = None,
    limit: Annotated[int, Arg(f"How many, {LARGEST_PAGE} at most.")] = PAGE,
) -> AccountPage:
    """As `list_accounts`, page by page; raises BadAddress."""
    if domain is not None:
        domain = local_address(registry.domains, domain, is_account=False).domain
    start = None if after is None else local_address(registry.domains, after)
    limit = max(1, min(limit, LARGEST_PAGE))
    kept = {each.jid: each for each in await registry.stores.accounts.page(domain, start, limit)}
    listed = (each.address for each in registry.files.page(domain, start, limit))
    page = sorted({*kept, *listed})[:limit]
    last_online = await registry.stores.last_activity.times(page)
    lines = tuple(_line(registry, jid, kept.get(jid), last_online.get(jid)) for jid in page)
    return AccountPage(lines, str(page[-1]) if len(page) == limit else None)


def _line(registry: Registry, jid: JID, kept: Account | None, last_online: datetime | None) -> AccountLine:
    standing, origin = _standing(registry, jid, kept)
    if kept is None:
        return AccountLine(jid, None, False, origin, None, standing, last_online)
    return AccountLine(jid, kept.created, kept.disabled, origin, kept.departed, standing, last_online)


def _standing(registry: Registry, jid: JID, kept: Account | None) -> tuple[AccountStanding, str]:
    """And the table of files that the account is from, if it is from one."""
    decided, listed = registry.decide(jid, kept)
    origin = listed.source if listed is not None else "" if kept is None else kept.origin
    if decided is Standing.GONE:
        return AccountStanding.DEPARTED, origin
    if kept is not None and kept.disabled:
        return AccountStanding.DISABLED, origin
    if listed is not None and not listed.hash:
        return AccountStanding.LOCKED, origin
    if kept is None:
        return AccountStanding.UNUSED, origin
    return (AccountStanding.ACTIVE if kept.departed is None else AccountStanding.RETURNED), origin


@operation(
    "user show", Scope.ACCOUNTS_READ, "Show what is known of an account.", "alice@example.org", "user-stats"
)
async def show_account(registry: Registry, address: Address) -> AccountFacts:
    """What is known of an account; raises BadAddress or NoSuchAccount."""
    jid = local_address(registry.domains, address)
    account = await registry.stores.accounts.get(jid)
    standing, origin = _standing(registry, jid, account)
    if account is None:
        if standing is AccountStanding.DEPARTED:
            raise NoSuchAccount(f"{jid}: there is no such account")
        return AccountFacts(jid, None, False, {}, 0, OfflineUsage(0, 0), None, origin, None, standing)
    user = await registry.stores.users.load_user(account.jid)
    activity = await registry.stores.last_activity.get(account.jid)
    return AccountFacts(
        account.jid,
        account.created,
        account.disabled,
        {keys.hash_name: keys.iterations for keys in account.keys},
        sum(item.listed for item in user.roster.items),
        user.offline,
        None if activity is None else activity.at,
        origin,
        account.departed,
        standing,
    )


@operation(
    "user passwd", Scope.ACCOUNTS_WRITE, "Change a password.", "alice@example.org", "change-user-password"
)
async def set_password(registry: Registry, address: Address, password: Password) -> JID:
    """Change a password; all else stays. Raises BadAddress, NoSuchAccount or BadPassword.

    AdminError, if the password is kept elsewhere.
    """
    account = await find(registry, address)
    if account.origin:
        raise AdminError(f"{account.jid}: its password is in {account.origin}'s files; change it there")
    await _put(registry, replace(account, keys=made(registry, account.jid, password).keys))
    return account.jid


@operation(
    "user disable",
    Scope.ACCOUNTS_WRITE,
    "Lock an account: nobody can log in with it.",
    "alice@example.org",
    "disable-user",
)
async def lock_account(registry: Registry, address: Addresses) -> JID:
    """Lock an account; raises BadAddress or NoSuchAccount."""
    return await disable_account(registry, address, True)


@operation("user enable", Scope.ACCOUNTS_WRITE, "Unlock an account.", "alice@example.org", "reenable-user")
async def unlock_account(registry: Registry, address: Addresses) -> JID:
    """Unlock an account; raises BadAddress or NoSuchAccount."""
    return await disable_account(registry, address, False)


async def disable_account(registry: Registry, address: str, disabled: bool) -> JID:
    """Lock an account, or unlock it; raises BadAddress or NoSuchAccount.

    For one that a file lists and that nobody has used yet, what is kept begins with this.
    """
    jid = local_address(registry.domains, address)
    listed = registry.listed(jid)
    before = registry.stores.writes.appended
    if listed is not None and not await registry.stores.accounts.exists(jid):
        registry.stores.accounts.put(
            Account(jid, (), registry.now(), disabled, origin=listed.source, login=listed.login)
        )
    else:
        await find(registry, address)
        registry.stores.accounts.disable(jid, disabled)
    await registry.stores.writes.flushed(before)
    return jid


@operation(
    "user remove",
    Scope.ACCOUNTS_WRITE,
    "Remove an account and all that is kept for it.",
    "alice@example.org",
    "delete-user",
)
async def remove_account(registry: Registry, address: Addresses, eraser: Eraser | None = None) -> JID:
    """Remove an account with all that is kept for it; raises BadAddress or NoSuchAccount.

    Whoever gets the address next is a stranger in rooms and, if the service runs, to contacts.
    """
    account = await find(registry, address)
    before = registry.stores.writes.appended
    if eraser is not None:
        await eraser.erase(account)
    else:
        registry.stores.accounts.remove(account.jid)
        await forget_sender(registry.stores.outbound, account.jid)
    await registry.stores.writes.flushed(before)
    return account.jid


async def find(registry: Registry, address: str) -> Account:
    """An account that exists; raises BadAddress or NoSuchAccount."""
    jid = local_address(registry.domains, address)
    account = await registry.stores.accounts.get(jid)
    if account is None:
        listed = registry.listed(jid)
        if listed is None:
            raise NoSuchAccount(f"{jid}: there is no such account")
        raise NoSuchAccount(f"{jid}: the files of {listed.source} list it, and nothing is kept for it yet")
    return account


async def known(registry: Registry, address: str) -> JID:
    """The address of an account that exists, or that a file lists; raises BadAddress or NoSuchAccount."""
    jid = local_address(registry.domains, address)
    if registry.listed(jid) is None:
        await find(registry, address)
    return jid


def made(registry: Registry, jid: JID, password: str) -> Account:
    """An account that is new; costs milliseconds of CPU. Raises BadPassword."""
    try:
        return new_account(
            jid, password, registry.hash_names, registry.iterations, registry.random, registry.now()
        )
    except ValueError as error:
        reason = str(error)
    # Raised here and not above, so that no traceback leads to what was typed.
    raise BadPassword(f"{jid}: this is {reason}; choose another one")


def local_address(domains: tuple[str, ...], text: str, is_account: bool = True) -> JID:
    """The bare address of an account of one of the domains, or one of the domains; raises BadAddress."""
    try:
        jid = JID.parse(text)
    except InvalidJID as error:
        raise BadAddress(f"{text}: this is not an address: {error}") from None
    if is_account and jid.local is None:
        raise BadAddress(
            f"{text}: an account has an @ in its address; write {text}@{domains[0]}, for example"
        )
    if not jid.is_bare or (jid.local and not is_account):
        raise BadAddress(f"{text}: this is more than needed; write {jid.bare if is_account else jid.domain}")
    if jid.domain not in domains:
        raise BadAddress(f"{text}: {jid.domain} is not served here; configured: {', '.join(domains)}")
    return jid


async def _put(registry: Registry, account: Account) -> None:
    before = registry.stores.writes.appended
    registry.stores.accounts.put(account)
    await registry.stores.writes.flushed(before)
