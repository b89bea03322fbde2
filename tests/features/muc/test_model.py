"""XEP-0045 §5: whatever happens, nobody gets what the tables deny, and nobody learns a hidden address.

A reference model says of each attempt whether it must succeed. Every client draws its own picture of the room
from the presences that it gets, and that picture must be true after every step.
"""

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from commonroom.features.muc.affiliations import Affiliation, Role
from commonroom.features.muc.config import Whois
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Message, MessageType, Presence, PresenceType, Stanza
from commonroom.xml.names import NS_CLIENT, NS_MUC_USER
from tests.features.muc.coven import MUC, OPEN, ROOM, Coven, form

USERS = [f"user{n}real@shakespeare.lit" for n in range(5)]
CLIENTS = [*(f"{user}/pda" for user in USERS), f"{USERS[0]}/phone", f"{USERS[3]}/phone"]
NICKS = ["anna", "bert", "carl", "dora", "erna"]
ORDER = ["outcast", "none", "member", "admin", "owner"]
ROLES = ["moderator", "participant", "visitor", "none"]
SHOWN = st.sets(st.sampled_from([Role.MODERATOR, Role.PARTICIPANT, Role.VISITOR]))

clients = st.sampled_from(CLIENTS)
users = st.sampled_from(USERS)
nicks = st.sampled_from(NICKS)


def rank(affiliation: str) -> int:
    return ORDER.index(affiliation)


def may_change_role(actor: tuple[str, str], target: tuple[str, str], new: str) -> bool:
    """XEP-0045 §5.1.3 with its notes, §8.2, §8.4, §9.7, in other words than the code's."""
    (mine, my_role), (theirs, their_role) = actor, target
    if my_role != "moderator":
        return False
    if their_role == new:
        return True
    is_admin = mine in ("admin", "owner")
    if "moderator" in (their_role, new) and not is_admin:
        return False
    if new == "none":
        return rank(mine) >= rank(theirs)
    if new == "visitor":
        return theirs not in ("admin", "owner") and rank(mine) > rank(theirs)
    if new == "participant":
        return theirs not in ("admin", "owner")
    return True


def may_change_affiliation(mine: str, old: str, new: str) -> bool:
    """XEP-0045 §5.2.2: owners change all; admins what is below them."""
    return mine == "owner" or (mine == "admin" and max(rank(old), rank(new)) < rank("admin"))


class Rooms(RuleBasedStateMachine):
    """Users come, go, speak, and try what they may and what they may not."""

    @initialize(is_hidden=st.booleans(), is_moderated=st.booleans(), shown=SHOWN)
    def make(self, is_hidden: bool, is_moderated: bool, shown: set[Role]) -> None:
        whois = Whois.MODERATORS if is_hidden else Whois.ANYONE
        config = replace(OPEN, whois=whois, moderated=is_moderated, presence_broadcast=frozenset(shown))
        self.coven = Coven(config, {USERS[0]: Affiliation.OWNER, USERS[1]: Affiliation.ADMIN})
        self.room = self.coven.room
        self.pictures: dict[str, dict[str, tuple[str, str]]] = {client: {} for client in CLIENTS}
        for client, nick in zip(CLIENTS, NICKS, strict=False):
            self.enter(client, nick)
        self.enter(CLIENTS[-1], NICKS[3])

    # What clients do

    def attempt(self, client: str, xml: str) -> bool:
        """Send it; whether it was not refused. Everybody who is told something looks at it."""
        knowing = self.knowing()
        told = self.coven.send(client, xml)
        knowing |= self.knowing()
        for stanza in told:
            self.look(stanza, knowing)
        return not any(stanza.child(NS_CLIENT, "error") is not None for stanza in told if stanza.to == client)

    def knowing(self) -> set[str]:
        """The users who may know the addresses of others."""
        if not self.room.is_anonymous:
            return set(USERS)
        moderators = {str(o.user) for o in self.room.occupants.values() if o.role is Role.MODERATOR}
        return moderators | {user for user in USERS if self.affiliation(user) in ("admin", "owner")}

    def look(self, stanza: Stanza, knowing: set[str]) -> None:
        assert stanza.to is not None
        recipient = str(stanza.to.bare)
        if recipient not in knowing:
            text = f"{stanza.sender} {stanza.payload()}"
            assert not [user for user in USERS if user != recipient and user in text], (recipient, text)
        if isinstance(stanza, Message) and stanza.type is MessageType.GROUPCHAT:
            assert stanza.to in self.room.by_address
        if isinstance(stanza, Presence) and str(stanza.to) in self.pictures:
            self.draw(stanza, self.pictures[str(stanza.to)])

    def draw(self, presence: Presence, picture: dict[str, tuple[str, str]]) -> None:
        assert presence.sender is not None
        x = presence.child(NS_MUC_USER, "x")
        if x is None:
            return
        nick, item = presence.sender.resource or "", x.child(NS_MUC_USER, "item")
        codes = {child.get("code") for child in x.elements() if child.name == "status"}
        assert item is not None
        if presence.type is not PresenceType.UNAVAILABLE:
            picture[nick] = (item.get("affiliation", ""), item.get("role", ""))
            return
        picture.pop(nick, None)
        if "110" in codes and "303" not in codes:
            picture.clear()

    def affiliation(self, user: str) -> str:
        return self.room.affiliation(JID.parse(user)).value

    def standing(self, client: str) -> tuple[str, str]:
        user = JID.parse(client).bare
        roles = [occupant.role.value for occupant in self.room.by_user.get(user, ())]
        return self.affiliation(client), min(roles, key=ROLES.index, default="none")

    @rule(client=clients, nick=nicks)
    def enter(self, client: str, nick: str) -> None:
        user = str(JID.parse(client).bare)
        holder = self.room.occupants.get(nick)
        is_free = holder is None or holder.user == user
        affiliation = self.affiliation(user)
        is_let_in = affiliation != "outcast" and (not self.room.config.members_only or affiliation != "none")
        was_inside = client in self.room.by_address
        done = self.attempt(client, f"<presence to='room/{nick}'><x xmlns='{MUC}'/></presence>")
        assert done == (is_free and (was_inside or is_let_in))
        assert (client in self.room.by_address) == (was_inside or done)

    @rule(client=clients)
    def leave(self, client: str) -> None:
        self.attempt(client, "<presence type='unavailable' to='room/x'/>")
        assert client not in self.room.by_address

    @rule(client=clients, nick=nicks)
    def change_nick_or_status(self, client: str, nick: str) -> None:
        self.attempt(client, f"<presence to='room/{nick}'><show>xa</show></presence>")

    @rule(client=clients, is_subject=st.booleans())
    def speak(self, client: str, is_subject: bool) -> None:
        occupant = self.room.by_address.get(JID.parse(client))
        name = "subject" if is_subject else "body"
        done = self.attempt(client, f"<message type='groupchat'><{name}>x</{name}></message>")
        voices = ("moderator",) if is_subject else ("moderator", "participant")
        assert done == (occupant is not None and occupant.role in voices)

    @rule(client=clients, nick=nicks)
    def whisper(self, client: str, nick: str) -> None:
        can = client in self.room.by_address and nick in self.room.occupants
        xml = f"<message type='chat' id='w' to='room/{nick}'><body>x</body></message>"
        assert self.attempt(client, xml) == can

    @rule(
        client=clients,
        nick=nicks,
        condition=st.sampled_from(["not-acceptable", "gone", "service-unavailable"]),
    )
    def bounce(self, client: str, nick: str, condition: str) -> None:
        error = f"<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>{client}</{condition}>"
        xml = f"<error type='cancel' by='{client}'>{error}</error>"
        self.attempt(client, f"<message type='error' id='w' to='room/{nick}'>{xml}</message>")

    @rule(client=clients, nick=nicks)
    def ask_and_answer(self, client: str, nick: str) -> None:
        [told] = self.coven.send(client, f"<iq type='get' id='q' to='room/{nick}'><query xmlns='x'/></iq>")
        if told.child(NS_CLIENT, "error") is not None:
            return
        self.look(told, self.knowing())
        payload = f"<query xmlns='x' jid='{told.to}'/>"
        xml = f"<iq type='result' id='{told.id}' to='{told.sender}'>{payload}</iq>"
        assert self.attempt(str(told.to), xml)

    @rule(client=clients, nick=nicks, role=st.sampled_from(ROLES))
    def change_role(self, client: str, nick: str, role: str) -> None:
        target = self.room.occupants.get(nick)
        can = target is not None and may_change_role(
            self.standing(client), (target.affiliation.value, target.role.value), role
        )
        if target is not None and target.user == JID.parse(client).bare and role == "none":
            return  # XEP-0045 §8.2 leaves it open
        before = {nick: occupant.role for nick, occupant in self.room.occupants.items()}
        done = self.admin(client, f"<item nick='{nick}' role='{role}'/>")
        assert done == can
        if not can:
            assert before == {nick: occupant.role for nick, occupant in self.room.occupants.items()}

    @rule(client=clients, user=users, affiliation=st.sampled_from(ORDER))
    def change_affiliation(self, client: str, user: str, affiliation: str) -> None:
        old = self.affiliation(user)
        owners = [one for one in USERS if self.affiliation(one) == "owner"]
        can = may_change_affiliation(self.affiliation(client), old, affiliation)
        can = can and not (owners == [user] and affiliation != "owner")
        can = can and not (JID.parse(client).bare == user and affiliation == "outcast")
        assert self.admin(client, f"<item jid='{user}' affiliation='{affiliation}'/>") == can
        assert self.affiliation(user) == (affiliation if can else old)

    def admin(self, client: str, items: str) -> bool:
        return self.attempt(client, f"<iq type='set' id='a'><query xmlns='{MUC}#admin'>{items}</query></iq>")

    @rule(client=clients, affiliation=st.sampled_from(ORDER))
    def get_list(self, client: str, affiliation: str) -> None:
        item = f"<item affiliation='{affiliation}'/>"
        self.attempt(client, f"<iq type='get' id='a'><query xmlns='{MUC}#admin'>{item}</query></iq>")

    @rule(client=clients, role=st.sampled_from(ROLES))
    def get_roles(self, client: str, role: str) -> None:
        self.attempt(
            client, f"<iq type='get' id='a'><query xmlns='{MUC}#admin'><item role='{role}'/></query></iq>"
        )

    @rule(client=clients, flag=st.sampled_from(["membersonly", "moderatedroom"]), value=st.booleans())
    def switch(self, client: str, flag: str, value: bool) -> None:
        self.configure(client, {f"muc#roomconfig_{flag}": str(int(value))})

    @rule(client=clients, whois=st.sampled_from(list(Whois)))
    def hide_addresses(self, client: str, whois: str) -> None:
        self.configure(client, {"muc#roomconfig_whois": whois})

    @rule(client=clients, shown=SHOWN)
    def hide_roles(self, client: str, shown: set[Role]) -> None:
        self.configure(client, {"muc#roomconfig_presencebroadcast": sorted(shown)})

    @rule(client=st.sampled_from(CLIENTS[:2]), shown=SHOWN, closed=st.booleans(), admins=st.sets(users))
    def change_everything(self, client: str, shown: set[Role], closed: bool, admins: set[str]) -> None:
        fields: dict[str, str | list[str]] = {
            "muc#roomconfig_presencebroadcast": sorted(shown),
            "muc#roomconfig_membersonly": str(int(closed)),
            "muc#roomconfig_moderatedroom": str(int(not closed)),
            "muc#roomconfig_roomadmins": sorted(admins),
        }
        self.configure(client, fields)

    def configure(self, client: str, fields: dict[str, str | list[str]]) -> None:
        filled = form("roomconfig", dict(fields))
        xml = f"<iq type='set' id='o'><query xmlns='{MUC}#owner'>{filled}</query></iq>"
        assert self.attempt(client, xml) == (self.affiliation(client) == "owner")

    @rule(client=clients, user=users)
    def invite(self, client: str, user: str) -> None:
        self.attempt(client, f"<message id='i'><x xmlns='{MUC}#user'><invite to='{user}'/></x></message>")

    @precondition(lambda self: self.room.history)
    @rule(client=clients)
    def retract(self, client: str) -> None:
        id = self.room.history[-1].id
        moderate = f"<moderate xmlns='urn:xmpp:message-moderate:1' id='{id}'>"
        inside = f"{moderate}<retract xmlns='urn:xmpp:message-retract:1'/></moderate>"
        done = self.attempt(client, f"<iq type='set' id='r'>{inside}</iq>")
        occupant = self.room.by_address.get(JID.parse(client))
        assert done == (occupant is not None and occupant.role is Role.MODERATOR)

    # What is true at all times

    @invariant()
    def every_picture_is_true(self) -> None:
        for client, picture in self.pictures.items():
            own = self.room.by_address.get(JID.parse(client))
            expected = {
                nick: (occupant.affiliation.value, occupant.role.value)
                for nick, occupant in self.room.occupants.items()
                if own is not None and (occupant is own or self.room.is_shown(occupant))
            }
            assert picture == expected, client

    @invariant()
    def nobody_is_where_the_tables_deny_it(self) -> None:
        assert any(self.affiliation(user) == "owner" for user in USERS)
        for occupant in self.room.occupants.values():
            affiliation = self.affiliation(str(occupant.user))
            assert occupant.affiliation.value == affiliation != "outcast"
            assert not self.room.config.members_only or affiliation != "none"
            assert affiliation not in ("admin", "owner") or occupant.role is Role.MODERATOR
            assert occupant.role is not Role.NONE

    @invariant()
    def the_indexes_agree(self) -> None:
        occupants = self.room.occupants
        sessions = {session: o for o in occupants.values() for session in o.sessions}
        assert sessions == self.room.by_address
        assert {o.nick: o for users in self.room.by_user.values() for o in users} == occupants
        assert all(o.address == ROOM.with_resource(nick) for nick, o in occupants.items())


Rooms.TestCase.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
TestRooms = Rooms.TestCase
