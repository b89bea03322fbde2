"""RFC 6120 §6, XEP-0388: what a login asks of the accounts, slowed by the attempts before it."""

import logging
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Protocol, TypeVar

from commonroom.accounts.bounded import Unwanted
from commonroom.accounts.devices import Devices
from commonroom.accounts.interfaces import Accounts, Credentials
from commonroom.accounts.throttle import Throttle
from commonroom.net.listener import origin_of
from commonroom.net.seen import Event, Witness
from commonroom.protocol.fast import Issued, Visit
from commonroom.protocol.jid import JID
from commonroom.protocol.sasl import SaslCondition
from commonroom.protocol.sasl.mechanism import Candidate
from commonroom.protocol.sasl.scram_keys import ScramKeys
from commonroom.storage.errors import StorageError
from commonroom.storage.records import Device

log = logging.getLogger(__name__)

Found = TypeVar("Found")


class LoginService(Protocol):
    """What the logins of all connections share: see `ClientService`."""

    accounts: Accounts
    devices: Devices
    throttle: Throttle

    @property
    def witness(self) -> Witness:
        """Sees log-ins and failures."""

    @property
    def start(self) -> Callable[[Coroutine[Any, Any, Any]], Awaitable[Any]]:
        """Runs a coroutine under an owner."""

    @property
    def sleep(self) -> Callable[[float], Awaitable[None]]:
        """Waits for so many seconds."""

    @property
    def clock(self) -> Callable[[], float]:
        """Seconds."""


class Waiting(Protocol):
    """The stream of the client that wants to log in."""

    closed: bool


class Desk:
    """See `protocol.c2s_host.LoginDesk`. One connection's, until it has a session.

    `address` is the client's, `deadline` when it has to be logged in, `domain` any that is served here.
    `revision` is that of the account whose password or token was looked at last.
    """

    __slots__ = (
        "_address",
        "_deadline",
        "_device",
        "_domain",
        "_expected",
        "_origin",
        "_service",
        "_stream",
        "revision",
        "write",
    )

    def __init__(
        self,
        service: LoginService,
        stream: Waiting,
        write: Callable[[str], None],
        address: str,
        deadline: float,
        domain: str,
    ) -> None:
        self._service = service
        self._stream = stream
        self._address = address
        self._origin = origin_of(address)
        self._deadline = deadline
        self._domain = domain
        self.write = write
        self.revision = 0
        # Of the account that the client says it is. It is not read again, which is as good: no session begins
        # with a revision that is not the account's.
        self._expected: tuple[JID, Credentials] | None = None
        self._device: Device | None = None  # whose tokens were looked at last

    def find_keys(
        self, account: JID | None, hash_name: str, answer: Callable[[ScramKeys | SaslCondition | None], None]
    ) -> None:
        """Look SCRAM keys up."""
        question = partial(self._keys, account, hash_name)
        self._service.start(self._look_up(account, question, answer))

    def check_password(
        self, account: JID | None, password: str, answer: Callable[[bool | SaslCondition], None]
    ) -> None:
        """Check a PLAIN password; for a name that cannot be an account's, as one that does not exist."""
        question = partial(self._is_password, account or JID.of(None, self._domain), password)
        self._service.start(self._look_up(account, question, answer))

    def find_account(self, account: JID | None, answer: Callable[[bool | SaslCondition], None]) -> None:
        """Whether it may log in, who it is being known."""
        self._service.start(self._look_up(account, partial(self._may_log_in, account), answer))

    def find_hashes(self, account: JID, answer: Callable[[frozenset[str] | SaslCondition], None]) -> None:
        """Look at an account before its client logs in, who will ask for the keys next."""
        self._service.start(self._find_hashes(account, answer))

    def add_keys(self, account: JID, keys: ScramKeys, answer: Callable[[SaslCondition | None], None]) -> None:
        """Keep keys of the password that was looked at last."""
        self._service.start(self._add_keys(account, keys, answer))

    def login_failed(self, account: JID | None, condition: SaslCondition, mechanism: str) -> None:
        """Remember it, so that the next attempt has to wait; a name that is none is no account's failure."""
        if condition is SaslCondition.NOT_AUTHORIZED:
            self._service.throttle.failed(account, self._origin)
        self._log(Event.LOGIN_FAILED, account, mechanism=mechanism, reason=condition.value)

    def login_succeeded(self, account: JID, mechanism: str) -> None:
        """The client is who it says it is."""
        self._service.throttle.succeeded(account, self._origin)
        self._log(Event.LOGGED_IN, account, mechanism=mechanism)

    def _log(self, event: Event, account: JID | None, **facts: str) -> None:
        self._service.witness(event, account, self._address, facts)
        log.info(event.value, extra={"jid": account, "address": self._address, **facts})

    def find_tokens(
        self,
        account: JID | None,
        client: str,
        answer: Callable[[tuple[Candidate, ...] | SaslCondition], None],
    ) -> None:
        """Look a client's tokens up."""
        question = partial(self._tokens, account, client)
        self._service.start(self._look_up(account, question, answer))

    def settle_login(
        self, account: JID, visit: Visit, answer: Callable[[Issued | SaslCondition | None], None]
    ) -> None:
        """Note that a client logged in; by a token: at once, or its use could be counted twice."""
        device, self._device = self._device, None
        if visit.used is not None:
            self._settle(account, visit, device, answer)
        else:
            self._service.start(self._settle_later(account, visit, answer))

    def _settle(
        self,
        account: JID,
        visit: Visit,
        device: Device | None,
        answer: Callable[[Issued | SaslCondition | None], None],
    ) -> None:
        outcome, is_urgent = self._service.devices.settle(account, self.revision, visit, device)
        if is_urgent:
            self._service.start(self._settled(outcome, answer))
        else:
            answer(outcome)

    async def _settle_later(
        self, account: JID, visit: Visit, answer: Callable[[Issued | SaslCondition | None], None]
    ) -> None:
        devices = self._service.devices
        device = await self._found(partial(devices.find, account, visit.client))
        if device is None:
            device = await self._found(partial(devices.make_room, account))
        if isinstance(device, SaslCondition):
            answer(device)
        else:
            self._settle(account, visit, device, answer)

    async def _settled(
        self,
        outcome: Issued | SaslCondition | None,
        answer: Callable[[Issued | SaslCondition | None], None],
    ) -> None:
        failure = await self._found(self._service.devices.flushed)
        answer(failure or outcome)

    async def _tokens(self, account: JID | None, client: str) -> tuple[Candidate, ...]:
        if account is None:
            return ()
        revision = await self._service.accounts.revision(account)
        self._device = await self._service.devices.find(account, client)
        if revision is None:
            return ()
        self.revision = revision
        return self._service.devices.candidates(self._device, revision)

    async def _keys(self, account: JID | None, hash_name: str) -> ScramKeys | None:
        if account is None:
            return None
        expected, self._expected = self._expected, None
        if expected is not None and expected[0] == account:
            credentials = expected[1]
        else:
            credentials = await self._service.accounts.credentials(account)
        self.revision = credentials.revision
        return credentials.of(hash_name)

    async def _find_hashes(
        self, account: JID, answer: Callable[[frozenset[str] | SaslCondition], None]
    ) -> None:
        found = await self._found(partial(self._service.accounts.credentials, account))
        if isinstance(found, SaslCondition):
            answer(found)
        else:
            self._expected = account, found
            answer(frozenset([keys.hash_name for keys in found.keys]))

    async def _add_keys(
        self, account: JID, keys: ScramKeys, answer: Callable[[SaslCondition | None], None]
    ) -> None:
        answer(await self._found(partial(self._service.accounts.add_keys, account, keys, self.revision)))

    async def _is_password(self, account: JID, password: str) -> bool:
        accounts = self._service.accounts
        right, self.revision = await accounts.check_password(account, password, self._is_there)
        return right

    async def _may_log_in(self, account: JID | None) -> bool:
        revision = None if account is None else await self._service.accounts.revision(account)
        self.revision = revision or 0
        return revision is not None

    def _is_there(self) -> bool:
        return not self._stream.closed

    async def _look_up(
        self,
        account: JID | None,
        question: Callable[[], Awaitable[Found]],
        answer: Callable[[Found | SaslCondition], None],
    ) -> None:
        """Answer a question about an account, after the delay that other attempts have earned it."""
        throttle, origin = self._service.throttle, self._origin
        delay = throttle.delay(account, origin)
        throttle.began(account, origin)
        try:
            await self._wait(delay)
            if not self._stream.closed:  # or what it costs would be for nobody
                answer(await self._found(question))
        finally:
            throttle.ended(account, origin)

    async def _wait(self, delay: float) -> None:
        """Never more than half of the time left: a delay that outlasts the deadline would be a lock-out."""
        delay = min(delay, (self._deadline - self._service.clock()) / 2)
        if delay > 0:
            await self._service.sleep(delay)

    async def _found(self, question: Callable[[], Awaitable[Found]]) -> Found | SaslCondition:
        try:
            return await question()
        except Unwanted:
            return SaslCondition.ABORTED
        except StorageError as error:
            log.warning("accounts cannot be read", extra={"reason": str(error)})
            return SaslCondition.TEMPORARY_AUTH_FAILURE
