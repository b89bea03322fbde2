"""XEP-0355: the examples of admin mode, as bytes to and from a whole service.

Addresses that the text itself mixes up (`pubub`, `capulet.int`) are made one.
"""

import re

from commonroom.config.components import Component
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
from tests.conversations.world import Client

DOMAIN = "pubsub.capulet.lit"
PUBSUB = "http://jabber.org/protocol/pubsub"
FORWARDED = """
<iq from='capulet.lit'
    to='{entity}'
    type='set'>
    <delegation xmlns='urn:xmpp:delegation:2'>
        <forwarded xmlns='urn:xmpp:forward:0'>{inside}
        </forwarded>
    </delegation>
</iq>"""
RESULT = """
<iq from='{entity}'
    to='capulet.lit'
    id='{id}'
    type='result'>
    <delegation xmlns='urn:xmpp:delegation:2'>
        <forwarded xmlns='urn:xmpp:forward:0'>{inside}
        </forwarded>
    </delegation>
</iq>"""


def element(xml: str) -> Element:
    """As it is written in the text, without the space between elements and what is left out there (…)."""
    return stripped(parse_fragment(re.sub(r"\.\.\.|…", "", xml).strip(), NS_CLIENT))


def stripped(made: Element) -> Element:
    made.attributes.pop("xml:lang", None)  # that of the client's stream
    made.children = [
        each if isinstance(each, str) else stripped(each)
        for each in made.children
        if not isinstance(each, str) or each.strip()
    ]
    return made


def begun(made: Component, name: str = "pubsub_capulet_lit") -> tuple[ComponentWorld, Connected, Client]:
    here = ComponentWorld("juliet@capulet.lit", settings=with_components(("capulet.lit",), **{name: made}))
    connected = admitted(here, name.replace("_", "."))
    return here, connected, here.online("juliet@capulet.lit/balcony")


def delegate(connected: Connected, inside: str, entity: str = DOMAIN) -> str:
    """What the component gets is as in the text; gives its id, which the server chooses."""
    iq = stripped(connected.one())
    id = iq.attributes.pop("id")
    assert iq == element(FORWARDED.format(entity=entity, inside=inside))
    return id


def test_server_advertises_delegated_namespaces():
    here = ComponentWorld(
        settings=with_components(pubsub_capulet_lit=component(urn_xmpp_mam_2=("node",), pubsub=()))
    )
    told = Connected(here, DOMAIN).received()[1]
    del told.attributes["id"]
    assert told == element("""
<message from='capulet.lit' to='pubsub.capulet.lit'>
    <delegation xmlns='urn:xmpp:delegation:2'>
        <delegated namespace='urn:xmpp:mam:2'>
            <attribute name='node' />
        </delegated>
        <delegated namespace='http://jabber.org/protocol/pubsub'/>
    </delegation>
</message>""")


MOOD = """
    <pubsub xmlns='http://jabber.org/protocol/pubsub'>
        <publish node='http://jabber.org/protocol/mood'>
        <item>
            <mood xmlns='http://jabber.org/protocol/mood'>
                <annoyed/>
                <text>curse my nurse!</text>
            </mood>
        </item>
        </publish>
    </pubsub>"""


def test_juliet_sends_her_mood_to_her_server():
    _, connected, juliet = begun(component(pubsub=()))
    juliet.send(f"""
<iq from='juliet@capulet.lit/balcony'
    id='pep1'
    type='set'>{MOOD}
</iq>""")
    id = delegate(
        connected,
        f"""
            <iq from='juliet@capulet.lit/balcony'
                id='pep1'
                type='set'
                xmlns='jabber:client'>{MOOD}
            </iq>""",
    )
    inside = """
            <iq to='juliet@capulet.lit/balcony'
                id='pep1'
                type='result'
                xmlns='jabber:client'>
                <pubsub xmlns='http://jabber.org/protocol/pubsub' />
            </iq>"""
    connected.send(RESULT.format(entity=DOMAIN, id=id, inside=inside))
    assert stripped(juliet.one()) == element("""
<iq to='juliet@capulet.lit/balcony'
    id='pep1'
    type='result'>
    <pubsub xmlns='http://jabber.org/protocol/pubsub' />
</iq>""")


ROMEO = """
        <query xmlns='jabber:iq:roster'>
            <item jid='romeo@montaigu.lit'
                  name='My Romeo'>
            </item>
        </query>"""
WITH_A_GROUP = """
<iq to='juliet@capulet.lit'
    from='filter.capulet.lit'
    id='roster2'
    type='set'>
    <query xmlns='jabber:iq:roster'>
        <item jid='romeo@montaigu.lit'
              name='My Romeo'>
            <group>Rivals</group>
        </item>
    </query>
</iq>"""


def test_a_filter_accepts_romeo_and_adds_him_to_a_group():
    """It answers for the server, and then changes the roster itself (XEP-0355 §4.3.1)."""
    entity = "filter.capulet.lit"
    made = component(privileges("both", push=False), jabber_iq_roster=())
    here, connected, _ = begun(made, "filter_capulet_lit")
    connected.received()
    juliet = here.login("juliet@capulet.lit/window")
    juliet.send(f"""
<iq from='juliet@capulet.lit/window'
          id='roster1'
          type='set'>{ROMEO}
</iq>""")
    id = delegate(
        connected,
        f"""
            <iq from='juliet@capulet.lit/window'
                      id='roster1'
                      type='set'
                      xmlns='jabber:client'>{ROMEO}
            </iq>""",
        entity,
    )
    inside = """
            <iq to='juliet@capulet.lit/window'
                id='roster1'
                type='result'
                xmlns='jabber:client' />"""
    connected.send(RESULT.format(entity=entity, id=id, inside=inside))
    assert stripped(juliet.one()) == element("""
<iq to='juliet@capulet.lit/window'
    id='roster1'
    type='result' />""")
    connected.send(WITH_A_GROUP)
    assert connected.one() == element("""
<iq to='filter.capulet.lit'
    from='juliet@capulet.lit'
    id='roster2'
    type='result'/>""")
    assert groups(here) == {"romeo@montaigu.lit": ("Rivals",)}


def groups(here: ComponentWorld) -> dict[str, tuple[str, ...]]:
    """Of Juliet's contacts."""
    user = here.core.users.find(JID.parse("juliet@capulet.lit"))
    assert user is not None
    return {str(item.jid): item.groups for item in user.roster.listed()}


INFO = """
<iq from='juliet@capulet.lit/balcony'
    id='disco1'
    to='{to}'
    type='get'>
  <query xmlns='http://jabber.org/protocol/disco#info'/>
</iq>"""


def test_server_includes_the_features_of_who_manages_pubsub():
    _, connected, juliet = fresh()
    question = stripped(connected.received()[2])
    id = question.attributes.pop("id")
    assert question == element("""
<iq from='capulet.lit'
    to='pubsub.capulet.lit'
    type='get'>
  <query xmlns='http://jabber.org/protocol/disco#info'
         node='urn:xmpp:delegation:2::http://jabber.org/protocol/pubsub'/>
</iq>""")
    connected.send(f"""
<iq from='pubsub.capulet.lit'
    id='{id}'
    to='capulet.lit'
    type='result'>
  <query xmlns='http://jabber.org/protocol/disco#info'
         node='urn:xmpp:delegation:2::http://jabber.org/protocol/pubsub'>
        <feature var='http://jabber.org/protocol/pubsub'/>
        <feature var='http://jabber.org/protocol/pubsub#publish'/>
        <feature var='http://jabber.org/protocol/pubsub#subscribe'/>
        <feature var='http://jabber.org/protocol/pubsub#publish-options'/>
  </query>
</iq>""")
    features = told(juliet.ask(INFO.format(to="capulet.lit")), "feature")
    assert "urn:xmpp:delegation:2" in features
    assert {f for f in features if f.startswith(PUBSUB)} == {
        PUBSUB,
        f"{PUBSUB}#publish",
        f"{PUBSUB}#subscribe",
        f"{PUBSUB}#publish-options",
    }


def fresh() -> tuple[ComponentWorld, Connected, Client]:
    """A component whose questions are yet to be read."""
    here = ComponentWorld(
        "juliet@capulet.lit", settings=with_components(pubsub_capulet_lit=component(pubsub=()))
    )
    return here, Connected(here, DOMAIN), here.online("juliet@capulet.lit/balcony")


def told(info: Element, name: str) -> list[str]:
    (query,) = info.elements()
    key = "var" if name == "feature" else "type"
    return [each.get(key) or "" for each in query.elements() if each.name == name]


def test_server_includes_what_is_said_of_accounts():
    _, connected, juliet = fresh()
    connected.send(f"""
<iq from='pubsub.capulet.lit'
    id='{connected.received()[3].get("id")}'
    to='capulet.lit'
    type='result'>
    <query xmlns='http://jabber.org/protocol/disco#info'
           node='urn:xmpp:delegation:2:bare:http://jabber.org/protocol/pubsub'>
        <identity category='pubsub' type='pep'/>
        <feature var='http://jabber.org/protocol/pubsub#access-presence'/>
        <feature var='http://jabber.org/protocol/pubsub#auto-create'/>
    </query>
</iq>""")
    info = juliet.ask(INFO.format(to="juliet@capulet.lit"))
    assert info.get("from") == "juliet@capulet.lit"
    assert told(info, "identity") == ["registered", "pep"]
    assert {f for f in told(info, "feature") if f.startswith(PUBSUB)} == {
        f"{PUBSUB}#access-presence",
        f"{PUBSUB}#auto-create",
    }


BLOG = """<query xmlns='http://jabber.org/protocol/disco#info' node='urn:xmpp:microblog:0'{}>"""
BLOG_SAYS = """
                    <identity type="leaf" category="pubsub"/>
                    <x xmlns="jabber:x:data" type="result">
                        <field var="FORM_TYPE" type="hidden">
                            <value>http://jabber.org/protocol/pubsub#meta-data</value>
                        </field>
                        <field var="pubsub#node_type" type="text-single">
                            <value>leaf</value>
                        </field>
                    </x>
                    <feature var="http://jabber.org/protocol/rsm"/>
                    <feature var="urn:xmpp:order-by:1"/>
                </query>"""


def exchanged(connected: Connected, juliet: Client, id: str, query: str, says: str) -> None:
    """Juliet asks about her own bare address, the component answers, and she gets that."""
    asked = f"""
<iq from='juliet@capulet.lit/balcony'
    id='{id}'
    to='juliet@capulet.lit'
    type='get'{{}}>
    {query}
</iq>"""
    juliet.send(asked.format(""))
    theirs = delegate(connected, asked.format(" xmlns='jabber:client'"))
    inside = f"""
            <iq to='juliet@capulet.lit/balcony'
                id='{id}'
                type='result'
                xmlns='jabber:client'>
                {says}
            </iq>"""
    connected.send(RESULT.format(entity=DOMAIN, id=theirs, inside=inside))
    answer = stripped(juliet.one())
    # The text leaves this out; an answer comes from whom was asked (RFC 6120 §8.1.2.1).
    assert answer.attributes.pop("from") == "juliet@capulet.lit"
    assert answer == element(inside)


def test_server_delegates_questions_about_nodes_of_accounts():
    _, connected, juliet = begun(component(**{"urn_xmpp_delegation_2_bare_disco#info_*": ()}))
    exchanged(connected, juliet, "disco1", BLOG.format("").replace("'>", "'/>"), BLOG.format("") + BLOG_SAYS)


MOODS = """
                <query xmlns="http://jabber.org/protocol/disco#items">
                    <item jid="juliet@capulet.lit" node="http://jabber.org/protocol/mood"/>
                    <item jid="juliet@capulet.lit" node="http://jabber.org/protocol/activity"/>
                        …
                    <item jid="juliet@capulet.lit" node="urn:xmpp:microblog:0"/>
                        …
                </query>"""
POSTS = """
                <query xmlns="http://jabber.org/protocol/disco#items" node="urn:xmpp:microblog:0">
                    <item name="o-romeo-romeo-wherefore-art-thou-romeo-G1aF" jid="juliet@capulet.lit"/>
                    <item name="thou-know-st-the-mask-of-night-is-on-my-face-2avF" jid="juliet@capulet.lit"/>
                    <item name="balcony-and-privacy-afFG" jid="juliet@capulet.lit"/>
                </query>"""


def test_server_delegates_questions_about_the_items_of_accounts():
    _, connected, juliet = begun(component(**{"urn_xmpp_delegation_2_bare_disco#items_*": ()}))
    items = "<query xmlns='http://jabber.org/protocol/disco#items'/>"
    exchanged(connected, juliet, "disco_items_1", items, MOODS.replace("…", ""))
    posts = "<query xmlns='http://jabber.org/protocol/disco#items' node='urn:xmpp:microblog:0'/>"
    exchanged(connected, juliet, "disco_items_2", posts, POSTS)
