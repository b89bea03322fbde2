"""XEP-0357: Push Notifications: somebody whose clients are not there is called."""

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from enum import Enum
from functools import partial
from typing import Any, NamedTuple

from commonroom.core.feature import Feature, Scope, Xep, on_iq, on_message, on_session
from commonroom.core.iq import Route
from commonroom.core.message import Outcome, Received
from commonroom.core.moments import Moment
from commonroom.core.questions import NoAnswer, Questions
from commonroom.core.session import Session
from commonroom.core.user import PUSH, User
from commonroom.protocol.dataforms import NS_DATA
from commonroom.protocol.errors import StanzaError, resource_constraint
from commonroom.protocol.jid import JID
from commonroom.protocol.notifications import (
    NS_PUSH,
    deserves_notice,
    publication,
    read_enable,
    read_target,
    summary,
    withdrawn_node,
)
from commonroom.protocol.stanza import Iq, IqType, Message
from commonroom.storage.errors import StorageError
from commonroom.storage.interfaces import OfflineStore, PushStore, Writes
from commonroom.storage.records import PushService
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_STANZA_ERRORS
from commonroom.xml.parser import parse_fragment

log = logging.getLogger(__name__)

# Seconds between two notifications for an account. What comes meanwhile is told of by the next one, and
# while it goes on the time doubles.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 64.0

# Seconds in which a service should answer.
PATIENCE = 60.0

# Errors that may be over soon (XEP-0357 §7.1); so many in a row are taken for one that is not.
TRANSIENT = frozenset(
    ("internal-server-error", "remote-server-not-found", "remote-server-timeout", "resource-constraint")
)
PERSISTENT_AFTER = 5

# Of how many services in trouble it is known how often they failed; one that is forgotten gets a new chance.
TROUBLES = 10_000


class Include(Enum):
    """What a notification tells of the last message, beside how many wait."""

    NOTHING = "nothing"
    SENDER = "sender"
    BODY = "body"


class PushPolicy(NamedTuple):
    """How much is told, and how many services an account may have."""

    include: Include
    services: int


class Outside(NamedTuple):
    """`start` runs a coroutine, `later` calls after so many seconds, `find` knows who is in memory."""

    start: Callable[[Coroutine[Any, Any, None]], object]
    later: Callable[[float, Callable[[], None]], object]
    find: Callable[[JID], User | None]
    route: Route


class Push(Feature):
    """Publishes a notification to each service that an account named, when a message finds nobody there."""

    xep = Xep("0357", "0.4.1")
    account_disco = (NS_PUSH,)

    def __init__(
        self,
        store: PushStore,
        offline: OfflineStore,
        writes: Writes,
        questions: Questions,
        policy: PushPolicy,
        outside: Outside,
    ) -> None:
        self._store = store
        self._offline = offline
        self._writes = writes
        self._questions = questions
        self._policy = policy
        self._outside = outside
        self._bell = Bell(self._call, outside.later)
        self._failures: OrderedDict[tuple[JID, JID, str], int] = OrderedDict()

    # What clients ask for

    @on_iq("set", NS_PUSH, "enable", to=Scope.OWN_ACCOUNT)
    async def enable(self, iq: Iq, session: Session) -> None:
        """Notifications go to this node from now on; the last options of a node count (XEP-0357 §5)."""
        wanted = PushService(*read_enable(iq.request()))
        account = session.user.jid
        target = (wanted.service, wanted.node)
        others = [p for p in await self._store.load(account) if (p.service, p.node) != target]
        if len(others) >= self._policy.services:
            raise resource_constraint(f"an account may have {self._policy.services} services; disable one")
        self._store.put(account, wanted)
        await self._writes.flushed()
        self._failures.pop((account, *target), None)
        session.user.wants |= {PUSH}

    @on_iq("set", NS_PUSH, "disable", to=Scope.OWN_ACCOUNT)
    async def disable(self, iq: Iq, session: Session) -> None:
        """No more to this node, or to no node of this service (XEP-0357 §6)."""
        service, node = read_target(iq.request())
        await self._forget(session.user, service, node)

    async def _forget(self, user: User, service: JID, node: str | None) -> None:
        self._store.remove(user.jid, service, node)
        await self._writes.flushed()
        if not await self._store.load(user.jid):
            user.wants -= {PUSH}

    @on_message(Received.BLOCK, wants=PUSH, rooms=False)
    def hear(self, message: Message, user: User) -> Awaitable[Outcome] | None:
        """A service may say that it takes no more (XEP-0357 §8)."""
        node = withdrawn_node(message, user.jid)
        if node is None or message.sender is None:
            return None
        return self._withdraw(user, message.sender, node)

    async def _withdraw(self, user: User, service: JID, node: str) -> Outcome:
        pushes = await self._store.load(user.jid)
        if not any((push.service, push.node) == (service, node) for push in pushes):
            return None
        await self._forget(user, service, node)
        return True

    # What happens when a message comes

    @on_message(Received.NOTIFY, wants=PUSH, rooms=False)
    def notify(self, message: Message, user: User) -> None:
        """Call for a message that was stored, or is with clients that nobody looks at (XEP-0357 §7)."""
        if not self._policy.services or not deserves_notice(message):
            return
        if not any(resource.is_attended for resource in user.sessions.values()):
            self._bell.ring(user.jid, message)

    @on_session(Moment.AWAY)
    def lost(self, session: Session) -> None:
        """What was written to a connection that was dead calls when that is found out."""
        if PUSH in session.user.wants:
            for stanza in session.remaining():
                if isinstance(stanza, Message):
                    self.notify(stanza, session.user)

    def _call(self, account: JID, last: Message, count: int) -> None:
        self._outside.start(self._publish(account, last, count))

    async def _publish(self, account: JID, last: Message, count: int) -> None:
        try:
            pushes = await self._store.load(account)
            waiting = (await self._offline.usage(account)).count
        except StorageError as error:
            log.warning("no notification can be sent", extra={"jid": account, "reason": str(error)})
            return
        include = self._policy.include
        sender = None if include is Include.NOTHING else last.sender
        form = summary(max(waiting, count), sender, last.body() if include is Include.BODY else None)
        for push in pushes:
            self._send(account, push, form)

    def _send(self, account: JID, push: PushService, form: Element) -> None:
        """From the service itself, as in the specification's examples (XEP-0357 §7)."""
        options = parse_fragment(push.options, NS_DATA) if push.options else None
        request = Iq(
            IqType.SET,
            to=push.service,
            sender=JID.of(None, account.domain),
            children=[publication(push.node, form, options)],
        )
        answered = partial(self._answered, account, push)
        try:
            waiting = self._questions.ask_elsewhere(request, self._outside.route, answered, PATIENCE)
        except StanzaError as error:  # it owes too many answers
            log.warning("a push service does not answer", extra={"jid": push.service, "reason": str(error)})
            return
        if waiting is not None:
            self._outside.start(_wait(waiting))

    # What the service answers

    def _answered(self, account: JID, push: PushService, answer: Iq | NoAnswer) -> None:
        """An error ends it, one that may be over soon only if it comes again and again (XEP-0357 §7.1)."""
        key = (account, push.service, push.node)
        if isinstance(answer, Iq) and answer.type is IqType.RESULT:
            self._failures.pop(key, None)
            return
        reason = _condition(answer) if isinstance(answer, Iq) else "no answer"
        failures = self._failures.pop(key, 0) + 1
        if (isinstance(answer, Iq) and reason not in TRANSIENT) or failures >= PERSISTENT_AFTER:
            log.info("notifications disabled", extra={"jid": account, "to": push.service, "reason": reason})
            self._outside.start(self._give_up(account, push))
            return
        self._failures[key] = failures
        if len(self._failures) > TROUBLES:
            self._failures.popitem(last=False)

    async def _give_up(self, account: JID, push: PushService) -> None:
        user = self._outside.find(account)
        try:
            if user is None:
                self._store.remove(account, push.service, push.node)
            else:
                await self._forget(user, push.service, push.node)
        except StorageError as error:  # the next one will fail as well, and end it then
            log.warning("a push service cannot be removed", extra={"jid": account, "reason": str(error)})


class _Pause:
    """Between two notifications: what came meanwhile."""

    __slots__ = ("count", "last", "seconds")

    def __init__(self) -> None:
        self.count = 0
        self.last: Message | None = None
        self.seconds = FIRST_PAUSE


class Bell:
    """Calls `call` for messages, with the last and how many there were: at once, but not too often."""

    def __init__(
        self,
        call: Callable[[JID, Message, int], None],
        later: Callable[[float, Callable[[], None]], object],
    ) -> None:
        self._call = call
        self._later = later
        self._pauses: dict[JID, _Pause] = {}

    def ring(self, account: JID, message: Message) -> None:
        """A message came."""
        pause = self._pauses.get(account)
        if pause is not None:
            pause.count += 1
            pause.last = message
            return
        pause = self._pauses[account] = _Pause()
        self._later(pause.seconds, partial(self._is_over, account, pause))
        self._call(account, message, 1)

    def _is_over(self, account: JID, pause: _Pause) -> None:
        last, count = pause.last, pause.count
        if last is None:
            del self._pauses[account]
            return
        pause.last, pause.count = None, 0
        pause.seconds = min(2 * pause.seconds, LONGEST_PAUSE)
        self._later(pause.seconds, partial(self._is_over, account, pause))
        self._call(account, last, count)


async def _wait(waiting: Awaitable[None]) -> None:
    await waiting


def _condition(answer: Iq) -> str:
    error = answer.child(NS_CLIENT, "error")
    conditions = (
        [] if error is None else [e.name for e in error.elements() if e.namespace == NS_STANZA_ERRORS]
    )
    return conditions[0] if conditions else "an error"
