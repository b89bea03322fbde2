"""RFC 6121 §2: Managing the Roster."""

from dataclasses import replace
from typing import Protocol

from commonroom.core.feature import ANSWERED, Answered, Feature, Scope, on_iq, on_session
from commonroom.core.moments import Moment
from commonroom.core.roster import item_element, query
from commonroom.core.rosters import Rosters, push
from commonroom.core.session import Session
from commonroom.core.subscription import Subscriptions
from commonroom.protocol.errors import bad_request, item_not_found, jid_malformed, not_acceptable, not_allowed
from commonroom.protocol.jid import JID, InvalidJID
from commonroom.protocol.stanza import Iq
from commonroom.xml.element import Element
from commonroom.xml.names import NS_ROSTER, NS_ROSTER_VERSIONING


class RosterLimits(Protocol):
    """How much a roster holds: contacts, groups of each, characters of a name and of a group."""

    @property
    def items(self) -> int: ...
    @property
    def groups_per_item(self) -> int: ...
    @property
    def name_length(self) -> int: ...
    @property
    def group_length(self) -> int: ...


class RosterQueries(Feature):
    """What clients ask of their own roster; nobody else can ask (RFC 6121 §2.3.3)."""

    rfc = "6121"

    def __init__(self, rosters: Rosters, subscriptions: Subscriptions, limits: RosterLimits) -> None:
        self._rosters = rosters
        self._subscriptions = subscriptions
        self._limits = limits

    def stream_features(self) -> tuple[Element, ...]:
        """RFC 6121 §2.6.1."""
        return (Element(NS_ROSTER_VERSIONING, "ver"),)

    @on_iq("get", NS_ROSTER, "query", to=Scope.OWN_ACCOUNT)
    def read(self, iq: Iq, session: Session) -> Element | Answered:
        """The roster, or what changed since the version that the client has (RFC 6121 §2.1.3, §2.6)."""
        roster = session.user.roster
        if not session.closed:
            self._rosters.interested.add(session)
        ver = iq.request().get("ver")
        known = None if ver is None else roster.known(ver)
        if known is None:
            return query(roster.ver(roster.version), [item_element(item) for item in roster.listed()])
        session.send(iq.result())
        for item in sorted(roster.listed(), key=lambda item: item.version):
            if item.version > known:
                shown = query(roster.ver(item.version), (item_element(item),))
                session.send(push(session.jid, shown, item.version))
        return ANSWERED

    @on_iq("set", NS_ROSTER, "query", to=Scope.OWN_ACCOUNT)
    async def write(self, iq: Iq, session: Session) -> None:
        """Add, change or remove one contact (RFC 6121 §2.3, §2.4, §2.5)."""
        item = iq.request().only_child()
        if item is None or (item.namespace, item.name) != (NS_ROSTER, "item"):
            raise bad_request("a roster set has exactly one item")
        contact = self._contact(item, session)
        before = session.user.roster.item(contact)
        if item.get("subscription") == "remove":
            if not before.listed:
                raise item_not_found()
            await self._subscriptions.remove(session.user, contact)
            return
        after = replace(before, name=self._name(item), groups=self._groups(item), listed=True)
        if not before.listed and len(session.user.roster.listed()) >= self._limits.items:
            raise not_acceptable(f"a roster holds {self._limits.items} contacts at most")
        await self._rosters.put(session.user, after)

    def _contact(self, item: Element, session: Session) -> JID:
        try:
            contact = JID.parse(item.get("jid") or "").bare
        except InvalidJID as error:
            raise jid_malformed(str(error)) from None
        if contact == session.user.jid:
            raise not_allowed("nobody is a contact of their own")
        return contact

    def _name(self, item: Element) -> str:
        name = item.get("name") or ""
        if len(name) > self._limits.name_length:
            raise not_acceptable(f"a name has {self._limits.name_length} characters at most")
        return name

    def _groups(self, item: Element) -> tuple[str, ...]:
        """RFC 6121 §2.3.3: no group twice, none empty, none too long."""
        groups = [group.text() for group in item.elements() if group.name == "group"]
        if len(set(groups)) < len(groups):
            raise bad_request("the same group is there twice")
        if len(groups) > self._limits.groups_per_item:
            raise not_acceptable(f"a contact is in {self._limits.groups_per_item} groups at most")
        if not all(0 < len(group) <= self._limits.group_length for group in groups):
            raise not_acceptable(f"a group has 1 to {self._limits.group_length} characters")
        return tuple(sorted(groups))

    @on_session(Moment.CLOSED)
    def forget(self, session: Session) -> None:
        """Pushes go to connected resources only."""
        self._rosters.interested.discard(session)
