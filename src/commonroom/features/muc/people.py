"""XEP-0045 §9: people who have another address now, or none any more, as a room knows them."""

from collections.abc import Mapping, MutableMapping
from dataclasses import replace
from typing import TypeVar

from commonroom.features.muc.administering import AffiliationItem, put_affiliations
from commonroom.features.muc.affiliations import RANK, Affiliation
from commonroom.features.muc.consequences import Consequences
from commonroom.features.muc.effects import AffiliationPut, Effects, RoomPut
from commonroom.features.muc.room import Room
from commonroom.protocol.jid import JID

V = TypeVar("V")


def readdress(room: Room, moves: Mapping[JID, JID]) -> Effects:
    """People keep affiliation, nickname, hats and voice under other bare addresses; all at the same time.

    If the lists say something of the new address already, the person is what is more; but who is banned under
    one of them is banned.
    """
    effects, told = Effects(), Consequences(room)
    _readdress_head(room, moves, effects)
    _rename_keys(room.voices, moves)
    _rename_keys(room.spoke, moves)
    _rename_keys(room.asked, moves)
    _rename_keys(room.applied, moves)
    _rename_keys(room.requests, moves)
    if any(spoken.user in moves for spoken in room.history):
        moved = [each._replace(user=moves.get(each.user, each.user)) for each in room.history]
        room.history.clear()
        room.history.extend(moved)
    entries = {former: room.affiliations[former] for former in moves if former in room.affiliations}
    items = [AffiliationItem(former, Affiliation.NONE) for former in entries]
    for former, entry in entries.items():
        new, affiliation = moves[former], entry.affiliation
        there = None if new in moves else room.affiliations.get(new)
        if there is not None:
            affiliation = _weightier(affiliation, there.affiliation)
        items.append(AffiliationItem(new, affiliation, entry.nick, entry.reason))
    put_affiliations(room, effects, told, items, None, informs=False)
    return told.conclude(effects)


def _readdress_head(room: Room, moves: Mapping[JID, JID], effects: Effects) -> None:
    """Hats, and the addresses that the room gives as its contacts."""
    contacts = tuple(moves.get(contact, contact) for contact in room.config.contacts)
    if contacts != room.config.contacts:
        room.config = replace(room.config, contacts=contacts)
        effects.writes.append(RoomPut())
    if room.worn.keys() & moves.keys():
        worn: dict[JID, tuple[str, ...]] = {}
        for user, uris in room.worn.items():
            now = moves.get(user, user)
            worn[now] = tuple(dict.fromkeys((*worn.get(now, ()), *uris)))
        room.worn = worn
        effects.writes.append(RoomPut())


def forget(room: Room, user: JID) -> Effects:
    """Nothing is known of somebody any more: whoever gets the address next is a stranger, and not banned.

    That there was somebody is not kept for clients' lists either (XEP-0463 §5.2.1): they get the whole ones.
    """
    effects, told = Effects(), Consequences(room)
    if room.worn.pop(user, None) is not None or user in room.config.contacts:
        contacts = tuple(contact for contact in room.config.contacts if contact != user)
        room.config = replace(room.config, contacts=contacts)
        effects.writes.append(RoomPut())
    room.voices.pop(user, None)
    room.spoke.pop(user, None)
    room.asked.pop(user, None)
    room.applied.pop(user, None)
    room.requests.pop(user, None)
    if user in room.affiliations:
        items = (AffiliationItem(user, Affiliation.NONE),)
        put_affiliations(room, effects, told, items, None, informs=False)
    if room.former.pop(user, None) is not None:
        room.complete_from = room.version
        effects.writes += (AffiliationPut(user), RoomPut())
    return told.conclude(effects)


def has_owner(room: Room) -> bool:
    """Whether anybody decides about the room."""
    return next(room.listed(Affiliation.OWNER), None) is not None


def _weightier(one: Affiliation, other: Affiliation) -> Affiliation:
    if Affiliation.OUTCAST in (one, other):
        return Affiliation.OUTCAST
    return max(one, other, key=RANK.__getitem__)


def _rename_keys(kept: MutableMapping[JID, V], moves: Mapping[JID, JID]) -> None:
    moved = {moves[user]: kept.pop(user) for user in moves if user in kept}
    kept.update(moved)
