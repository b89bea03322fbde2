"""RFC 6121 Appendix A and §3: subscription states."""

import itertools

import pytest

from commonroom.protocol.subscription import (
    INBOUND,
    OUTBOUND,
    Direction,
    Removal,
    Subscription,
    SubscriptionAction,
    SubscriptionState,
    decide,
    removal,
)

SUBSCRIBE, SUBSCRIBED, UNSUBSCRIBE, UNSUBSCRIBED = (
    SubscriptionAction(word) for word in ("subscribe", "subscribed", "unsubscribe", "unsubscribed")
)
STATES = (
    "None",
    "None + Pending Out",
    "None + Pending In",
    "None + Pending Out+In",
    "To",
    "To + Pending In",
    "From",
    "From + Pending Out",
    "Both",
)

# Existing state; route or deliver; new state: in the words of the appendix.
TABLE_2 = """
"None"                   MUST [1]   "None + Pending Out"
"None + Pending Out"     MUST       no state change
"None + Pending In"      MUST [1]   "None + Pending Out+In"
"None + Pending Out+In"  MUST       no state change
"To"                     MUST       no state change
"To + Pending In"        MUST       no state change
"From"                   MUST [1]   "From + Pending Out"
"From + Pending Out"     MUST       no state change
"Both"                   MUST       no state change
"""
TABLE_3 = """
"None"                   MUST       no state change
"None + Pending Out"     MUST       "None"
"None + Pending In"      MUST       no state change
"None + Pending Out+In"  MUST       "None + Pending In"
"To"                     MUST       "None"
"To + Pending In"        MUST       "None + Pending In"
"From"                   MUST       no state change
"From + Pending Out"     MUST       "From"
"Both"                   MUST       "From"
"""
TABLE_4 = """
"None"                   M.N.       pre-approval [1]
"None + Pending Out"     M.N.       pre-approval [1]
"None + Pending In"      MUST       "From"
"None + Pending Out+In"  MUST       "From + Pending Out"
"To"                     M.N.       pre-approval [1]
"To + Pending In"        MUST       "Both"
"From"                   M.N.       no state change
"From + Pending Out"     M.N.       no state change
"Both"                   M.N.       no state change
"""
TABLE_5 = """
"None"                   S.N.       no state change [1]
"None + Pending Out"     S.N.       no state change [1]
"None + Pending In"      MUST       "None"
"None + Pending Out+In"  MUST       "None + Pending Out"
"To"                     S.N.       no state change [1]
"To + Pending In"        MUST       "To"
"From"                   MUST       "None"
"From + Pending Out"     MUST       "None + Pending Out"
"Both"                   MUST       "To"
"""
TABLE_6 = """
"None"                   MUST [1]   "None + Pending In"
"None + Pending Out"     MUST       "None + Pending Out+In"
"None + Pending In"      S.N.       no state change
"None + Pending Out+In"  S.N.       no state change
"To"                     MUST       "To + Pending In"
"To + Pending In"        S.N.       no state change
"From"                   S.N. [2]   no state change
"From + Pending Out"     S.N. [2]   no state change
"Both"                   S.N. [2]   no state change
"""
TABLE_7 = """
"None"                   S.N.       no state change
"None + Pending Out"     S.N.       no state change
"None + Pending In"      MUST [1]   "None"
"None + Pending Out+In"  MUST [1]   "None + Pending Out"
"To"                     S.N.       no state change
"To + Pending In"        MUST [1]   "To"
"From"                   MUST [1]   "None"
"From + Pending Out"     MUST [1]   "None + Pending Out"
"Both"                   MUST [1]   "To"
"""
TABLE_8 = """
"None"                   S.N.       no state change
"None + Pending Out"     MUST       "To"
"None + Pending In"      S.N.       no state change
"None + Pending Out+In"  MUST       "To + Pending In"
"To"                     S.N.       no state change
"To + Pending In"        S.N.       no state change
"From"                   S.N.       no state change
"From + Pending Out"     MUST       "Both"
"Both"                   S.N.       no state change
"""
TABLE_9 = """
"None"                   S.N.       no state change
"None + Pending Out"     MUST       "None"
"None + Pending In"      S.N.       no state change
"None + Pending Out+In"  MUST       "None + Pending In"
"To"                     MUST       "None"
"To + Pending In"        MUST       "None + Pending In"
"From"                   S.N.       no state change
"From + Pending Out"     MUST       "From"
"Both"                   MUST       "From"
"""
OUTBOUND_TABLES = {SUBSCRIBE: TABLE_2, UNSUBSCRIBE: TABLE_3, SUBSCRIBED: TABLE_4, UNSUBSCRIBED: TABLE_5}
INBOUND_TABLES = {SUBSCRIBE: TABLE_6, UNSUBSCRIBE: TABLE_7, SUBSCRIBED: TABLE_8, UNSUBSCRIBED: TABLE_9}


def rows(tables):
    """Each row of the tables: action, state, what the middle column says, what the last one says."""
    return [
        (action, line[:25].strip().strip('"'), line[25:36].strip(), line[36:])
        for action, table in tables.items()
        for line in table.strip().splitlines()
    ]


def state_after(old, new):
    return SubscriptionState(new.strip('"') if new.startswith('"') else old)


@pytest.mark.parametrize(("action", "old", "route", "new"), rows(OUTBOUND_TABLES))
def test_rfc6121_a_2_server_processing_of_outbound_stanzas(action, old, route, new):
    transition = OUTBOUND[SubscriptionState(old), action]
    assert transition.route is route.startswith("MUST")
    assert transition.state is state_after(old, new)
    assert (transition.approval is True) is new.startswith("pre-approval")
    assert transition.reply is None


@pytest.mark.parametrize(("action", "old", "deliver", "new"), rows(INBOUND_TABLES))
def test_rfc6121_a_3_server_processing_of_inbound_stanzas(action, old, deliver, new):
    transition = INBOUND[SubscriptionState(old), action]
    assert transition.route is deliver.startswith("MUST")
    assert transition.state is state_after(old, new)
    replies = {SUBSCRIBE: {"S.N. [2]": SUBSCRIBED}, UNSUBSCRIBE: {"MUST [1]": UNSUBSCRIBED}}
    assert transition.reply is replies.get(action, {}).get(deliver)


def test_rfc6121_a_1_there_are_nine_states_and_the_tables_know_them_all():
    assert tuple(state.value for state in SubscriptionState) == STATES
    every = set(itertools.product(SubscriptionState, SubscriptionAction))
    assert set(OUTBOUND) == set(INBOUND) == every
    assert len(every) == 36
    for tables in (OUTBOUND_TABLES, INBOUND_TABLES):
        assert {(row[1], row[0]) for row in rows(tables)} == {(s.value, a) for s, a in every}


@pytest.mark.parametrize("name", STATES)
def test_rfc6121_a_1_what_the_roster_says_of_a_state(name):
    state = SubscriptionState(name)
    assert state.subscription is Subscription(name.partition(" ")[0].lower())
    assert state.ask is ("Out" in name)
    assert state.pending_in is name.endswith("In")
    assert state.has_to is name.startswith(("To", "Both"))
    assert state.has_from is name.startswith(("From", "Both"))


# What goes with a transition


def every_transition():
    """All 72, and those that a pre-approval makes of a request."""
    for direction, approved in itertools.product(Direction, (False, True)):
        for state, action in itertools.product(SubscriptionState, SubscriptionAction):
            yield state, approved, action, direction, *decide(state, approved, action, direction)


def test_rfc6120_13_10_2_who_has_no_subscription_is_never_shown_presence_or_absence():
    for old, _, _, _, transition, _ in every_transition():
        assert not transition.show or transition.state.has_from
        assert not transition.withdraw or old.has_from


def test_rfc6121_3_2_2_and_3_3_3_who_loses_a_subscription_sees_the_resources_leave():
    for old, _, _, _, transition, _ in every_transition():
        assert transition.withdraw is (old.has_from and not transition.state.has_from)


def test_rfc6121_3_1_5_who_gains_a_subscription_gets_current_presence():
    for old, _, _, _, transition, _ in every_transition():
        if transition.state.has_from and not old.has_from:
            assert transition.show


def test_rfc6121_3_1_3_who_asks_again_gets_an_answer_and_current_presence():
    for name in ("From", "From + Pending Out", "Both"):
        transition, _ = decide(SubscriptionState(name), False, SUBSCRIBE, Direction.INBOUND)
        assert (transition.reply, transition.show, transition.route, transition.push) == (
            SUBSCRIBED,
            True,
            False,
            False,
        )


def test_rfc6121_2_1_6_a_push_tells_of_every_change_that_an_item_shows_and_of_no_other():
    for old, approved, _, _, transition, still_approved in every_transition():
        before = (old.subscription, old.ask, approved)
        after = (transition.state.subscription, transition.state.ask, still_approved)
        assert transition.push is (before != after)


def test_rfc6121_3_1_3_a_request_does_not_show_in_the_roster_until_it_is_approved():
    transition, _ = decide(SubscriptionState("None"), False, SUBSCRIBE, Direction.INBOUND)
    assert transition.state.pending_in
    assert not transition.push


# Pre-approval


@pytest.mark.parametrize("name", ["From", "From + Pending Out", "Both"])
def test_rfc6121_3_4_2_item_1_where_the_contact_is_subscribed_approval_is_ignored(name):
    state = SubscriptionState(name)
    transition, approved = decide(state, False, SUBSCRIBED, Direction.OUTBOUND)
    assert transition == (state, None, False, False, False, None, False)
    assert not approved


@pytest.mark.parametrize(
    ("name", "new"),
    [
        ("To + Pending In", "Both"),
        ("None + Pending In", "From"),
        ("None + Pending Out+In", "From + Pending Out"),
    ],
)
def test_rfc6121_3_4_2_item_2_where_the_contact_asked_approval_is_given_and_pushed_and_routed(name, new):
    transition, approved = decide(SubscriptionState(name), False, SUBSCRIBED, Direction.OUTBOUND)
    assert transition.state is SubscriptionState(new)
    assert (transition.route, transition.push, transition.show) == (True, True, True)
    assert not approved


@pytest.mark.parametrize("name", ["To", "None", "None + Pending Out"])
def test_rfc6121_3_4_2_item_3_otherwise_it_is_noted_and_pushed_but_not_routed(name):
    state = SubscriptionState(name)
    transition, approved = decide(state, False, SUBSCRIBED, Direction.OUTBOUND)
    assert approved
    assert (transition.state, transition.route, transition.push, transition.show) == (
        state,
        False,
        True,
        False,
    )
    again, approved = decide(state, approved, SUBSCRIBED, Direction.OUTBOUND)
    assert approved
    assert not again.push


@pytest.mark.parametrize(
    ("name", "new"),
    [
        ("None", "From"),
        ("None + Pending Out", "From + Pending Out"),
        ("None + Pending In", "From"),
        ("None + Pending Out+In", "From + Pending Out"),
        ("To", "Both"),
        ("To + Pending In", "Both"),
    ],
)
def test_rfc6121_3_4_2_an_approved_request_is_answered_and_not_delivered(name, new):
    transition, approved = decide(SubscriptionState(name), True, SUBSCRIBE, Direction.INBOUND)
    assert transition.state is SubscriptionState(new)
    assert (transition.route, transition.reply, transition.push, transition.show) == (
        False,
        SUBSCRIBED,
        True,
        True,
    )
    assert not approved


@pytest.mark.parametrize("name", ["None", "None + Pending Out", "To"])
def test_rfc6121_3_2_2_item_2_a_cancelled_approval_is_pushed_but_not_routed(name):
    state = SubscriptionState(name)
    transition, approved = decide(state, True, UNSUBSCRIBED, Direction.OUTBOUND)
    assert not approved
    assert transition.state is state
    assert (transition.route, transition.push, transition.withdraw) == (False, True, False)


def test_rfc6121_3_4_2_approval_outlives_everything_but_its_use_and_its_cancellation():
    for _, approved, action, direction, _, still_approved in every_transition():
        used = action is SUBSCRIBE and direction is Direction.INBOUND
        given_or_cancelled = action in (SUBSCRIBED, UNSUBSCRIBED) and direction is Direction.OUTBOUND
        assert still_approved is approved or used or given_or_cancelled


# Removal


@pytest.mark.parametrize(
    ("name", "after", "withdraw", "send"),
    [
        ("None", "None", False, ()),
        ("None + Pending Out", "None", False, (UNSUBSCRIBE,)),
        ("None + Pending In", "None + Pending In", False, ()),
        ("None + Pending Out+In", "None + Pending In", False, (UNSUBSCRIBE,)),
        ("To", "None", False, (UNSUBSCRIBE,)),
        ("To + Pending In", "None + Pending In", False, (UNSUBSCRIBE,)),
        ("From", "None", True, (UNSUBSCRIBED,)),
        ("From + Pending Out", "None", True, (UNSUBSCRIBE, UNSUBSCRIBED)),
        ("Both", "None", True, (UNSUBSCRIBE, UNSUBSCRIBED)),
    ],
)
def test_rfc6121_2_5_2_what_the_removal_of_an_item_sends(name, after, withdraw, send):
    assert removal(SubscriptionState(name)) == Removal(SubscriptionState(after), withdraw, send)


# Two rosters, one subscription


def converse(*steps):
    """Let user and contact send stanzas to each other; return the state of each."""
    states = {"user": SubscriptionState("None"), "contact": SubscriptionState("None")}
    waiting = list(steps)
    while waiting:
        sender, action = waiting.pop(0)
        receiver = "contact" if sender == "user" else "user"
        sent, _ = decide(states[sender], False, action, Direction.OUTBOUND)
        states[sender] = sent.state
        if sent.route:
            deliver(states, receiver, action)
    return states["user"].value, states["contact"].value


def deliver(states, receiver, action):
    """Process an inbound stanza; an automatic reply comes in at the other side."""
    received, _ = decide(states[receiver], False, action, Direction.INBOUND)
    states[receiver] = received.state
    if received.reply is not None:
        deliver(states, "contact" if receiver == "user" else "user", received.reply)


def test_rfc6121_3_1_a_mutual_subscription_is_made_and_unmade():
    made = [("user", SUBSCRIBE), ("contact", SUBSCRIBED), ("contact", SUBSCRIBE), ("user", SUBSCRIBED)]
    assert converse(*made[:1]) == ("None + Pending Out", "None + Pending In")
    assert converse(*made[:2]) == ("To", "From")
    assert converse(*made[:3]) == ("To + Pending In", "From + Pending Out")
    assert converse(*made) == ("Both", "Both")
    assert converse(*made, ("user", UNSUBSCRIBE)) == ("From", "To")
    assert converse(*made, ("user", UNSUBSCRIBED)) == ("To", "From")
    assert converse(*made, ("user", UNSUBSCRIBE), ("user", UNSUBSCRIBED)) == ("None", "None")


def test_rfc6121_a_3_whatever_is_sent_in_whatever_order_both_rosters_agree():
    moves = list(itertools.product(("user", "contact"), SubscriptionAction))
    for steps in itertools.product(moves, repeat=3):
        user, contact = (SubscriptionState(name) for name in converse(*steps))
        assert (user.has_to, user.has_from) == (contact.has_from, contact.has_to)
        assert (user.ask, user.pending_in) == (contact.pending_in, contact.ask)
