"""XEP-0045 §7.2.2: presence as the room shows it: with role, affiliation, and for some the address."""

from collections.abc import Iterable
from typing import NamedTuple

from commonroom.features.muc.affiliations import Role
from commonroom.features.muc.effects import Broadcast
from commonroom.features.muc.forgeries import honest
from commonroom.features.muc.hats import hats_element
from commonroom.features.muc.occupant import Appearance, Occupant
from commonroom.features.muc.occupant_ids import occupant_id_element
from commonroom.features.muc.room import Room
from commonroom.protocol.jid import JID
from commonroom.protocol.muc import Status, text_element, user_element
from commonroom.protocol.stanza import Presence, PresenceType
from commonroom.xml.element import Element
from commonroom.xml.names import NS_MUC_USER


class Notice(NamedTuple):
    """What is said along with a presence.

    nick        the new nickname (XEP-0045 §7.6)
    actor       by whose nickname it was done; never an address
    more        what else stands in the <x/>, for everybody
    revealed    and for those who may see addresses
    """

    codes: tuple[Status, ...] = ()
    nick: str | None = None
    actor: str | None = None
    reason: str | None = None
    more: tuple[Element, ...] = ()
    revealed: tuple[Element, ...] = ()


NOTHING = Notice()


def seen(room: Room, occupant: Occupant) -> Appearance:
    """What somebody who enters sees of an occupant; made again only after a change."""
    found = occupant.appearance
    if found is None:
        session, presence = occupant.main()
        found = occupant.appearance = appear(room, occupant, session, presence)
    return found


def noticed(room: Room, occupant: Occupant, notice: Notice) -> Appearance:
    """What an occupant looks like from now on, with why."""
    occupant.appearance = None
    if notice == NOTHING:
        return seen(room, occupant)
    session, presence = occupant.main()
    return appear(room, occupant, session, presence, notice)


def appear(
    room: Room, occupant: Occupant, session: JID, presence: Presence, notice: Notice = NOTHING
) -> Appearance:
    """An occupant's presence as the room tells it (XEP-0045 §17.3 rules 8, 10)."""
    is_gone = presence.type is PresenceType.UNAVAILABLE and notice.nick is None
    item = {
        "affiliation": occupant.affiliation.value,
        "role": (Role.NONE if is_gone else occupant.role).value,
    }
    if notice.nick is not None:
        item["nick"] = notice.nick
    said, sender = _said(notice), occupant.address
    tail = (*hats_element(room, occupant), occupant_id_element(occupant.id))

    def make(attributes: dict[str, str], codes: Iterable[Status], more: tuple[Element, ...]) -> Presence:
        x = user_element(codes, Element(NS_MUC_USER, "item", attributes, *said), *more)
        return Presence(
            presence.type, sender=sender, children=[*presence.children, x, *tail], lang=presence.lang
        )

    revealed = {**item, "jid": str(session)}
    own_more = notice.more + (notice.revealed if room.sees_addresses(occupant) else ())
    return Appearance(
        lambda: make(item, notice.codes, notice.more),
        lambda: make(revealed, notice.codes, notice.more + notice.revealed),
        lambda: make(revealed, (*notice.codes, Status.SELF), own_more),
    )


def shown_presence(room: Room, presence: Presence) -> Presence:
    """What the room keeps of a client's presence: nothing that only the room may say (XEP-0045 §17.3)."""
    assert presence.sender is not None
    children = honest(presence.children, presence.sender, room.address)
    return Presence(children=children, lang=presence.lang)


def _said(notice: Notice) -> tuple[Element, ...]:
    actor = () if notice.actor is None else (Element(NS_MUC_USER, "actor", {"nick": notice.actor}),)
    return (*actor, *text_element(NS_MUC_USER, "reason", notice.reason))


def to_others(room: Room, occupant: Occupant, appearance: Appearance) -> list[Broadcast]:
    """The presence for everybody else who is in the room now: at most two serializations."""
    if not room.is_anonymous:
        everybody = [session for session, other in room.by_address.items() if other is not occupant]
        return [Broadcast(appearance.revealed, everybody)] if everybody else []
    knowing: list[JID] = []
    others: list[JID] = []
    for session, other in room.by_address.items():
        if other is not occupant:
            (knowing if other.role is Role.MODERATOR else others).append(session)
    found = [Broadcast(appearance.plain, others)] if others else []
    if knowing:
        found.append(Broadcast(appearance.revealed, knowing))
    return found


def to_all(room: Room, occupant: Occupant, appearance: Appearance) -> list[Broadcast]:
    """The presence for the others, if they may see it, and then for the occupant's own clients."""
    others = to_others(room, occupant, appearance) if room.is_shown(occupant) else []
    return [*others, Broadcast(appearance.own, tuple(occupant.sessions))]


def hide(room: Room, occupant: Occupant) -> list[Broadcast]:
    """Take an occupant whose role is not shown any more out of the others' sight (XEP-0045 §5.1.3)."""
    session, _ = occupant.main()
    gone = Presence(PresenceType.UNAVAILABLE)
    return to_others(room, occupant, appear(room, occupant, session, gone))


def occupants_for(room: Room, viewer: Occupant, session: JID) -> list[Presence]:
    """The presences of everybody else, for one of the viewer's clients (XEP-0045 §7.1 rule 1)."""
    knows = room.sees_addresses(viewer)
    found = []
    for other in room.occupants.values():
        if other is not viewer and room.is_shown(other):
            appearance = seen(room, other)
            template = appearance.revealed if knows else appearance.plain
            found.append(template.addressed(session, template.sender))
    return found
