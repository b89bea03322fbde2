"""Which source decides about an account: the files, or what is kept here. Nowhere else is it known."""

import hmac
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from commonroom.accounts.crypt_hash import is_password
from commonroom.accounts.interfaces import Credentials, Listed, Listing, NoListing, always
from commonroom.accounts.stored import FIRST_HASH
from commonroom.config.accounts import KeyPolicy, Source
from commonroom.protocol.jid import JID
from commonroom.protocol.sasl.scram_keys import ScramKeys, check_password, derive_keys, fake_keys
from commonroom.storage.interfaces import AccountStore, Writes
from commonroom.storage.records import Account


class Standing(Enum):
    """How things are with an address."""

    THERE = "there"
    LOCKED = "locked"  # it gets messages, and nobody can log in
    ARRIVES = "arrives"  # a file lists it; what is kept for it is yet to be made, or to be restored
    GONE = "gone"


class Decision(NamedTuple):
    """What the source that decides says; `listed` if that is a file."""

    standing: Standing
    listed: Listed | None = None


NOBODY = Decision(Standing.GONE)
NOTHING = Credentials((), 0)
Decide = Callable[[JID, Account | None], Decision]


class Chain:
    """Asks the sources in their order; the first that has an account decides about it."""

    def __init__(self, order: Sequence[Source], directory: Listing) -> None:
        self._order = tuple(order)
        self._directory = directory

    def decide(self, address: JID, kept: Account | None) -> Decision:
        """About an address, for which this is kept."""
        for source in self._order:
            if source is Source.STORED and kept is not None and not kept.origin:
                return Decision(Standing.LOCKED if kept.disabled else Standing.THERE)
            if source is Source.FILES and (listed := self._directory.find(address)) is not None:
                if kept is None or kept.departed is not None or _is_anothers(kept, listed):
                    return Decision(Standing.ARRIVES, listed)
                is_locked = kept.disabled or not listed.hash
                return Decision(Standing.LOCKED if is_locked else Standing.THERE, listed)
        return NOBODY


class Checked(NamedTuple):
    """Whether it was the password; keys that were derived of it, to be kept."""

    is_right: bool
    derived: tuple[ScramKeys, ...] = ()


OffLoop = Callable[[Callable[[], Checked], Callable[[], bool]], Awaitable[Checked]]


def _is_anothers(kept: Account, listed: Listed) -> bool:
    """Whether what is kept is of who had the address before: names in files tell people apart."""
    return bool(kept.origin) and kept.login != listed.login


@dataclass(frozen=True, slots=True)
class Hands:
    """What verification needs done. `find` reads what is kept for an account, `arrive` makes it, or restores
    it; `add_keys` keeps those for one more hash of an account's own, `keep_keys` keys that were derived for a
    hash, by its verifier. `off_loop` runs a function in a thread of a bounded pool, unless it is not wanted
    any more when its turn comes.
    """

    find: Callable[[JID], Awaitable[Account | None]]
    arrive: Callable[[JID], Awaitable[Account | None]]
    add_keys: Callable[[JID, ScramKeys, int], Awaitable[None]]
    keep_keys: Callable[[JID, Sequence[ScramKeys], str], None]
    off_loop: OffLoop


class ChainAccounts:
    """See `interfaces.Accounts`: passwords and keys, whichever source decides.

    Derived keys have the salts that are shown for accounts that do not exist: so what SCRAM shows of an
    address never changes, whether or not there is such an account and whether it ever logged in.
    """

    def __init__(
        self,
        chain: Chain,
        directory: Listing,
        hands: Hands,
        fake_secret: bytes,
        iterations: int,
        policy: KeyPolicy,
        hash_names: tuple[str, ...],
    ) -> None:
        self._chain = chain
        self._directory = directory
        self._hands = hands
        self._fake_secret = fake_secret
        self._iterations = iterations
        self._policy = policy
        self.use(hash_names)

    def use(self, hash_names: tuple[str, ...]) -> None:
        """SCRAM is offered with these from now on: a login by PLAIN makes the keys that are missing."""
        self._derived = hash_names if self._policy is KeyPolicy.OFFERED else (FIRST_HASH,)

    async def credentials(self, account: JID) -> Credentials:
        """See `interfaces.Accounts`; derived keys only where SCRAM is offered to such accounts."""
        kept = await self._hands.find(account)
        decision = self._chain.decide(account, kept)
        if kept is None or decision.standing is not Standing.THERE:
            return NOTHING
        keys = kept.keys
        if decision.listed is not None:
            offered = self._policy is KeyPolicy.OFFERED
            keys = self._usable_keys(kept, decision.listed) if offered else ()
        return Credentials(keys, kept.changed)

    async def add_keys(self, account: JID, keys: ScramKeys, revision: int) -> None:
        """See `interfaces.Accounts`; not for accounts whose password is kept elsewhere."""
        kept = await self._hands.find(account)
        if self._chain.decide(account, kept).listed is None:
            await self._hands.add_keys(account, keys, revision)

    async def revision(self, account: JID) -> int | None:
        """See `interfaces.Accounts`."""
        kept = await self._hands.find(account)
        standing, listed = self._chain.decide(account, kept)
        if standing is Standing.ARRIVES and listed is not None and listed.hash:
            kept = await self._hands.arrive(account)
            standing = self._chain.decide(account, kept).standing
        return kept.changed if kept is not None and standing is Standing.THERE else None

    async def check_password(
        self, account: JID, password: str, is_wanted: Callable[[], bool] = always
    ) -> tuple[bool, int]:
        """See `interfaces.Accounts`.

        It is checked against the first keys: those that were added later are a client's word (XEP-0480 §3).
        Where files decide, a wrong password costs the check of keys and of a hash, whatever there is of them.
        """
        kept = await self._hands.find(account)
        decision = self._chain.decide(account, kept)
        right = await self._hands.off_loop(self._question(account, password, kept, decision), is_wanted)
        changed = 0 if kept is None else kept.changed
        if not right.is_right or self._directory_moved(account, decision):
            return False, changed
        if decision.standing is Standing.ARRIVES:
            kept = await self._hands.arrive(account)
            if self._chain.decide(account, kept).standing is not Standing.THERE:
                return False, changed
        if kept is None:
            return False, changed
        if decision.listed is not None and right.derived:
            self._hands.keep_keys(account, right.derived, self._verifier(decision.listed))
        return True, kept.changed

    def _question(
        self, account: JID, password: str, kept: Account | None, decision: Decision
    ) -> Callable[[], Checked]:
        """All that the thread needs is looked up here."""
        may = decision.standing in (Standing.THERE, Standing.ARRIVES)
        listed = decision.listed
        keys = self._usable_keys(kept, listed) if may and kept is not None else ()
        against = keys[0] if keys else fake_keys(self._fake_secret, account, FIRST_HASH, self._iterations)
        if not self._directory.serves(account.domain):
            return lambda: Checked(check_password(against, password) and bool(keys))
        hash = listed.hash if may and listed is not None else ""
        shown = hash or self._directory.stand_in(account)
        wanted = self._wanted(account) if hash else ()

        def check() -> Checked:
            by_keys = check_password(against, password) and bool(keys)
            if by_keys or (shown is not None and is_password(shown, password) and bool(hash)):
                return Checked(True, _derived(password, keys if by_keys else (), wanted))
            return Checked(False)

        return check

    def _wanted(self, account: JID) -> tuple[ScramKeys, ...]:
        """What is to be derived of a password: keys in the form of those that are shown of nobody."""
        names = () if self._policy is KeyPolicy.NONE else self._derived
        return tuple(fake_keys(self._fake_secret, account, name, self._iterations) for name in names)

    def _usable_keys(self, kept: Account, listed: Listed | None) -> tuple[ScramKeys, ...]:
        """An account's own keys; of a listed one, those that were derived for the hash that it has now."""
        if listed is None:
            return kept.keys
        if self._policy is KeyPolicy.NONE or not hmac.compare_digest(kept.verifier, self._verifier(listed)):
            return ()
        return tuple(keys for keys in kept.keys if keys.iterations == self._iterations)

    def _verifier(self, listed: Listed) -> str:
        return hmac.digest(self._fake_secret, f"hash\0{listed.hash}".encode(), "sha256").hex()

    def _directory_moved(self, account: JID, decision: Decision) -> bool:
        """Whether the files said something else when the check had ended."""
        return decision.listed is not None and self._directory.find(account) != decision.listed


def _derived(password: str, there: Sequence[ScramKeys], wanted: Sequence[ScramKeys]) -> tuple[ScramKeys, ...]:
    """Those that are there, and those that are not yet; none, if there is nothing to be added."""
    known = {each.hash_name for each in there}
    missing = [each for each in wanted if each.hash_name not in known]
    if not missing:
        return ()
    try:
        made = [derive_keys(password, each.hash_name, each.salt, each.iterations) for each in missing]
    except ValueError:
        return ()  # a password that SCRAM cannot have (RFC 8265 §4.2)
    return (*there, *made)


def adding(store: AccountStore, writes: Writes) -> Callable[[JID, ScramKeys, int], Awaitable[None]]:
    """Keeps keys, and returns once they are on disk."""

    async def add(account: JID, keys: ScramKeys, revision: int) -> None:
        before = writes.appended
        store.add_keys(account, keys, revision)
        await writes.flushed(before)

    return add


def stored_accounts(
    find: Callable[[JID], Awaitable[Account | None]],
    store: AccountStore,
    writes: Writes,
    off_loop: Callable[[Callable[[], Checked]], Awaitable[Checked]],
    fake_secret: bytes,
    iterations: int,
) -> ChainAccounts:
    """Where there are no files."""
    directory = NoListing()
    hands = Hands(find, find, adding(store, writes), lambda *_: None, lambda work, _: off_loop(work))
    chain = Chain((Source.STORED,), directory)
    return ChainAccounts(chain, directory, hands, fake_secret, iterations, KeyPolicy.NONE, ())
