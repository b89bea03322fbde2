"""RFC 6120 §10.5 and RFC 6121 §8.5: what comes for one of our own domains and its accounts."""

from collections.abc import Awaitable, Callable
from functools import partial

from commonroom.accounts.interfaces import Alias
from commonroom.core.aliases import FindAlias, no_alias, redirected, refuse
from commonroom.core.commit import AfterCommit
from commonroom.core.delivery import DELIVERY, Addressed, Resources, Verdict
from commonroom.core.feature import Scope, Tables
from commonroom.core.handlers import Handlers
from commonroom.core.message import Outcome, run
from commonroom.core.session import Session
from commonroom.core.subscription import SUBSCRIPTION_TYPES
from commonroom.core.user import User
from commonroom.core.users import Users
from commonroom.protocol.errors import service_unavailable
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Iq, Message, Presence, PresenceType, Stanza
from commonroom.storage.interfaces import Writes


class LocalDomain:
    """A Destination: one of the domains whose accounts are ours."""

    def __init__(
        self,
        name: JID,
        users: Users,
        handlers: Handlers,
        tables: Tables,
        writes: Writes,
        find_alias: FindAlias = no_alias,
    ) -> None:
        self.name = name
        self._users = users
        self._iqs = handlers.iqs
        self._questions = handlers.questions
        self._presences = handlers.presences
        self._subscriptions = handlers.subscriptions
        self._received = tables.received
        self._arriving = tables.arriving
        self._delivery = tables.delivery
        self._writes = writes
        self._find_alias = find_alias
        self.watch: Callable[[Presence, JID, JID], None] | None = None  # sees what comes for accounts

    def receive(self, stanza: Stanza, sender: JID, to: JID) -> Awaitable[None] | None:
        """To the server itself, or to one of its accounts (RFC 6121 §8.4, §8.5)."""
        if to.local is None:
            return self._to_server(stanza, to)
        if self.watch is not None and isinstance(stanza, Presence):
            self.watch(stanza, sender, to.bare)
        user = self._users.find(to.bare)
        if user is not None:
            return self._to_user(stanza, user)
        if isinstance(stanza, Presence) and not _needs_account(stanza):
            return None
        return self._to_unloaded(stanza, sender, to.bare)

    # To the server: RFC 6120 §10.5.1, §10.5.2

    def _to_server(self, stanza: Stanza, to: JID) -> Awaitable[None] | None:
        if isinstance(stanza, Iq):
            if not stanza.is_request:
                self._questions.answered(stanza)
                return None
            if to.is_bare:
                return self._iqs.handle(stanza, Scope.SERVER, self)
        if isinstance(stanza, Presence):
            return None
        raise service_unavailable()

    # To an account: RFC 6121 §8.5

    async def _to_unloaded(self, stanza: Stanza, sender: JID, account: JID) -> None:
        """What is no account may be an alias of one."""
        user = await self._users.load(account)
        alias = self._find_alias(account) if user is None else None
        if user is not None:
            waiting = self._to_user(stanza, user)
        elif alias is not None:
            waiting = self._to_alias(stanza, sender, alias)
        else:
            waiting = self._to_nobody(stanza)
        if waiting is not None:
            await waiting

    # To another address of an account: XEP-0283

    def _to_alias(self, stanza: Stanza, sender: JID, alias: Alias) -> Awaitable[None] | None:
        if isinstance(stanza, Message):
            return self.receive(redirected(stanza, alias.address), sender, alias.address)
        return self._refuse_alias(stanza, alias)

    async def _refuse_alias(self, stanza: Stanza, alias: Alias) -> None:
        if isinstance(stanza, Presence) and stanza.type is PresenceType.PROBE:
            waiting = self._to_nobody(stanza)
            if waiting is not None:
                await waiting
            return
        refuse(stanza, alias, await self._users.load(alias.address))

    def _to_nobody(self, stanza: Stanza) -> Awaitable[None] | None:
        """No such user (RFC 6121 §8.5.1): probes get what strangers get from anybody."""
        assert stanza.to is not None
        if isinstance(stanza, Message):
            addressed = Addressed.BARE if stanza.to.is_bare else Addressed.NO_MATCH
            if DELIVERY[Resources.NO_ACCOUNT, addressed, stanza.type] is Verdict.SILENT:
                return None
        if isinstance(stanza, Presence):
            return self._presences.deny_probe(stanza) if stanza.type is PresenceType.PROBE else None
        raise service_unavailable()

    def _to_user(self, stanza: Stanza, user: User) -> Awaitable[None] | None:
        if isinstance(stanza, Message):
            return self._message(stanza, user)
        if isinstance(stanza, Presence):
            return self._presence(stanza, user)
        assert isinstance(stanza, Iq)
        return self._iq(stanza, user)

    def _message(self, message: Message, user: User) -> Awaitable[None] | None:
        if message.began is None:  # it comes from elsewhere
            message.began = self._writes.appended
            stages = self._arriving[user.wants]
        else:
            stages = self._received[user.wants]
        outcome = run(stages, message, user) if stages else None
        if outcome is True:
            return None
        if outcome is not None:
            return self._give_later(message, user, outcome)
        if self._writes.appended == message.began and not message.follows:
            return self._give(message, user)
        return self._after_commit(message, user)

    async def _give_later(self, message: Message, user: User, waiting: Awaitable[Outcome]) -> None:
        if await waiting is None:
            await self._after_commit(message, user)

    def _after_commit(self, message: Message, user: User) -> AfterCommit:
        assert message.began is not None
        return AfterCommit(self._writes, message.began, partial(self.give, message, user))

    def give(self, message: Message, user: User) -> Awaitable[None] | None:
        """The stages from DELIVER on, for a user who may have left memory since the others."""
        return self._give(message, self._users.find(user.jid) or user)

    def _give(self, message: Message, user: User) -> Awaitable[None] | None:
        outcome = run(self._delivery[user.wants], message, user)
        if outcome is None and message.delivered:
            return None
        if outcome is not None and outcome is not True:
            return _settle_later(message, outcome)
        _settle(message, outcome)
        return None

    def _presence(self, presence: Presence, user: User) -> Awaitable[None] | None:
        if presence.type in SUBSCRIPTION_TYPES:
            return self._subscriptions.inbound(presence, user)
        if presence.type is PresenceType.PROBE:
            return self._presences.answer_probe(presence, user)
        self._presences.receive(presence, user)
        return None

    def _iq(self, iq: Iq, user: User) -> Awaitable[None] | None:
        assert iq.to is not None
        name = iq.to.resource
        if name is None:
            if not iq.is_request:
                self._questions.answered_for(user.jid, iq)
                return None
            return self._iqs.handle(iq, Scope.ACCOUNT, user)
        resource = user.sessions.get(name)
        if iq.is_request and (resource is None or not self._shares_presence(iq, user, name)):
            raise service_unavailable()  # the same answer in both cases (RFC 6121 §8.5.3.1, §8.5.3.2.3)
        if resource is not None:
            resource.send(iq)
        return None

    def _shares_presence(self, iq: Iq, user: User, name: str) -> bool:
        """By a subscription or by directed presence (RFC 6121 §8.5.3.1)."""
        sender = iq.sender
        assert sender is not None  # only answers of the account itself come without
        if user.shows_presence_to(sender):
            return True
        session = user.sessions[name]
        return isinstance(session, Session) and any(d.bare == sender.bare for d in session.directed)


def _needs_account(presence: Presence) -> bool:
    """Nobody listens at an account that is not in memory (RFC 6121 §8.5.2.2.2): a broadcast loads nobody."""
    return presence.type is PresenceType.PROBE or presence.type in SUBSCRIPTION_TYPES


def _settle(message: Message, outcome: Outcome) -> None:
    """What nobody delivered, stored or dropped goes back to its sender."""
    if outcome is True:
        message.arrive()  # it was dropped, and waits for nobody
    elif not message.delivered and not message.stored:
        raise service_unavailable()


async def _settle_later(message: Message, outcome: Awaitable[Outcome]) -> None:
    _settle(message, await outcome)
