"""RFC 6121 §4: who is told of whose presence."""

from collections.abc import Awaitable, Callable

from commonroom.core.moments import Moment
from commonroom.core.session import Session
from commonroom.core.user import User
from commonroom.protocol.errors import bad_request
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Presence, PresenceType, Stanza

Route = Callable[[Stanza], Awaitable[None] | None]


class Presences:
    """Broadcasts, directs and answers for the users of this server.

    `is_local` tells whether a domain's accounts are ours: their presence is in memory, so that nobody
    needs to be asked for it.
    """

    def __init__(
        self,
        route: Route,
        is_local: Callable[[str], bool],
    ) -> None:
        self._route = route
        self._is_local = is_local

    # What a client sends without `to`: §4.2, §4.4, §4.5

    def broadcast(self, presence: Presence, session: Session) -> tuple[Moment, ...]:
        """Show available or unavailable presence to all who may see it (RFC 6121 §4.2.2, §4.4.2, §4.5.2).

        Returns what this means for the session: nothing, if it is a mere update.
        """
        if presence.type is PresenceType.AVAILABLE:
            return self._available(presence, session)
        if presence.type is PresenceType.UNAVAILABLE:
            return self._unavailable(presence, session)
        raise bad_request(f"presence of type {presence.type.value} needs a 'to'")

    def _available(self, presence: Presence, session: Session) -> tuple[Moment, ...]:
        priority = presence.priority()
        is_initial = session.presence is None
        was_reachable = not is_initial and session.priority >= 0
        session.priority = priority
        session.presence = presence
        user = session.user
        user.presence_changed()
        self._tell_subscribers(presence, user)
        self._tell_own(presence, user)
        if is_initial:
            self._learn_presence(session)
        reached = (Moment.REACHABLE,) if priority >= 0 and not was_reachable else ()
        return (Moment.AVAILABLE, *reached) if is_initial else reached

    def _unavailable(self, presence: Presence, session: Session) -> tuple[Moment, ...]:
        was_available = session.presence is not None
        user = session.user
        self._end_directed(presence, session)
        if not was_available:
            return ()
        self._tell_own(presence, user)  # before the change: the leaving resource hears it too (§4.5.2)
        session.presence = None
        session.priority = 0
        user.presence_changed()
        self._tell_subscribers(presence, user)
        return (Moment.UNAVAILABLE,)

    def _tell_subscribers(self, presence: Presence, user: User) -> None:
        for contact in user.roster.subscribers:
            self._route(presence.addressed(contact, presence.sender))

    def _tell_own(self, presence: Presence, user: User) -> None:
        copy = presence.addressed(user.jid, presence.sender)
        for resource in user.available:
            resource.send(copy)

    def _learn_presence(self, session: Session) -> None:
        """The new resource hears of the user's others (§4.2.2) and of the contacts (§4.3.1).

        A probe to a contact of ours comes from the full address, so that the answer goes to this
        resource alone: the others know.
        """
        for resource in session.user.available:
            if resource is not session and resource.presence is not None:
                session.send(resource.presence.addressed(session.jid, resource.jid))
        for contact in session.user.roster.subscribed_to:
            prober = session.jid if self._is_local(contact.domain) else session.user.jid
            self._route(Presence(PresenceType.PROBE, to=contact, sender=prober))

    # What a client sends with `to`: §4.6

    def direct(self, presence: Presence, session: Session) -> Awaitable[None] | None:
        """Directed presence; who got it hears of its end (RFC 6121 §4.6.3)."""
        assert presence.to is not None
        if presence.type is PresenceType.AVAILABLE:
            if not _hears_broadcasts(presence.to, session):
                session.directed.add(presence.to)
        elif presence.type is PresenceType.UNAVAILABLE:
            session.directed.discard(presence.to)
        return self._route(presence)

    def _end_directed(self, presence: Presence, session: Session) -> None:
        directed, session.directed = session.directed, set()
        for entity in sorted(directed):
            self._route(presence.addressed(entity, session.jid))

    def withdraw(self, user: User, contact: JID) -> None:
        """Contacts who lose their subscription see every resource leave (RFC 6121 §3.2.2, §3.3.3)."""
        for resource in user.available:
            self._route(Presence(PresenceType.UNAVAILABLE, to=contact, sender=resource.jid))

    def show(self, user: User, contact: JID) -> None:
        """Contacts who gain a subscription see every available resource (RFC 6121 §3.1.5)."""
        for resource in user.available:
            if resource.presence is not None:
                self._route(resource.presence.addressed(contact, resource.jid))

    # What comes for a user: §4.2.3, §4.3.2, §4.4.3, §4.5.3

    def receive(self, presence: Presence, user: User) -> None:
        """Deliver to all available resources, or to the one that is named (RFC 6121 §8.5.2.1.2, §8.5.3.1)."""
        assert presence.to is not None
        name = presence.to.resource
        if name is None:
            for resource in user.available:
                resource.send(presence)
        elif name in user.sessions:
            user.sessions[name].send(presence)

    def answer_probe(self, probe: Presence, user: User) -> Awaitable[None] | None:
        """Tell the prober what the subscription allows, or mere presence if it was directed (§4.3.2, §4.6.6)."""
        assert probe.to is not None and probe.sender is not None
        if user.shows_presence_to(probe.sender):
            self._answer_subscriber(probe, user)
        elif not self._answer_directed(probe, user):
            return self.deny_probe(probe)
        return None

    def deny_probe(self, probe: Presence) -> Awaitable[None] | None:
        """What a stranger gets, and whoever probes an account that is not there (RFC 6121 §4.3.2 rule 1)."""
        assert probe.to is not None and probe.sender is not None
        refusal = PresenceType.UNSUBSCRIBED
        return self._route(Presence(refusal, to=probe.sender.bare, sender=probe.to.bare, id=probe.id))

    def _answer_subscriber(self, probe: Presence, user: User) -> None:
        assert probe.to is not None
        name = probe.to.resource
        if name is not None:
            resource = user.sessions.get(name)
            kind = PresenceType.UNAVAILABLE if resource is None or resource.presence is None else PresenceType.AVAILABLE
            self._route(Presence(kind, to=probe.sender, sender=probe.to))
            return
        for resource in user.available:
            if resource.presence is not None:
                self._route(resource.presence.addressed(probe.sender, resource.jid))
        if not user.available:
            self._route(Presence(PresenceType.UNAVAILABLE, to=probe.sender, sender=user.jid))

    def _answer_directed(self, probe: Presence, user: User) -> bool:
        assert probe.to is not None and probe.sender is not None
        session = user.sessions.get(probe.to.resource or "")
        directed = session.directed if isinstance(session, Session) else ()
        if session is None or not (probe.sender in directed or probe.sender.bare in directed):
            return False
        self._route(Presence(PresenceType.AVAILABLE, to=probe.sender, sender=session.jid))
        return True

    # When a session ends in whatever way: §4.5.2

    def session_closed(self, session: Session) -> tuple[Moment, ...]:
        """Generate the unavailable presence that the client did not send."""
        return self._unavailable(Presence(PresenceType.UNAVAILABLE, sender=session.jid), session)


def _hears_broadcasts(entity: JID, session: Session) -> bool:
    return session.presence is not None and session.user.roster.item(entity.bare).state.has_from
