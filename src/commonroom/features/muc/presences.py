"""XEP-0045 §7.6, §7.7: changing nickname and availability status; §17.3 rule 4: probes."""

from datetime import datetime

from commonroom.features.muc.appearances import NOTHING, Notice, noticed, seen, shown_presence, to_all
from commonroom.features.muc.effects import Effects
from commonroom.features.muc.entering import stranger
from commonroom.features.muc.nicknames import changed_nick, rename, wanted_nick
from commonroom.features.muc.room import Room
from commonroom.protocol.muc import Status
from commonroom.protocol.stanza import Presence


def update(room: Room, presence: Presence, now: datetime) -> Effects:
    """An occupant has another status, or wants another nickname (XEP-0045 §7.6, §7.7).

    Whoever is not inside believes to be: that is no way to enter (§7.2.18).
    """
    assert presence.sender is not None
    assert presence.to is not None
    effects = Effects()
    nick = wanted_nick(presence.to)
    presence.priority()  # which must be a number
    occupant = room.by_address.get(presence.sender)
    if occupant is None:
        effects.send.append(stranger(presence))
        return effects
    given = nick if nick == occupant.nick else changed_nick(room, occupant, nick)
    occupant.sessions[presence.sender] = shown_presence(room, presence)
    if given == occupant.nick:
        effects.send += to_all(room, occupant, noticed(room, occupant, NOTHING))
    else:
        # What the service made of a nickname is told (XEP-0045 §7.6).
        notice = NOTHING if given == nick else Notice((Status.NICK_ASSIGNED,))
        effects.send += rename(room, occupant, given, notice)[1]
    return effects


def probe(room: Room, presence: Presence, now: datetime) -> Effects:
    """An occupant's server asks for what it missed (XEP-0045 §17.3 rule 4); strangers hear nothing."""
    effects = Effects()
    assert presence.sender is not None
    assert presence.to is not None
    viewer = room.by_address.get(presence.sender)
    target = room.occupants.get(presence.to.resource or "")
    if viewer is None or target is None or not (room.is_shown(target) or target is viewer):
        return effects
    appearance = seen(room, target)
    if target is viewer:
        template = appearance.own
    else:
        template = appearance.revealed if room.sees_addresses(viewer) else appearance.plain
    effects.send.append(template.addressed(presence.sender, target.address))
    return effects
