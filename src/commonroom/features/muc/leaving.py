"""XEP-0045 §7.14, §11, §18.1.2: how occupants leave, or are found to have left."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from commonroom.features.muc.appearances import NOTHING, Notice, appear, seen, to_all, to_others
from commonroom.features.muc.effects import Broadcast, Effects, RoomDestroyed
from commonroom.features.muc.forgeries import honest
from commonroom.features.muc.occupant import Appearance, Occupant
from commonroom.features.muc.room import Room
from commonroom.protocol.jid import JID
from commonroom.protocol.muc import Status, user_element
from commonroom.protocol.stanza import Iq, Presence, PresenceType, Stanza
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_MUC_USER, NS_STANZA_ERRORS

# The conditions that say that the client is not there any more (XEP-0045 §18.1.2).
GONE = frozenset(
    (
        "gone",
        "item-not-found",
        "recipient-unavailable",
        "redirect",
        "remote-server-not-found",
        "remote-server-timeout",
    )
)

_SILENT = Presence(PresenceType.UNAVAILABLE)


class Departure(NamedTuple):
    """Somebody who is out of the room already: what they and the others have still to be told."""

    occupant: Occupant
    sessions: Sequence[JID]
    appearance: Appearance
    was_shown: bool


def leave(room: Room, presence: Presence, now: datetime) -> Effects:
    """A client leaves, with its last words (XEP-0045 §7.14); strangers are ignored (§17.3 rule 5)."""
    assert presence.sender is not None
    occupant = room.by_address.get(presence.sender)
    if occupant is None:
        return Effects()
    words = Presence(
        PresenceType.UNAVAILABLE,
        children=honest(presence.children, presence.sender, room.address),
        lang=presence.lang,
    )
    return _close_session(room, occupant, presence.sender, words, NOTHING)


def drop(room: Room, session: JID, now: datetime) -> Effects:
    """Remove a client that is not there any more (XEP-0045 §11.1)."""
    occupant = room.by_address.get(session)
    if occupant is None:
        return Effects()
    return _close_session(room, occupant, session, _SILENT, Notice((Status.FAILED,)))


def failed(room: Room, stanza: Stanza, now: datetime) -> Effects:
    """An occupant's client, or its server, sent an error (XEP-0045 §18.1.2)."""
    effects = Effects()
    assert stanza.sender is not None
    occupant = room.by_address.get(stanza.sender)
    condition = condition_of(stanza)
    if occupant is None:
        # The server has no such client, but it can only say so of the account.
        if condition in GONE and stanza.sender.is_bare:
            for found in room.by_user.get(stanza.sender, ()):
                effects.doubtful += found.sessions
        return effects
    if condition in GONE:
        return drop(room, stanza.sender, now)
    if condition == "service-unavailable":  # no such client (RFC 6121 §8.5.3.2), or one who blocks somebody
        effects.doubtful.append(stanza.sender)
    return effects


def condition_of(stanza: Stanza) -> str | None:
    """The condition of an error."""
    error = stanza.child(NS_CLIENT, "error")
    if error is None:
        return None
    names = [child.name for child in error.elements() if child.namespace == NS_STANZA_ERRORS]
    return next((name for name in names if name != "text"), None)


def shut_down(room: Room) -> Effects:
    """Tell everybody that the service stops (XEP-0045 §11.2); each hears of itself only."""
    return dismiss(room, Notice((Status.SHUTDOWN,)))


def given_up(room: Room, effects: Effects, is_kept: bool) -> Effects:
    """Everybody is out, also those who came in, or were put out, by what nobody was told of (XEP-0045 §11.2).

    Who asked for something that `is_kept` is answered.
    """
    told = shut_down(room)
    item = Element(NS_MUC_USER, "item", {"affiliation": "none", "role": "none"})
    x = user_element((Status.SELF, Status.SHUTDOWN), item)
    for stanza in effects.send:
        if isinstance(stanza, Broadcast):
            if _puts_out(stanza.template):
                gone = Presence(PresenceType.UNAVAILABLE, sender=stanza.template.sender, children=[x])
                told.broadcast(gone, stanza.recipients)
        elif is_kept and isinstance(stanza, Iq):
            told.send.append(stanza)
    return told


def _puts_out(stanza: Stanza) -> bool:
    """Whether it tells its recipients that they are not inside any more; not under another nickname."""
    x = stanza.child(NS_MUC_USER, "x")
    if not isinstance(stanza, Presence) or stanza.type is not PresenceType.UNAVAILABLE or x is None:
        return False
    codes = {status.get("code") for status in x.elements() if status.name == "status"}
    return str(int(Status.SELF)) in codes and str(int(Status.NEW_NICK)) not in codes


def dismiss(room: Room, notice: Notice) -> Effects:
    """Remove everybody at once, one presence for each client (XEP-0045 §10.9, §11.2)."""
    effects = Effects()
    for occupant in list(room.occupants.values()):
        departure = take_out(room, occupant, notice)
        effects.send.append(Broadcast(departure.appearance.own, departure.sessions))
    effects.has_ended = not room.config.persistent
    return effects


def _close_session(room: Room, occupant: Occupant, session: JID, words: Presence, notice: Notice) -> Effects:
    effects = Effects()
    if len(occupant.sessions) == 1:
        if len(room.occupants) == 1 and room.is_locked:  # XEP-0045 §10.1.3
            notice = notice._replace(more=(Element(NS_MUC_USER, "destroy"),))
        tell(room, effects, [take_out(room, occupant, notice, words)])
        return effects
    before = seen(room, occupant).revealed.payload()
    effects.send.append(
        appear(room, occupant, session, words, notice).own.addressed(session, occupant.address)
    )
    forget(room, session)
    del occupant.sessions[session]
    del room.by_address[session]
    occupant.appearance = None
    after = seen(room, occupant)
    if after.revealed.payload() != before:
        effects.send += to_all(room, occupant, after)
    return effects


def take_out(room: Room, occupant: Occupant, notice: Notice, words: Presence = _SILENT) -> Departure:
    """Remove an occupant with all clients; nobody is told yet."""
    session, _ = occupant.main()
    appearance = appear(room, occupant, session, words, notice)
    was_shown = room.is_shown(occupant)
    room.remove(occupant)
    for address in occupant.sessions:
        forget(room, address)
    return Departure(occupant, tuple(occupant.sessions), appearance, was_shown)


def forget(room: Room, session: JID) -> None:
    """Nobody waits for the answers to this client any more."""
    for key in [key for key, relayed in room.relayed.items() if relayed.asker == session]:
        del room.relayed[key]


def tell(
    room: Room, effects: Effects, departures: Iterable[Departure], between: Sequence[Stanza] = ()
) -> None:
    """Tell those who left, then send what is between (XEP-0045 §8.2), then tell those who remain."""
    departures = tuple(departures)
    effects.send += [Broadcast(gone.appearance.own, gone.sessions) for gone in departures]
    effects.send += between
    for gone in departures:
        if gone.was_shown:
            effects.send += to_others(room, gone.occupant, gone.appearance)
    if departures:
        end_if_empty(room, effects)


def end_if_empty(room: Room, effects: Effects) -> None:
    """A temporary room, or one never configured, ends with its last occupant (XEP-0045 §7.14, §10.1.3)."""
    if not (effects.has_ended or room.occupants) and (room.is_locked or not room.config.persistent):
        effects.has_ended = True
        effects.writes.append(RoomDestroyed())
