"""RFC 6121 §3 and §4 as promises: whatever three people do, rosters agree and presence is what it is."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from commonroom.protocol.jid import JID
from commonroom.protocol.subscription import SubscriptionState
from commonroom.xml.element import Element
from tests.conversations.test_rfc6121_2_roster import GET, change
from tests.conversations.world import Client, World

PEOPLE = ["juliet@example.org", "nurse@example.org", "romeo@example.org"]
PLACES = [f"{person}/{resource}" for person in PEOPLE for resource in ("home", "away")]


class Watcher:
    """A client that remembers: `seen` is what it knows of others, `roster` what the pushes made of it.

    `shown` is what it broadcast last; None while it is not available.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.user = JID.parse(client.jid).bare
        self.shown: str | None = None
        self.seen: dict[str, str] = {}
        self.roster = {item["jid"]: item for item in self.asked_roster()}

    def asked_roster(self) -> list[dict[str, str]]:
        query = self.client.ask(GET).only_child()
        assert query is not None
        return [item.attributes for item in query.elements()]

    def read(self) -> list[Element]:
        """Take in what came; gives the presence of resources."""
        received = self.client.received()
        for iq in (e for e in received if e.name == "iq" and e.get("type") == "set"):
            item = iq.elements()[0].elements()[0].attributes
            self.roster[item["jid"]] = item
            if item["subscription"] == "remove":
                del self.roster[item["jid"]]
        presences = [e for e in received if e.name == "presence" and "/" in (e.get("from") or "")]
        for presence in presences:
            self._look(presence)
        assert not any(e.get("type") == "error" for e in received)
        return presences

    def _look(self, presence: Element) -> None:
        sender = presence.get("from") or ""
        if presence.get("type") is None:
            self.seen[sender] = presence.child_text("jabber:client", "status") or ""
        else:
            assert presence.get("type") == "unavailable"
            self.seen.pop(sender, None)


class People(RuleBasedStateMachine):
    """Logs in and out, subscribes, cancels, shows itself here and there, and removes contacts."""

    @initialize()
    def begin(self) -> None:
        self.world = World(*PEOPLE)
        self.watchers: dict[str, Watcher] = {}
        self.directed: dict[str, set[str]] = {place: set() for place in PLACES}  # to whom it was sent
        self.allowed: set[tuple[str, str]] = set()  # before this step: see `may_see`
        self.shown: set[tuple[str, str]] = set()  # likewise: see `subscriptions`
        self.count = 0
        for person in PEOPLE:
            self.log_in(f"{person}/home")

    def somebody(self, data: st.DataObject) -> tuple[str, Watcher]:
        place = data.draw(st.sampled_from(sorted(self.watchers)))
        return place, self.watchers[place]

    # What people do

    @rule(place=st.sampled_from(PLACES))
    def log_in(self, place: str) -> None:
        """Perhaps in the place of another connection of the same name."""
        self.gone(place)
        self.watchers[place] = Watcher(self.world.login(place))

    @precondition(lambda self: self.watchers)
    @rule(data=st.data(), priority=st.sampled_from([-1, 0, 7]))
    def show(self, data: st.DataObject, priority: int) -> None:
        _, watcher = self.somebody(data)
        self.count += 1
        watcher.shown = str(self.count)
        watcher.client.send(
            f"<presence><status>{self.count}</status><priority>{priority}</priority></presence>"
        )

    @precondition(lambda self: self.watchers)
    @rule(data=st.data())
    def hide(self, data: st.DataObject) -> None:
        place, watcher = self.somebody(data)
        watcher.client.send("<presence type='unavailable'/>")
        watcher.read()
        watcher.shown = None
        watcher.seen.clear()
        self.directed[place].clear()

    @precondition(lambda self: self.watchers)
    @rule(data=st.data(), how=st.sampled_from([Client.leave, Client.cut]))
    def log_out(self, data: st.DataObject, how) -> None:
        place, watcher = self.somebody(data)
        how(watcher.client)
        self.gone(place)

    @precondition(lambda self: self.watchers)
    @rule(data=st.data(), to=st.sampled_from(PEOPLE), away=st.booleans())
    def direct(self, data: st.DataObject, to: str, away: bool) -> None:
        """To somebody who does not see it anyway."""
        place, watcher = self.somebody(data)
        if to == watcher.user or (watcher.user, to) in self.subscriptions():
            return
        kind = " type='unavailable'" if away else ""
        watcher.client.send(f"<presence to='{to}'{kind}/>")
        self.allowed.add((place, to))
        (self.directed[place].discard if away else self.directed[place].add)(to)

    @precondition(lambda self: self.watchers)
    @rule(
        data=st.data(),
        to=st.sampled_from(PEOPLE),
        kind=st.sampled_from(["subscribe", "subscribed", "unsubscribe", "unsubscribed"]),
    )
    def subscribe(self, data: st.DataObject, to: str, kind: str) -> None:
        _, watcher = self.somebody(data)
        if to != watcher.user:
            watcher.client.send(f"<presence to='{to}' type='{kind}'/>")

    @precondition(lambda self: self.watchers)
    @rule(data=st.data(), contact=st.sampled_from(PEOPLE))
    def edit(self, data: st.DataObject, contact: str) -> None:
        _, watcher = self.somebody(data)
        if contact != watcher.user:
            self.count += 1
            watcher.client.send(change(f"<item jid='{contact}' name='{self.count}'/>"))

    @precondition(lambda self: any(watcher.roster for watcher in self.watchers.values()))
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        _, watcher = self.somebody(data)
        if watcher.roster:
            contact = data.draw(st.sampled_from(sorted(watcher.roster)))
            watcher.client.send(change(f"<item jid='{contact}' subscription='remove'/>"))

    @rule(really=st.sampled_from([True, False, False, False]))
    def restart(self, really: bool) -> None:
        if really:
            self.world.restart()
            for place in PLACES:
                self.gone(place)

    def gone(self, place: str) -> None:
        self.watchers.pop(place, None)
        self.directed[place].clear()

    # What is true

    def state(self, user: str, contact: str) -> SubscriptionState:
        item = self.world.memory.kept[JID.parse(user)].items.get(JID.parse(contact))
        return SubscriptionState.NONE if item is None else item.state

    def subscriptions(self) -> set[tuple[str, str]]:
        """(a, b): a's presence is shown to b."""
        return {(a, b) for a in PEOPLE for b in PEOPLE if a == b or self.state(a, b).has_from}

    def may_see(self) -> set[tuple[str, str]]:
        """(resource, person): because of a subscription, or of directed presence."""
        shown = self.subscriptions()
        return {
            (place, person)
            for place in PLACES
            for person in PEOPLE
            if (place.partition("/")[0], person) in shown or person in self.directed[place]
        }

    @invariant()
    def all_is_as_it_should_be(self) -> None:
        self.both_rosters_agree()
        self.nobody_sees_what_is_not_for_them()
        self.everybody_sees_what_is()
        self.pushes_tell_what_the_roster_is()

    def both_rosters_agree(self) -> None:
        for one in PEOPLE:
            for other in PEOPLE:
                if one != other:
                    mine, theirs = self.state(one, other), self.state(other, one)
                    assert mine.has_to == theirs.has_from, (one, mine, other, theirs)
                    assert mine.ask == theirs.pending_in, (one, mine, other, theirs)

    def nobody_sees_what_is_not_for_them(self) -> None:
        """Neither after this step, nor before it, were they allowed to."""
        shown = self.subscriptions()
        for owner, person in self.shown - shown:  # takes directed presence with it (§4.6.1)
            for place in PLACES:
                if place.startswith(f"{owner}/"):
                    self.directed[place].discard(person)
        allowed = self.may_see()
        for watcher in self.watchers.values():
            for presence in watcher.read():
                assert (presence.get("from"), watcher.user) in allowed | self.allowed, presence
                assert watcher.shown is not None
        self.allowed, self.shown = allowed, shown

    def everybody_sees_what_is(self) -> None:
        for watcher in (w for w in self.watchers.values() if w.shown is not None):
            for place in PLACES:
                there = self.watchers.get(place)
                is_shown = (place.partition("/")[0], watcher.user) in self.shown
                real = there.shown if there is not None and is_shown else None
                if real is not None or watcher.user not in self.directed[place]:
                    assert watcher.seen.get(place) == real, (watcher.client.jid, place)

    def pushes_tell_what_the_roster_is(self) -> None:
        for watcher in self.watchers.values():
            assert {item["jid"]: item for item in watcher.asked_roster()} == watcher.roster


TestPeople = People.TestCase
TestPeople.settings = settings(max_examples=40, stateful_step_count=50)
