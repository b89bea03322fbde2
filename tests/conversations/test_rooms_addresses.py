"""XEP-0045 §17.4, §7.2.4: whatever everybody does in a semi-anonymous room, one of them learns no address.

The whole service, with a seed for what is done: presence, lists, archives, invitations, questions and their
answers, which say all that a client could let slip.
"""

import random
from collections.abc import Iterator

import pytest

from commonroom.features.muc.affiliations import Role
from commonroom.protocol.jid import JID
from commonroom.protocol.muc import NS_MUC, NS_MUC_ADMIN, NS_MUC_OWNER
from commonroom.xml.element import Element
from commonroom.xml.names import NS_MUC_USER
from tests.conversations.rooms import HALL, SERVICE, form, make
from tests.conversations.world import Client, World

STEPS = 120
OTHERS = ("olga", "adam", "mona", "mike", "vera")
STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"
DISCO = "http://jabber.org/protocol/disco"
AFFILIATIONS = ("owner", "admin", "member", "none", "outcast")
ROLES = ("participant", "visitor", "none")

# What somebody does, with what is filled in: their own `{me}` and `{nick}`, another's `{you}` and `{your}`.
PRESENCES = (
    f"<presence to='{HALL}/{{nick}}'>"
    f"<x xmlns='{NS_MUC}'><mav xmlns='urn:xmpp:muc:affiliations:1'/></x></presence>",
    f"<presence to='{HALL}/new{{number}}'/>",
    f"<presence to='{HALL}/{{nick}}'><priority>{{number}}</priority>"
    "<delay xmlns='urn:xmpp:delay' from='{me}' stamp='2026-01-01T00:00:00Z'/></presence>",
    f"<presence to='{HALL}/{{nick}}' type='unavailable'/>",
    f"<presence to='{HALL}/{{your}}' type='probe'/>",
    f"<presence to='{HALL}/{{your}}' type='error'><error><gone xmlns='{STANZAS}'/></error></presence>",
)
MESSAGES = (
    f"<message type='groupchat' to='{HALL}'><body>{{number}}</body>"
    "<addresses xmlns='http://jabber.org/protocol/address'><address type='ofrom' jid='{me}'/></addresses>"
    "<x xmlns='jabber:x:delay' from='{me}' stamp='20260101T00:00:00'/></message>",
    f"<message type='groupchat' to='{HALL}'><subject>{{number}}</subject></message>",
    f"<message type='chat' id='p{{number}}' to='{HALL}/{{your}}'><body>psst</body></message>",
    f"<message to='{HALL}'><x xmlns='{NS_MUC_USER}'><invite to='mallory@example.org'/></x></message>",
    f"<message to='{HALL}'><x xmlns='{NS_MUC_USER}'><decline to='{HALL}/{{your}}'/></x></message>",
)
QUESTIONS = (
    "<query xmlns='jabber:iq:version' initiator='{me}'/>",
    "<vCard xmlns='vcard-temp'/>",
    "<ping xmlns='urn:xmpp:ping'/>",
    f"<query xmlns='{DISCO}#info'/>",
)
REQUESTS = (
    ("set", "<query xmlns='urn:xmpp:mam:2'/>"),
    ("get", f"<query xmlns='{DISCO}#items'/>"),
    ("get", f"<query xmlns='{NS_MUC_ADMIN}'><item affiliation='{{affiliation}}'/></query>"),
    ("get", f"<query xmlns='{NS_MUC_ADMIN}'><item role='{{role}}'/></query>"),
    ("set", f"<query xmlns='{NS_MUC_ADMIN}'><item role='{{role}}' nick='{{your}}'/></query>"),
    ("set", f"<query xmlns='{NS_MUC_ADMIN}'><item affiliation='{{affiliation}}' jid='{{you}}'/></query>"),
    ("set", f"<query xmlns='{NS_MUC_OWNER}'>{form(membersonly='{flag}', moderatedroom='{flag}')}</query>"),
    (
        "set",
        "<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>"
        f"<value>{NS_MUC}#register</value></field><field var='muc#register_roomnick'><value>own{{number}}"
        "</value></field></x></query>",
    ),
)


class Hall:
    """A room with an owner, an admin, a moderator, a member, somebody with two clients, and Mallory."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.world = World(*(f"{name}@example.org" for name in (*OTHERS, "mallory")))
        self.clients = {name: self._online(name, name) for name in (*OTHERS, "mallory")}
        self.clients["vera2"] = self._online("vera", "vera2")
        make(self.clients["olga"], "olga1", enablelogging="1", publicroom="1")
        self.gather()

    def _online(self, name: str, place: str) -> Client:
        return self.world.online(f"{name}@example.org/hidden-{place}")

    def _appoint(self, item: str) -> None:
        query = f"<query xmlns='{NS_MUC_ADMIN}'>{item}</query>"
        self.clients["olga"].send(f"<iq type='set' id='a' to='{HALL}'>{query}</iq>")

    def gather(self) -> None:
        """All that was done to each other is forgiven, and everybody comes in again."""
        olga = self.clients["olga"]
        configuration = f"<query xmlns='{NS_MUC_OWNER}'>{form(membersonly='0', moderatedroom='0')}</query>"
        olga.send(f"<iq type='set' id='c' to='{HALL}'>{configuration}</iq>")
        for name, affiliation in zip(OTHERS[1:], ("admin", "none", "member", "none"), strict=True):
            self._appoint(f"<item affiliation='{affiliation}' jid='{name}@example.org'/>")
        self._appoint("<item affiliation='none' jid='mallory@example.org'/>")
        for name, client in self.clients.items():
            nick = self._nick(name) or f"{name}1"
            client.send(f"<presence to='{HALL}/{nick}'><x xmlns='{NS_MUC}'/></presence>")
        self._appoint(f"<item role='moderator' nick='{self._nick('mona')}'/>")
        self._appoint(f"<item role='participant' nick='{self._nick('mallory')}'/>")
        self.world.advance(30)

    def step(self) -> str:
        """Somebody does something; gives what."""
        choose = self.random.choice
        name, number = choose([name for name in self.clients if name != "olga"]), self.random.randrange(100)
        other = choose([*OTHERS, "nobody"])
        kind, payload = choose(REQUESTS)
        stanza = choose(
            (
                choose(PRESENCES),
                choose(MESSAGES),
                f"<iq type='get' id='q' to='{HALL}/{{your}}'>{choose(QUESTIONS)}</iq>",
                f"<iq type='{kind}' id='q' to='{choose((HALL, HALL, HALL, SERVICE))}'>{payload}</iq>",
            )
        ).format(
            me=self.clients[name].jid,
            nick=self._nick(name) or f"{name}1",
            you=f"{other}@example.org",
            your=choose([*self._nicks(), "nobody"]),
            number=number,
            flag=number % 2,
            role=choose(ROLES),
            affiliation=choose(AFFILIATIONS),
        )
        self.clients[name].send(stanza)
        self.world.advance(1)
        return f"{name}: {stanza}"

    def _nicks(self) -> Iterator[str]:
        room = self.world.core.rooms[0].find(JID.parse(HALL))
        return iter(()) if room is None else iter(tuple(room.occupants))

    def _nick(self, name: str) -> str | None:
        room = self.world.core.rooms[0].find(JID.parse(HALL))
        own = None if room is None else room.by_address.get(JID.parse(self.clients[name].jid))
        return None if own is None else own.nick

    def react(self) -> None:
        """The others' clients answer, and let slip what they can."""
        for name, client in self.clients.items():
            for stanza in () if name == "mallory" else client.received():
                self._answer(client, stanza)

    def _answer(self, client: Client, stanza: Element) -> None:
        bare = client.jid.partition("/")[0]
        back = f"id='{stanza.get('id')}' to='{stanza.get('from')}'"
        error = (
            f"<error type='cancel' by='{bare}'><gone xmlns='{STANZAS}'>xmpp:{client.jid}</gone>"
            f"<text xmlns='{STANZAS}'>{bare} is gone</text></error>"
        )
        is_question = stanza.name == "iq" and stanza.get("type") in ("get", "set")
        if is_question and self.random.random() < 0.5:
            slip = f"<query xmlns='x' jid='{client.jid}'><a>xmpp:{bare}</a></query>"
            client.send(f"<iq type='result' {back}>{slip}</iq>")
        elif is_question or (stanza.name == "message" and stanza.get("type") == "chat"):
            error = error if is_question else error.replace("gone", "not-allowed")
            client.send(f"<{stanza.name} type='error' {back}>{error}</{stanza.name}>")

    def mallory_is_trusted(self) -> bool:
        room = self.world.core.rooms[0].find(JID.parse(HALL))
        own = () if room is None else room.by_user.get(JID.parse("mallory@example.org"), ())
        return any(occupant.role is Role.MODERATOR for occupant in own)


@pytest.mark.parametrize("seed", range(4))
def test_xep0045_7_2_4_no_address_gets_to_who_may_not_see_it(seed: int):
    hall = Hall(seed)
    mallory = hall.clients["mallory"]
    mallory.received()
    heard = 0
    for number in range(STEPS):
        if number % 10 == 0:
            hall.gather()
        done = hall.step()
        hall.react()
        assert not hall.mallory_is_trusted(), done
        came = [repr(stanza) for stanza in mallory.received()]
        heard += len(came)
        for text in came:
            assert not any(f"{name}@" in text or f"hidden-{name}" in text for name in OTHERS), (done, text)
    assert heard > STEPS / 2, "Mallory was hardly there"
