"""XEP-0484: the clients of accounts and their tokens: issued, used, replaced, revoked.

A token has 72 characters, of which only the SHA-256 digest is kept: it is longer than a block of that hash,
so the digest is what HMAC makes of it first (RFC 2104), and all that is needed to verify. A token belongs
to one client, one mechanism, and one state of its account, which a new password or a lock ends.
"""

from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from commonroom.protocol.fast import Issued, Visit
from commonroom.protocol.jid import JID
from commonroom.protocol.sasl import SaslCondition
from commonroom.protocol.sasl.mechanism import Candidate, Token
from commonroom.protocol.timestamps import to_microseconds
from commonroom.storage.errors import StorageError
from commonroom.storage.interfaces import DeviceStore, Writes
from commonroom.storage.records import Device

# Octets of randomness; four letters for each three.
TOKEN_BYTES = 54

# That a client was here is written once in this time, if there is nothing else to write.
SEEN_AGAIN_AFTER = timedelta(hours=1)


class TokenPolicy(NamedTuple):
    """See `[devices]`: for how long a token is good, from when on it is replaced, and how many clients of an
    account are known."""

    lifetime: timedelta
    rotate_after: timedelta
    devices: int


class Settled(NamedTuple):
    """What a login comes to: a new token, nothing, or a refusal; `is_urgent`: only once it is on disk."""

    outcome: Issued | SaslCondition | None
    is_urgent: bool


class Devices:
    """`now` gives an aware datetime, `random` so many bytes."""

    def __init__(
        self,
        store: DeviceStore,
        writes: Writes,
        policy: TokenPolicy,
        now: Callable[[], datetime],
        random: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._writes = writes
        self._policy = policy
        self._now = now
        self._random = random
        # What a read that is under way may not have seen: two uses of one counter must not both pass.
        self._latest: dict[tuple[JID, str], Device | None] = {}
        self._unwritten: Counter[tuple[JID, str]] = Counter()
        self._reading: Counter[tuple[JID, str]] = Counter()

    async def find(self, account: JID, client: str) -> Device | None:
        """What is known of a client now. Use it before anything else can happen."""
        key = account, client
        self._reading[key] += 1
        try:
            found = await self._store.get(account, client)
            return self._latest.get(key, found)
        finally:
            self._reading[key] -= 1
            self._tidy(key)

    async def list(self, account: JID) -> tuple[Device, ...]:
        """All clients of an account, with the tokens that may still be good, those seen last first."""
        await self._writes.flushed()
        found = await self._store.load(account)
        return tuple(sorted(found, key=lambda device: device.last_seen, reverse=True))

    def candidates(self, device: Device | None, revision: int) -> tuple[Candidate, ...]:
        """The tokens with which it might log in (XEP-0484 §5.1); `revision` is that of its account."""
        if device is None:
            return ()
        now = to_microseconds(self._now())
        ordered = sorted(device.tokens, key=lambda token: not token.is_new)
        return tuple(
            Candidate(token, token.expires <= now) for token in ordered if token.revision == revision
        )

    async def make_room(self, account: JID) -> None:
        """For one more client: those that were not seen for longest are forgotten."""
        known = await self._store.load(account)
        surplus = len(known) + 1 - self._policy.devices
        for device in sorted(known, key=lambda device: device.last_seen)[: max(0, surplus)]:
            self.forget(account, device.client)

    def forget(self, account: JID, client: str) -> None:
        """As if it had never been here; its tokens are good no more."""
        self._keep(account, client, None)

    async def revoke(self, account: JID, client: str) -> None:
        """Its tokens are good no more, and that is on disk (XEP-0494 §3.2); it stays in the list."""
        device = await self.find(account, client)
        if device is not None:
            self._keep(account, client, replace(device, tokens=()))
            await self._writes.flushed()

    def has_token(self, device: Device, revision: int) -> bool:
        """Whether it can log in by one."""
        return bool(self._still_good(device, revision, self._now()))

    async def flushed(self) -> None:
        """Wait until what was decided is on disk; raises StorageError."""
        await self._writes.flushed()

    def settle(self, account: JID, revision: int, visit: Visit, device: Device | None) -> Settled:
        """A client has logged in; `device` is what `find` has just said."""
        now = self._now()
        known = device or Device(visit.client, "", "", now, now, password=False)
        tokens = self._still_good(known, revision, now)
        if visit.used is not None:
            used = next((token for token in tokens if token.key == visit.used.key), None)
            if used is None or (visit.counter is not None and visit.counter <= used.counter):
                return Settled(SaslCondition.NOT_AUTHORIZED, is_urgent=False)  # XEP-0484 §3.4
            tokens = _after_use(tokens, used, visit)
        token = None
        wants = visit.wants or self._rotation(visit, tokens, now)
        if wants is not None:
            token, issued = self._issue(wants, revision, now)
            tokens = (*(each for each in tokens if not each.is_new), issued)  # XEP-0484 §3.5
        seen = now if now - known.last_seen >= SEEN_AGAIN_AFTER else known.last_seen
        changed = Device(
            visit.client,
            visit.software or known.software,
            visit.device or known.name,
            known.first_seen,
            seen,
            known.password or visit.used is None,
            tokens,
        )
        is_urgent = tokens != known.tokens
        if changed != device:
            self._keep(account, visit.client, replace(changed, last_seen=now))
        return Settled(token, is_urgent)

    def _still_good(self, device: Device, revision: int, now: datetime) -> tuple[Token, ...]:
        end = to_microseconds(now)
        return tuple(t for t in device.tokens if t.revision == revision and t.expires > end)

    def _rotation(self, visit: Visit, tokens: tuple[Token, ...], now: datetime) -> str | None:
        """For which mechanism a token is due to be replaced (XEP-0484 §3.5)."""
        if visit.used is None or visit.invalidate:
            return None
        used = next(token for token in tokens if token.key == visit.used.key)
        issued = used.expires - self._policy.lifetime // timedelta(microseconds=1)
        age = timedelta(microseconds=to_microseconds(now) - issued)
        return used.mechanism if age >= self._policy.rotate_after else None

    def _issue(self, mechanism: str, revision: int, now: datetime) -> tuple[Issued, Token]:
        text = urlsafe_b64encode(self._random(TOKEN_BYTES)).decode()
        expires = to_microseconds(now + self._policy.lifetime)
        key = sha256(text.encode()).digest()
        return Issued(text, expires), Token(mechanism, key, expires, revision)

    def _keep(self, account: JID, client: str, device: Device | None) -> None:
        key = account, client
        if device is None:
            self._store.remove(account, client)
        else:
            self._store.put(account, device)
        self._latest[key] = device
        self._unwritten[key] += 1

        def told(error: StorageError | None) -> None:
            self._unwritten[key] -= 1
            self._tidy(key)

        self._writes.when_flushed(told)

    def _tidy(self, key: tuple[JID, str]) -> None:
        """What is on disk, every read that begins now sees."""
        if not self._reading[key] and not self._unwritten[key]:
            del self._reading[key], self._unwritten[key]
            self._latest.pop(key, None)


def _after_use(tokens: tuple[Token, ...], used: Token, visit: Visit) -> tuple[Token, ...]:
    """Who uses a token has got it: what was issued before is good no more (XEP-0484 §3.5).

    To invalidate it is to log out, so nothing that the client may have is left (XEP-0484 §3.6).
    """
    if visit.invalidate:
        return ()
    counter = used.counter if visit.counter is None else visit.counter
    later = tuple(token for token in tokens if token.expires > used.expires)
    return (used._replace(counter=counter, is_new=False), *later)
