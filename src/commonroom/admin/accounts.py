"""Operations on accounts."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

from commonroom.accounts.stored import new_account
from commonroom.admin.errors import AccountExists, AdminError, BadAddress, BadPassword, NoSuchAccount
from commonroom.admin.operation import Arg, Form, operation
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


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """What is known of an account; `last_online` is None if it never was.

    `hashes`: how often each is iterated.
    """

    jid: JID
    created: datetime
    disabled: bool
    hashes: Mapping[str, int]
    contacts: int
    offline: OfflineUsage
    last_online: datetime | None
    origin: str = ""
    departed: datetime | None = None


@dataclass(frozen=True, slots=True)
class AccountLine:
    """An account in a list."""

    address: JID
    created: datetime
    disabled: bool
    origin: str = ""
    departed: datetime | None = None


@dataclass(frozen=True, slots=True)
class AccountPage:
    """Some of the accounts; `next` is what to ask for those behind, None if there are none."""

    accounts: tuple[AccountLine, ...]
    next: str | None


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
    page = await registry.stores.accounts.page(domain, start, limit)
    lines = tuple(
        AccountLine(each.jid, each.created, each.disabled, each.origin, each.departed) for each in page
    )
    return AccountPage(lines, str(lines[-1].address) if len(lines) == limit else None)


@operation(
    "user show", Scope.ACCOUNTS_READ, "Show what is known of an account.", "alice@example.org", "user-stats"
)
async def show_account(registry: Registry, address: Address) -> AccountFacts:
    """What is known of an account; raises BadAddress or NoSuchAccount."""
    account = await find(registry, address)
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
        account.origin,
        account.departed,
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
    """Lock an account, or unlock it; raises BadAddress or NoSuchAccount."""
    account = await find(registry, address)
    before = registry.stores.writes.appended
    registry.stores.accounts.disable(account.jid, disabled)
    await registry.stores.writes.flushed(before)
    return account.jid


@operation(
    "user remove",
    Scope.ACCOUNTS_WRITE,
    "Remove an account and all that is kept for it.",
    "alice@example.org",
    "delete-user",
)
async def remove_account(registry: Registry, address: Addresses) -> JID:
    """Remove an account with all that is kept for it; raises BadAddress or NoSuchAccount."""
    account = await find(registry, address)
    before = registry.stores.writes.appended
    registry.stores.accounts.remove(account.jid)
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
