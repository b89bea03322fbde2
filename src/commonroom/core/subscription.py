"""RFC 6121 §3: subscriptions to presence. The rules stand in protocol/subscription.py; here they are done."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from commonroom.core.feature import Feature, on_session
from commonroom.core.moments import Moment
from commonroom.core.presence import Presences
from commonroom.core.rosters import Rosters
from commonroom.core.session import Session
from commonroom.core.user import User
from commonroom.protocol.errors import not_acceptable
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Presence, PresenceType, Stanza, read_presence
from commonroom.protocol.subscription import Direction, SubscriptionAction, Transition, decide, removal
from commonroom.storage.records import RosterItem
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_PREAPPROVAL
from commonroom.xml.parser import parse_fragment

SUBSCRIPTION_TYPES = frozenset(PresenceType(action.value) for action in SubscriptionAction)

# How much a request may say: it is kept in full until it is answered (RFC 6121 §3.1.3).
REQUEST_BYTES = 10_000


class Subscriptions(Feature):
    """Carries out what a subscription stanza means for the one account at hand, as sender or as recipient.

    Nothing is told to anybody before it is on disk. `limit` bounds the contacts in a roster, and likewise
    the requests of others: whoever asks beyond it is not heard (RFC 6121 §3.1.3, on resource exhaustion).
    """

    rfc = "6121"

    def __init__(
        self,
        rosters: Rosters,
        presences: Presences,
        route: Callable[[Stanza], Awaitable[None] | None],
        limit: int,
    ) -> None:
        self._rosters = rosters
        self._presences = presences
        self._route = route
        self._limit = limit

    def stream_features(self) -> tuple[Element, ...]:
        """RFC 6121 §3.4."""
        return (Element(NS_PREAPPROVAL, "sub"),)

    async def outbound(self, stanza: Presence, user: User) -> None:
        """What the user's client sends: always between bare addresses (RFC 6121 §3.1.2)."""
        assert stanza.to is not None
        contact = stanza.to.bare
        if contact == user.jid:
            raise not_acceptable("everybody sees their own presence")
        action = SubscriptionAction(stanza.type.value)
        if action is SubscriptionAction.SUBSCRIBE and _is_too_long(stanza):
            raise not_acceptable(f"a request has {REQUEST_BYTES} bytes at most")
        before = user.roster.item(contact)
        transition, approved = decide(before.state, before.approved, action, Direction.OUTBOUND)
        adds = action in (SubscriptionAction.SUBSCRIBE, SubscriptionAction.SUBSCRIBED)
        listed = before.listed or (transition.push and adds)
        if listed and not before.listed and len(user.roster.listed()) >= self._limit:
            raise not_acceptable(f"a roster holds {self._limit} contacts at most")
        request = before.request if transition.state.pending_in else None
        after = replace(before, state=transition.state, approved=approved, listed=listed, request=request)
        stanza.to, stanza.sender = contact, user.jid
        after = await self._change(user, before, after, transition)
        # Deviation: not after routing (RFC 6121 §3.1.2), because the answer may be there before that ends,
        # and pushes must come in the order of the changes (RFC 6121 §2.6.3).
        if transition.push:
            self._rosters.push_item(user, after)
        if transition.route:
            await _done(self._route(stanza))
        if transition.show:
            self._presences.show(user, contact)

    async def inbound(self, stanza: Presence, user: User) -> None:
        """What a contact sends (RFC 6121 §3.1.3, §3.1.6, §3.2.3, §3.3.3)."""
        assert stanza.sender is not None
        contact = stanza.sender.bare
        action = SubscriptionAction(stanza.type.value)
        if contact == user.jid or (
            action is SubscriptionAction.SUBSCRIBE and not self._has_room(stanza, user)
        ):
            return
        before = user.roster.item(contact)
        transition, approved = decide(before.state, before.approved, action, Direction.INBOUND)
        stanza = stanza.addressed(user.jid, contact)
        request = before.request if transition.state.pending_in else None
        if transition.state.pending_in and request is None:
            request = stanza.xml()
        after = replace(before, state=transition.state, approved=approved, request=request)
        after = await self._change(user, before, after, transition)
        if transition.route:
            self._deliver(stanza, user)
        if transition.push:
            self._rosters.push_item(user, after)
        if transition.reply is not None:
            kind = PresenceType(transition.reply.value)
            await _done(self._route(Presence(kind, to=contact, sender=user.jid, id=stanza.id)))
        if transition.show:
            self._presences.show(user, contact)

    def _has_room(self, request: Presence, user: User) -> bool:
        assert request.sender is not None
        roster = user.roster
        is_known = request.sender.bare in roster.items
        has_room = is_known or len(roster.items) - len(roster.listed()) < self._limit
        return has_room and not _is_too_long(request)

    async def _change(
        self, user: User, before: RosterItem, after: RosterItem, transition: Transition
    ) -> RosterItem:
        """What changed is on disk before anybody hears of it. Except of lost presence: of a resource that
        leaves meanwhile, the contact would not hear any more."""
        if after == before:
            return before
        after = self._rosters.change(user, after)
        if transition.withdraw:
            self._presences.withdraw(user, after.jid)
        await self._rosters.flushed(user)
        return after

    def _deliver(self, stanza: Presence, user: User) -> None:
        """Requests go to available resources (RFC 6121 §3.1.3), the rest to interested ones (§3.1.6)."""
        if stanza.type is PresenceType.SUBSCRIBE:
            for resource in user.available:
                resource.send(stanza)
        else:
            for resource in self._rosters.interested_of(user):
                resource.send(stanza)

    async def remove(self, user: User, contact: JID) -> None:
        """The user removes a contact: end what there is between them (RFC 6121 §2.5.2)."""
        before = user.roster.item(contact)
        end = removal(before.state)
        left = replace(before, state=end.state, approved=False, listed=False, name="", groups=())
        left = self._rosters.change(user, left)
        if end.withdraw:
            self._presences.withdraw(user, contact)
        await self._rosters.flushed(user)
        self._rosters.push_removal(user, left)
        for action in end.send:
            await _done(self._route(Presence(PresenceType(action.value), to=contact, sender=user.jid)))

    @on_session(Moment.AVAILABLE)
    def ask_again(self, session: Session) -> None:
        """Requests are delivered to each new available resource until they are answered (RFC 6121 §3.1.3)."""
        for item in session.user.roster.items.values():
            if item.request is not None:
                session.send(_stored_request(item.request))


def _is_too_long(request: Presence) -> bool:
    return len(request.addressed(request.to, request.sender).xml().encode()) > REQUEST_BYTES


def _stored_request(xml: str) -> Presence:
    element = parse_fragment(xml, NS_CLIENT)
    request = read_presence(element)
    request.sender = JID.parse(element.attributes["from"])
    return request


async def _done(waiting: Awaitable[None] | None) -> None:
    if waiting is not None:
        await waiting
