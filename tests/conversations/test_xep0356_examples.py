"""XEP-0356: the examples, as bytes to and from a whole service.

Addresses that the text itself mixes up (`pubub`, `capulet.net`, `example.com`) are made one.
"""

from commonroom.protocol.jid import JID
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT
from commonroom.xml.parser import parse_fragment
from tests.conversations.components import (
    ComponentWorld,
    Connected,
    admitted,
    component,
    privileges,
    with_components,
)

DOMAIN = "pubsub.capulet.lit"


def world(allowed: object) -> ComponentWorld:
    settings = with_components(
        ("capulet.lit", "montague.lit"),
        pubsub_capulet_lit=component(allowed),  # type: ignore[arg-type]
    )
    return ComponentWorld("juliet@capulet.lit", "romeo@montague.lit", settings=settings)


def element(xml: str) -> Element:
    """As it is written in the text, without the space between elements."""
    return _stripped(parse_fragment(xml.strip(), NS_CLIENT))


def _stripped(made: Element) -> Element:
    made.attributes.pop("xml:lang", None)  # that of the client's stream, in what it sends
    made.children = [
        each if isinstance(each, str) else _stripped(each)
        for each in made.children
        if not isinstance(each, str) or each.strip()
    ]
    return made


def told(allowed: object) -> Element:
    """What it is told first, without an id, which is the server's."""
    _, message = Connected(world(allowed), DOMAIN).received()
    del message.attributes["id"]
    return message


def test_server_advertises_roster_privilege():
    assert told(privileges("both")) == element("""
<message from='capulet.lit' to='pubsub.capulet.lit'>
  <privilege xmlns='urn:xmpp:privilege:2'>
    <perm access='roster' type='both' push='true'/>
  </privilege>
</message>""")


def test_privileged_entity_gets_a_roster_and_the_server_answers():
    here = world(privileges("get"))
    here.befriend("juliet@capulet.lit", "romeo@montague.lit")
    answer = admitted(here, DOMAIN).ask("""
<iq id='roster1'
    from='pubsub.capulet.lit'
    to='juliet@capulet.lit'
    type='get'>
      <query xmlns='jabber:iq:roster'/>
</iq>""")
    query = answer.elements()[0]
    assert query.attributes.pop("ver")
    assert answer == element("""
<iq id='roster1'
  from='juliet@capulet.lit'
  to='pubsub.capulet.lit'
  type='result'>
  <query xmlns='jabber:iq:roster'>
    <item jid='romeo@montague.lit' subscription='both'/>
  </query>
</iq>""")


def test_server_sends_a_roster_push():
    here = world(privileges("get"))
    connected = admitted(here, DOMAIN)
    here.online("juliet@capulet.lit/balcony").send(
        "<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='nurse@example.com'/></query></iq>"
    )
    push = connected.one()
    assert push.elements()[0].attributes.pop("ver")
    assert push.attributes.pop("id")
    assert push == element("""
<iq from='juliet@capulet.lit'
  to='pubsub.capulet.lit'
  type='set'>
  <query xmlns='jabber:iq:roster'>
    <item jid='nurse@example.com' subscription='none'/>
  </query>
</iq>""")


def test_server_advertises_roster_and_message_privileges():
    assert told(privileges("both", message=True)) == element("""
<message from='capulet.lit' to='pubsub.capulet.lit'>
    <privilege xmlns='urn:xmpp:privilege:2'>
        <perm access='roster' type='both' push='true'/>
        <perm access='message' type='outgoing'/>
    </privilege>
</message>""")


NOTIFICATION = """
<message from='juliet@capulet.lit'
  id='foo'
  to='romeo@montague.lit/orchard'>
  <event xmlns='http://jabber.org/protocol/pubsub#event'>
    <items node='http://jabber.org/protocol/tune'>
      <item>
        <tune xmlns='http://jabber.org/protocol/tune'>
          <artist>Gerald Finzi</artist>
          <length>255</length>
          <source>Music for "Love's Labors Lost" (Suite for small orchestra)</source>
          <title>Introduction (Allegro vigoroso)</title>
          <track>1</track>
        </tune>
      </item>
    </items>
  </event>
  <delay xmlns='urn:xmpp:delay' stamp='2014-11-25T14:34:32Z'/>
</message>"""


def test_privileged_entity_sends_a_notification():
    here = world(privileges(message=True))
    romeo = here.online("romeo@montague.lit/orchard")
    admitted(here, DOMAIN).send("""
<message from='pubsub.capulet.lit' to='capulet.lit' id='notif1'>
  <privilege xmlns='urn:xmpp:privilege:2'>
    <forwarded xmlns='urn:xmpp:forward:0'>
      <message from='juliet@capulet.lit'
        id='foo'
        to='romeo@montague.lit/orchard'
        xmlns='jabber:client'>
        <event xmlns='http://jabber.org/protocol/pubsub#event'>
          <items node='http://jabber.org/protocol/tune'>
            <item>
              <tune xmlns='http://jabber.org/protocol/tune'>
                <artist>Gerald Finzi</artist>
                <length>255</length>
                <source>Music for "Love's Labors Lost" (Suite for small orchestra)</source>
                <title>Introduction (Allegro vigoroso)</title>
                <track>1</track>
              </tune>
            </item>
          </items>
        </event>
        <delay xmlns='urn:xmpp:delay' stamp='2014-11-25T14:34:32Z'/>
      </message>
    </forwarded>
  </privilege>
</message>""")
    assert _stripped(romeo.one()) == element(NOTIFICATION)


def test_server_advertises_iq_privilege():
    assert told(privileges(pubsub="set")) == element("""
<message from='capulet.lit' to='pubsub.capulet.lit'>
  <privilege xmlns='urn:xmpp:privilege:2'>
    <perm access='iq'>
      <namespace ns='http://jabber.org/protocol/pubsub' type='set' />
    </perm>
  </privilege>
</message>""")


WRAPPED_ANSWER = """
<iq
  type='result'
  from='juliet@capulet.lit'
  to='pubsub.capulet.lit'
  id='priv_iq_1'>
  <privilege xmlns="urn:xmpp:privilege:2">
    <forwarded xmlns='urn:xmpp:forward:0'>
      <iq type='result'
        from='romeo@montague.lit/blog'
        to='juliet@capulet.lit'
        id='sub_1' xmlns='jabber:client'>
        <pubsub xmlns='http://jabber.org/protocol/pubsub'>
          <subscription
            node='urn:xmpp:microblog:0'
            jid='juliet@capulet.lit'
            subid='some_id'
            subscription='subscribed'/>
        </pubsub>
      </iq>
    </forwarded>
  </privilege>
</iq>"""


WRAPPED_REQUEST = """
      <iq
        from='pubsub.capulet.lit'
        to='juliet@capulet.lit'
        type='set'
        id='priv_iq_1'>
      <privileged_iq xmlns='urn:xmpp:privilege:2'>
        <iq
          xmlns='jabber:client'
          type='set'
          to='romeo@montague.lit/blog'
          id='sub_1'>
          <pubsub xmlns='http://jabber.org/protocol/pubsub'>
            <subscribe
              node='urn:xmpp:microblog:0'
              jid='juliet@capulet.lit'/>
          </pubsub>
      </iq>
    </privileged_iq>
  </iq>"""


def test_privileged_entity_sends_an_iq_on_behalf_of_juliet():
    here = world(privileges(pubsub="set"))
    here.befriend("juliet@capulet.lit", "romeo@montague.lit")
    romeo = here.online("romeo@montague.lit/blog")  # the text has romeo@montaigu.lit, a server's part
    connected = admitted(here, DOMAIN)
    connected.send(WRAPPED_REQUEST)
    assert _stripped(romeo.one()) == element("""
<iq
  xmlns='jabber:client'
  type='set'
  from='juliet@capulet.lit'
  to='romeo@montague.lit/blog'
  id='sub_1'>
  <pubsub xmlns='http://jabber.org/protocol/pubsub'>
    <subscribe
      node='urn:xmpp:microblog:0'
      jid='juliet@capulet.lit'/>
  </pubsub>
</iq>""")
    romeo.send("""
<iq type='result'
    to='juliet@capulet.lit'
    id='sub_1'>
  <pubsub xmlns='http://jabber.org/protocol/pubsub'>
    <subscription
        node='urn:xmpp:microblog:0'
        jid='juliet@capulet.lit'
        subid='some_id'
        subscription='subscribed'/>
  </pubsub>
</iq>""")
    assert _stripped(connected.one()) == element(WRAPPED_ANSWER)


def test_server_redirects_presence():
    here = world(privileges(presence="managed_entity"))
    connected = admitted(here, DOMAIN)
    here.login("juliet@capulet.lit/balcony").send("""
<presence from='juliet@capulet.lit/balcony'
  id='presence1'
  xml:lang='en'>
  <show>chat</show>
  <status>Staying on the balcony</status>
</presence>""")
    assert _stripped(connected.one()) == element("""
<presence from='juliet@capulet.lit/balcony'
  to='pubsub.capulet.lit'
  id='presence1'
  xml:lang='en'>
  <show>chat</show>
  <status>Staying on the balcony</status>
</presence>""")


def test_server_advertises_roster_presence():
    # The text also has <perm access='message' type='none'/>; what is not granted is left out here.
    assert told(privileges("both", pubsub="set", presence="roster")) == element("""
<message from='capulet.lit' to='pubsub.capulet.lit'>
  <privilege xmlns='urn:xmpp:privilege:2'>
    <perm access='roster' type='both' push='true'/>
    <perm access='iq'>
      <namespace ns='http://jabber.org/protocol/pubsub' type='set' />
    </perm>
    <perm access='presence' type='roster'/>
  </privilege>
</message>""")


def test_server_sends_presence_of_a_contact_also_to_the_privileged_entity():
    here = world(privileges("get", presence="roster"))
    here.befriend("juliet@capulet.lit", "romeo@montague.lit")
    juliet = here.online("juliet@capulet.lit/balcony")
    connected = admitted(here, DOMAIN)
    connected.received()
    here.login("romeo@montague.lit/orchard").send("<presence/>")
    assert _stripped(juliet.one()) == element(
        "<presence from='romeo@montague.lit/orchard' to='juliet@capulet.lit'/>"
    )
    assert _stripped(connected.one()) == element(
        "<presence from='romeo@montague.lit/orchard' to='pubsub.capulet.lit'/>"
    )
    assert here.core.users.find(JID.parse("juliet@capulet.lit")) is not None
