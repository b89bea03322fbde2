"""The composition of what has to do with where accounts come from."""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from commonroom.accounts.chain import Chain, ChainAccounts, Hands, OffLoop, adding
from commonroom.accounts.directory import Directory
from commonroom.admin.registry import hash_names
from commonroom.audit.log import AuditLog
from commonroom.catalog import Parts
from commonroom.config import Settings
from commonroom.config.accounts import KeyPolicy, Source
from commonroom.config.archive import ArchiveDefault
from commonroom.core.account_arrivals import Arrivals
from commonroom.core.erasure import Erasure
from commonroom.core.lifecycle import Lifecycle
from commonroom.core.renaming import Movers
from commonroom.core.router import Router
from commonroom.core.surroundings import Surroundings
from commonroom.core.user import ARCHIVE
from commonroom.core.users import Users
from commonroom.features.muc.following import Following
from commonroom.storage.interfaces import Stores


@dataclass(frozen=True, slots=True)
class AccountParts:
    """The sources, what decides between them, and who is in memory."""

    directory: Directory
    chain: Chain
    erasure: Erasure
    arrivals: Arrivals
    users: Users


def account_parts(
    settings: Settings,
    stores: Stores,
    around: Surroundings,
    router: Router,
    audit: AuditLog,
    directory: Directory | None,
) -> AccountParts:
    """`directory` has the accounts of files; none without it."""
    is_archived = settings.archive.default is not ArchiveDefault.NEVER
    wants = frozenset((ARCHIVE,)) if is_archived else frozenset()
    is_listed = bool(settings.accounts.files) or Source.STORED not in settings.accounts.order
    directory = directory or Directory(around.now().timestamp, b"")
    chain = Chain(settings.accounts.order, directory)
    erasure = Erasure(stores.accounts, stores.rosters, stores.writes, router.tell, audit)
    arrivals = Arrivals(
        stores.accounts, stores.listed, stores.writes, chain.decide, erasure, around.start, around.now, audit
    )
    users = Users(
        stores.users, stores.accounts, stores.writes, around.start, wants, arrivals if is_listed else None
    )
    return AccountParts(directory, chain, erasure, arrivals, users)


def lifecycle(settings: Settings, accounts: AccountParts, parts: Parts) -> Lifecycle:
    """What happens when files change."""
    movers = Movers(
        accounts.users,
        parts.rosters,
        parts.subscriptions,
        frozenset(settings.domains).__contains__,
        accounts.directory.resolve,
        parts.stores.upkeep,
    )
    stores = parts.stores
    rooms = Following(parts.rooms, stores.rooms, stores.upkeep, stores.writes)
    accounts.erasure.connect(rooms)
    return Lifecycle(
        accounts.users,
        stores,
        accounts.arrivals,
        movers,
        accounts.erasure,
        parts.around.now,
        timedelta(seconds=settings.accounts.keep_departed),
        settings.accounts.order[0] is Source.STORED,
        parts.audit,
        rooms,
    )


def chain_accounts(
    settings: Settings, stores: Stores, accounts: AccountParts, off_loop: OffLoop, fake_secret: bytes
) -> ChainAccounts:
    """How logins are verified, whichever source decides."""
    return ChainAccounts(
        accounts.chain,
        accounts.directory,
        Hands(
            accounts.users.account,
            partial(accounts.arrivals.arrive, why="login"),
            adding(stores.accounts, stores.writes),
            stores.listed.keep_keys,
            off_loop,
        ),
        fake_secret,
        settings.sasl.iterations,
        settings.accounts.keys,
        hash_names(settings.sasl.mechanisms),
    )


def domains_of_files(settings: Settings) -> frozenset[str]:
    """Where accounts may come from files."""
    sources = settings.accounts.files.values()
    return frozenset(source.domain or settings.domains[0] for source in sources)


def domains_by_password(settings: Settings) -> frozenset[str]:
    """Those where files decide, and clients are not offered what few accounts there can do."""
    offered = settings.accounts.keys is KeyPolicy.OFFERED
    return frozenset() if offered else domains_of_files(settings)
