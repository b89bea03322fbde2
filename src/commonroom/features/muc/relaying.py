"""XEP-0045 §7.5, §17.4 rule 3: questions between occupants, and answers and errors on their way back."""

from collections import Counter
from datetime import datetime

from commonroom.features.muc.effects import Broadcast, Effects
from commonroom.features.muc.forgeries import anonymous_error, honest, without_address
from commonroom.features.muc.leaving import GONE, condition_of, failed
from commonroom.features.muc.occupant import Occupant
from commonroom.features.muc.room import Relayed, Room
from commonroom.features.muc.self_ping import is_self_ping
from commonroom.protocol.errors import bad_request, item_not_found, not_acceptable
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Iq, IqType, Message, MessageType
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_DISCO_INFO

# Questions on their way; those of one client that go unanswered must not take the place of others'.
MOST_RELAYED = 1000
MOST_OF_ONE = 50

NS_DISCO_ITEMS = "http://jabber.org/protocol/disco#items"

# What the account answers for its owner, whether a client is there or not: cards, and what is published.
OF_THE_ACCOUNT = frozenset(
    ("vcard-temp", "urn:ietf:params:xml:ns:vcard-4.0", "http://jabber.org/protocol/pubsub")
)


def ask(room: Room, iq: Iq, now: datetime) -> Effects:
    """Pass a question on (XEP-0045 §17.4 rule 3); nobody learns the other's real address."""
    assert iq.sender is not None
    assert iq.to is not None
    asker = _asker(room, iq)
    target = room.occupants.get(iq.to.resource or "")
    if target is None:
        raise item_not_found("nobody has this nickname")
    effects = Effects()
    if is_self_ping(asker, target, iq):
        effects.send.append(iq.result())
        return effects
    asked = _asked(target, iq)
    key = _remember(room, Relayed(iq.sender, iq.id or "", asked, target.address))
    children = honest(iq.children, iq.sender, room.address)
    if not room.sees_addresses(target):
        children = [_without(child, iq.sender) for child in children]
    question = Iq(iq.type, asked, asker.address, key, children, iq.lang)
    effects.send.append(question)
    return effects


def _asker(room: Room, iq: Iq) -> Occupant:
    """Who asks; strangers are told so (XEP-0045 §6.6, XEP-0410 §3.2)."""
    asker = None if iq.sender is None else room.by_address.get(iq.sender)
    if asker is None:
        if iq.request().namespace in (NS_DISCO_INFO, NS_DISCO_ITEMS):
            raise bad_request("you are not in this room")
        raise not_acceptable("you are not in this room")
    return asker


def _asked(target: Occupant, iq: Iq) -> JID:
    if iq.type is IqType.GET and iq.request().namespace in OF_THE_ACCOUNT:
        return target.user
    session, _ = target.main()
    return session


def _remember(room: Room, relayed: Relayed) -> str:
    """Under which id the answer will come. Of too many that are missing, one is waited for no more."""
    own = [key for key, other in room.relayed.items() if other.asker == relayed.asker]
    if len(own) >= MOST_OF_ONE:
        del room.relayed[own[0]]  # so old that nobody waits for its answer any more
    if len(room.relayed) >= MOST_RELAYED:
        _forget_one(room)
    room.relays += 1
    key = f"relayed-{room.relays}"
    room.relayed[key] = relayed
    return key


def _forget_one(room: Room) -> None:
    """The oldest question of the user who has asked most, with whatever clients."""
    askers = [relayed.asker.bare for relayed in room.relayed.values()]
    [(most, _)] = Counter(askers).most_common(1)
    del room.relayed[list(room.relayed)[askers.index(most)]]


def answer(room: Room, iq: Iq, now: datetime) -> Effects:
    """Bring an answer back to who asked (XEP-0045 §17.4 rule 3); what nobody asked for is dropped."""
    effects = Effects()
    relayed = room.relayed.get(iq.id or "")
    if relayed is None or iq.sender is None or iq.sender not in (relayed.asked, relayed.asked.bare):
        return effects
    del room.relayed[iq.id or ""]
    asker = room.by_address.get(relayed.asker)
    if asker is None:
        return effects
    children = _discreet(room, asker, iq.children, iq.sender)
    effects.send.append(Iq(iq.type, relayed.asker, relayed.via, relayed.id, children, iq.lang))
    return effects


def _discreet(room: Room, asker: Occupant, children: list[Element | str], sender: JID) -> list[Element | str]:
    """The children without the real address of the sender, if the asker may not know it."""
    if room.sees_addresses(asker):
        return honest(children, sender, room.address)
    return [
        anonymous_error(child)
        if (child.namespace, child.name) == (NS_CLIENT, "error")
        else _without(child, sender)
        for child in honest(children, sender, room.address)
        if not isinstance(child, str)
    ]


def _without(child: Element | str, user: JID) -> Element | str:
    return child if isinstance(child, str) else without_address(child, user)


def bounce(room: Room, message: Message, now: datetime) -> Effects:
    """An error from an occupant's client: it is gone, or it refused a private message (XEP-0045 §18.1.2)."""
    effects = failed(room, message, now)
    sender, to = message.sender, message.to
    assert sender is not None
    assert to is not None
    refused_by = room.by_address.get(sender)
    key = (sender.bare, to, message.id)
    if refused_by is None or key not in room.private or condition_of(message) in GONE:
        return effects
    author = room.occupants.get(to.resource or "")
    error = message.child(NS_CLIENT, "error")
    if author is not None and error is not None:
        del room.private[key]
        told = Message(
            MessageType.ERROR, sender=refused_by.address, id=message.id, children=[anonymous_error(error)]
        )
        effects.send.append(Broadcast(told, tuple(author.sessions)))
    return effects
