"""XEP-0421: Occupant identifiers."""

from commonroom.features.muc.occupant_ids import occupant_id
from commonroom.protocol.jid import JID
from commonroom.protocol.muc import NS_OCCUPANT_ID
from commonroom.protocol.stanza import Stanza
from tests.features.muc.coven import CRONE, HAG, HECATE, KEY, Coven


def ids(stanza: Stanza) -> list[str | None]:
    return [child.get("id") for child in stanza.elements() if child.namespace == NS_OCCUPANT_ID]


def test_xep0421_4_1_stable_unique_and_short():
    user = JID.parse(HAG)
    assert occupant_id(KEY, user) == occupant_id(KEY, user.bare)
    assert occupant_id(KEY, user) != occupant_id(KEY, JID.parse(HECATE))
    assert occupant_id(KEY, user) != occupant_id(b"x" * 32, user)
    assert len(occupant_id(KEY, user)) <= 128


def test_xep0421_4_it_goes_with_everything_of_an_occupant():
    coven = Coven().everybody()
    own = [occupant_id(KEY, JID.parse(HAG))]
    coven.say(CRONE, "Thrice")
    forged = "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/>"
    for xml in (
        f"<message type='groupchat'><body>x</body>{forged}</message>",
        f"<message type='groupchat'><subject>x</subject>{forged}</message>",
        f"<message type='chat' to='room/firstwitch'><body>x</body>{forged}</message>",
        f"<presence to='room/thirdwitch'>{forged}</presence>",
        f"<presence to='room/oldhag'>{forged}</presence>",
        f"<presence type='unavailable' to='room/oldhag'>{forged}</presence>",
    ):
        told = coven.send(HAG, xml)
        assert all(ids(stanza) == own for stanza in told if stanza.child("jabber:client", "error") is None)
        assert told


def test_xep0421_4_history_and_subject_have_it():
    coven = Coven().everybody()
    coven.say(CRONE, "Thrice")
    coven.hears(CRONE, "<message type='groupchat'><subject>x</subject></message>")
    coven.enter(HECATE, "hecate")
    told = [stanza for stanza in coven.effects.stanzas() if stanza.to == HECATE]
    assert ids(told[-1]) == ids(told[-2]) == [occupant_id(KEY, JID.parse(CRONE))]
