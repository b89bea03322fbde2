"""RFC 6120 §7.6.2.2: who may not bind; and what the service's own options do to the stages before that."""

from commonroom.config.schema import Registration
from commonroom.core.sessions import CHANGED
from commonroom.protocol.jid import JID
from tests.conversations.world import World, condition, with_options

ROMEO = JID.parse("romeo@example.org")
BIND = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"


def test_rfc6120_7_6_2_2_an_account_that_was_disabled_since_it_logged_in_may_not_bind():
    world = World("romeo@example.org")
    romeo = world.connect()
    romeo.open("example.org")
    romeo.authenticate("romeo", "secret")
    world.stores.accounts.disable(ROMEO, True)
    world.core.users.outdate(ROMEO, world.memory.revision, CHANGED)
    romeo.open("example.org")
    romeo.send(BIND)
    assert condition(romeo.one()) == "not-allowed"


def test_rfc6120_7_6_2_2_one_stream_has_one_resource():
    world = World("romeo@example.org")
    romeo = world.login("romeo@example.org/orchard")
    assert condition(romeo.ask(BIND)) == "not-allowed"
    assert romeo.ask("<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>").get("type") == "result"


def test_xep0077_3_1_whoever_tries_to_register_hears_the_operators_words():
    options = with_options(registration=Registration(instructions="Ask at the desk."))
    stranger = World(settings=options).connect()
    stranger.open("example.org")
    stranger.send("<iq type='get' id='r'><query xmlns='jabber:iq:register'/></iq>")
    answer = stranger.one()
    assert condition(answer) == "not-allowed"
    assert "Ask at the desk." in str(answer)


def test_rfc6120_8_3_1_what_could_not_be_read_comes_back_from_whom_it_was_for():
    romeo = World("romeo@example.org").online("romeo@example.org/orchard")
    answer = romeo.ask("<presence to='juliet@example.org' type='wave' id='w'/>")
    assert (answer.get("from"), answer.get("id")) == ("juliet@example.org", "w")
    assert romeo.ask("<message to='@' id='m'><body>?</body></message>").get("from") is None
