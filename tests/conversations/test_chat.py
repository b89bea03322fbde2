"""RFC 6121 §7: two people become contacts, see each other, and talk."""

from tests.conversations.world import World, condition


def test_rfc6121_7_a_sample_session():
    world = World("romeo@example.org", "juliet@example.org")
    world.befriend("romeo@example.org", "juliet@example.org")
    juliet = world.online("juliet@example.org/balcony")
    romeo = world.online("romeo@example.org/orchard")
    presence = juliet.one()
    assert presence.get("from") == "romeo@example.org/orchard"
    romeo.send("<message to='juliet@example.org' type='chat'><body>Art thou not Romeo?</body></message>")
    message = juliet.one()
    assert message.get("from") == "romeo@example.org/orchard"
    assert message.get("to") == "juliet@example.org"
    assert message.get("xml:lang") == "en"
    romeo.leave()
    assert juliet.one().get("type") == "unavailable"


def test_rfc6121_8_5_1_a_message_to_nobody_comes_back():
    world = World("romeo@example.org")
    romeo = world.online("romeo@example.org/orchard")
    romeo.send("<message to='nobody@example.org' type='chat' id='m1'><body>?</body></message>")
    answer = romeo.one()
    assert (answer.get("type"), answer.get("id"), condition(answer)) == ("error", "m1", "service-unavailable")


def test_xep0160_2_a_message_to_somebody_offline_is_there_at_the_next_login():
    world = World("romeo@example.org", "juliet@example.org")
    romeo = world.online("romeo@example.org/orchard")
    romeo.send("<message to='juliet@example.org' type='chat'><body>one</body></message>")
    romeo.send("<message to='juliet@example.org' type='chat'><body>two</body></message>")
    assert romeo.received() == []
    juliet = world.login("juliet@example.org/balcony")
    juliet.send("<presence/>")
    assert juliet.bodies() == ["one", "two"]
