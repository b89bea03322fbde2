"""RFC 6121 §4: who is told of whose presence."""

from collections.abc import Awaitable, Callable

from commonroom.core.moments import Moment
from commonroom.core.session import NOBODY, Session
from commonroom.core.user import Resource, User
from commonroom.protocol.errors import bad_request, resource_constraint
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Presence, PresenceType, Stanza

Route = Callable[[Stanza], Awaitable[None] | None]

# Entities that one session may owe word of its end. More is no use to a person, and would fill our memory.
DIRECTED_PER_SESSION = 1000


class Presences:
    """Broadcasts, directs and answers for the users of this server.

    `is_local` tells whether a domain's accounts are ours; `find` gives one that is in memory, as all are
    that are online: so nobody needs to be asked for their presence. `route` gives what must be waited for,
    `tell` is for what nobody waits for.
    """

    def __init__(
        self,
        route: Route,
        tell: Callable[[Stanza], None],
        find: Callable[[JID], User | None],
        is_local: Callable[[str], bool],
    ) -> None:
        self._route = route
        self._tell = tell
        self._find = find
        self._is_local = is_local

    # What a client sends without `to`: §4.2, §4.4, §4.5

    def broadcast(self, presence: Presence, session: Session) -> tuple[Moment, ...]:
        """Show available or unavailable presence to all who may see it (RFC 6121 §4.2.2, §4.4.2, §4.5.2).

        Returns what this means for the session. A probe of nobody is no reason for an error (§4.3).
        """
        if presence.type is PresenceType.AVAILABLE:
            return () if session.closed else self._available(presence, session)
        if presence.type is PresenceType.UNAVAILABLE:
            return self._unavailable(presence, session)
        if presence.type is PresenceType.PROBE:
            return ()
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
        return (Moment.AVAILABLE if is_initial else Moment.UPDATED, *reached)

    def _unavailable(self, presence: Presence, session: Session) -> tuple[Moment, ...]:
        was_available = session.presence is not None
        user = session.user
        self._end_directed(presence, session)
        if not was_available:
            return ()
        self._tell_own(presence, user)  # before the change: the leaving resource hears it too (§4.5.2)
        session.presence = None
        session.farewell = presence
        session.priority = 0
        user.presence_changed()
        self._tell_subscribers(presence, user)
        return (Moment.UNAVAILABLE,)

    def _tell_subscribers(self, presence: Presence, user: User) -> None:
        for copy in presence.copies(user.roster.subscribers):
            self._tell(copy)

    def _tell_own(self, presence: Presence, user: User) -> None:
        copy = presence.addressed(user.jid, presence.sender)
        for resource in user.available:
            resource.send(copy)

    def _learn_presence(self, session: Session) -> None:
        """The new resource hears of the user's others (§4.2.2) and of the contacts (§4.3.1)."""
        for resource in session.user.available:
            if resource is not session and resource.presence is not None:
                session.send(resource.presence.addressed(session.jid, resource.jid))
        for contact in session.user.roster.subscribed_to:
            if self._is_local(contact.domain):
                self._learn_local_presence(contact, session)
            else:
                self._tell(Presence(PresenceType.PROBE, to=contact, sender=session.user.jid))

    def _learn_local_presence(self, contact: JID, session: Session) -> None:
        """What a probe would tell (§4.3.1), but to this resource alone: the others know it."""
        user = self._find(contact)
        if user is None:
            return  # not online
        if user.shows_presence_to(session.jid):
            self.show(user, session.jid)
            return
        waiting = self.deny_probe(Presence(PresenceType.PROBE, to=contact, sender=session.jid))
        if waiting is not None:
            session.after(waiting)

    # What a client sends with `to`: §4.6

    def direct(self, presence: Presence, session: Session) -> Awaitable[None] | None:
        """Directed presence; who got it hears of its end (RFC 6121 §4.6.3).

        Raises resource-constraint when too many would have to.
        """
        assert presence.to is not None
        if session.closed:
            return None  # its end was told already, or will be
        if presence.type is PresenceType.UNAVAILABLE:
            session.directed -= {presence.to}
        elif not _hears_broadcasts(presence.to, session):
            if len(session.directed) >= DIRECTED_PER_SESSION and presence.to not in session.directed:
                raise resource_constraint(f"presence was sent to {DIRECTED_PER_SESSION} others already")
            session.directs_to(presence.to)
        return self._route(presence)

    def _end_directed(self, presence: Presence, session: Session) -> None:
        """Not for those whom the broadcast tells: a subscription takes precedence (RFC 6121 §4.6.1)."""
        directed, session.directed = session.directed, NOBODY
        for entity in sorted(directed):
            if not _hears_broadcasts(entity, session):
                self._tell(presence.addressed(entity, session.jid))

    def withdraw(self, user: User, contact: JID) -> None:
        """Contacts who lose their subscription see every resource leave (RFC 6121 §3.2.2, §3.3.3), even
        where they got directed presence, too (§4.6.1)."""
        for resource in tuple(user.sessions.values()):
            directed = _directed_to(contact, resource)
            if resource.presence is not None or directed:
                self._tell(Presence(PresenceType.UNAVAILABLE, to=contact, sender=resource.jid))
            if isinstance(resource, Session):
                resource.directed -= directed

    def show(self, user: User, contact: JID) -> None:
        """Who gains a subscription, or asks, sees every available resource (RFC 6121 §3.1.5, §4.3.2)."""
        for resource in user.available:
            if resource.presence is not None:
                self._tell(resource.presence.addressed(contact, resource.jid))

    # What comes for a user: §4.2.3, §4.3.2, §4.4.3, §4.5.3

    def receive(self, presence: Presence, user: User) -> None:
        """Deliver to all available resources, or to the one that is named (RFC 6121 §8.5.2.1.2, §8.5.3.1)."""
        assert presence.to is not None
        if presence.type is PresenceType.UNAVAILABLE or presence.type is PresenceType.ERROR:
            _forget_who_left(presence, user)
        name = presence.to.resource
        if name is None:
            for resource in user.available:
                resource.send(presence)
        elif name in user.sessions:
            user.sessions[name].send(presence)

    def answer_probe(self, probe: Presence, user: User) -> Awaitable[None] | None:
        """Tell what the subscription allows, or of directed presence whether it holds (§4.3.2, §4.6.6)."""
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
        """Of a resource that is named, only whether it is available; `id` is mirrored if not (§4.3.2.1)."""
        assert probe.to is not None and probe.sender is not None
        name = probe.to.resource
        if name is not None:
            resource = user.sessions.get(name)
            if resource is not None and resource.presence is not None:
                self._tell(Presence(to=probe.sender, sender=resource.jid))
                return
        elif user.available:
            self.show(user, probe.sender)
            return
        self._tell(Presence(PresenceType.UNAVAILABLE, to=probe.sender, sender=probe.to, id=probe.id))

    def _answer_directed(self, probe: Presence, user: User) -> bool:
        assert probe.to is not None and probe.sender is not None
        session = user.sessions.get(probe.to.resource or "")
        directed = session.directed if isinstance(session, Session) else ()
        if session is None or not (probe.sender in directed or probe.sender.bare in directed):
            return False
        self._tell(Presence(PresenceType.AVAILABLE, to=probe.sender, sender=session.jid))
        return True

    # When a session ends in whatever way: §4.5.2

    def session_closed(self, session: Session) -> tuple[Moment, ...]:
        """Generate the unavailable presence that the client did not send."""
        return self._unavailable(Presence(PresenceType.UNAVAILABLE, sender=session.jid), session)


def _hears_broadcasts(entity: JID, session: Session) -> bool:
    return session.presence is not None and session.user.shows_presence_to(entity)


def _directed_to(contact: JID, resource: Resource) -> set[JID]:
    if not isinstance(resource, Session):
        return set()
    return {entity for entity in resource.directed if entity.bare == contact}


def _forget_who_left(presence: Presence, user: User) -> None:
    """Whoever leaves, or took nothing, needs not hear any more when the user does (RFC 6121 §4.6.1)."""
    assert presence.to is not None
    if presence.sender is None:
        return
    for resource in user.sessions.values():
        if isinstance(resource, Session) and presence.to in (user.jid, resource.jid):
            resource.directed -= {presence.sender}
