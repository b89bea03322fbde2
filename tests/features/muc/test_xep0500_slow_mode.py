"""XEP-0500: MUC Slow Mode."""

from tests.features.muc.coven import CRONE, HAG, HECATE, Coven


def test_xep0500_6_who_speaks_too_soon_has_to_wait():
    coven = Coven(slow_mode_seconds=20).everybody()
    assert len(coven.say(HAG, "x")) == 3
    coven.wait(19.9)
    [refused] = coven.send(HAG, "<message type='groupchat'><body>x</body></message>")
    assert "type='wait'" in refused.xml()
    assert "policy-violation" in refused.xml()
    assert "20 seconds" in refused.xml()
    coven.wait(0.1)
    assert len(coven.say(HAG, "x")) == 3


def test_xep0500_6_each_user_waits_alone_and_admins_never():
    coven = Coven(slow_mode_seconds=20).everybody()
    coven.enter(HECATE, "hecate")
    for sender in (HAG, HECATE, CRONE, CRONE):
        assert len(coven.say(sender, "x")) == 4


def test_xep0500_6_messages_without_a_body_do_not_count():
    coven = Coven(slow_mode_seconds=20).everybody()
    state = "<message type='groupchat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>"
    coven.say(HAG, "x")
    assert len(coven.hears(HAG, state)) == 3


def test_xep0500_8_another_nickname_or_a_new_visit_frees_nobody():
    coven = Coven(slow_mode_seconds=20).everybody()
    coven.say(HAG, "x")
    coven.enter("hag66@shakespeare.lit/phone", "oldhag")
    assert coven.say("hag66@shakespeare.lit/phone", "x")[0].endswith("policy-violation")
    coven.hears(HAG, "<presence type='unavailable' to='room/thirdwitch'/>")
    coven.enter(HAG, "again")
    assert coven.say(HAG, "x")[0].endswith("policy-violation")


def test_a_clock_that_was_set_back_frees_everybody():
    coven = Coven(slow_mode_seconds=20).everybody()
    coven.say(HAG, "x")
    coven.wait(-3600)
    assert len(coven.say(HAG, "x")) == 3


def test_those_who_left_are_forgotten():
    coven = Coven(slow_mode_seconds=1)
    for n in range(300):
        user = f"u{n}@x/y"
        coven.enter(user, f"u{n}")
        coven.say(user, "x")
        coven.hears(user, "<presence type='unavailable' to='room/x'/>")
        coven.wait(2)
    assert len(coven.room.spoke) < 150
