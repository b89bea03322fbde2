"""RFC 6121 Appendix A: the states of a presence subscription, and how the four stanzas move between them.

Where the appendix says SHOULD or SHOULD NOT, the tables do what it recommends.
"""

from collections.abc import Mapping
from enum import Enum, StrEnum
from typing import NamedTuple


class Subscription(StrEnum):
    """What a roster item says of it (RFC 6121 §2.1.2.5)."""

    NONE = "none"
    TO = "to"
    FROM = "from"
    BOTH = "both"


class SubscriptionState(Enum):
    """The nine states of RFC 6121 §A.1, from the user's side; a contact that is not in the roster is in NONE.

    `ask` is "Pending Out": the user asked and waits. `pending_in`: the contact asked and waits.
    `has_to`: the user sees the contact's presence. `has_from`: the contact sees the user's.
    """

    NONE = "None", Subscription.NONE, False, False
    NONE_PENDING_OUT = "None + Pending Out", Subscription.NONE, True, False
    NONE_PENDING_IN = "None + Pending In", Subscription.NONE, False, True
    NONE_PENDING_OUT_IN = "None + Pending Out+In", Subscription.NONE, True, True
    TO = "To", Subscription.TO, False, False
    TO_PENDING_IN = "To + Pending In", Subscription.TO, False, True
    FROM = "From", Subscription.FROM, False, False
    FROM_PENDING_OUT = "From + Pending Out", Subscription.FROM, True, False
    BOTH = "Both", Subscription.BOTH, False, False

    subscription: Subscription
    ask: bool
    pending_in: bool
    has_to: bool
    has_from: bool

    def __new__(
        cls,
        notation: str,
        subscription: Subscription = Subscription.NONE,
        ask: bool = False,
        pending_in: bool = False,
    ) -> "SubscriptionState":
        """The value is the name that the RFC gives the state, by which it is also found again."""
        state = object.__new__(cls)
        state._value_ = notation
        state.subscription = subscription
        state.ask = ask
        state.pending_in = pending_in
        state.has_to = subscription in (Subscription.TO, Subscription.BOTH)
        state.has_from = subscription in (Subscription.FROM, Subscription.BOTH)
        return state


class SubscriptionAction(StrEnum):
    """The types of presence that manage subscriptions (RFC 6121 §3)."""

    SUBSCRIBE = "subscribe"
    SUBSCRIBED = "subscribed"
    UNSUBSCRIBE = "unsubscribe"
    UNSUBSCRIBED = "unsubscribed"


class Direction(Enum):
    """Whether the user sent the stanza or the contact did (RFC 6121 §A.2, §A.3)."""

    OUTBOUND = "outbound"
    INBOUND = "inbound"


class Transition(NamedTuple):
    """What one stanza does; what is sent, is sent in the order of the fields.

    state       the new state, which may be the old one
    approval    what becomes of a pre-approval: True sets it, False ends it, None leaves it (RFC 6121 §3.4.2)
    withdraw    each available resource sends the contact "unavailable" (§3.2.2, §3.3.3)
    route       outbound: the stanza goes on to the contact; inbound: it is delivered to the user
    push        what the roster item shows has changed and is pushed (§3.1.6: after the delivery; outbound
                it comes before the routing, see core/subscription.py)
    reply       the answer from the user's bare address to the contact's
    show        each available resource sends the contact its current presence (§3.1.5)
    """

    state: SubscriptionState
    approval: bool | None = None
    withdraw: bool = False
    route: bool = False
    push: bool = False
    reply: SubscriptionAction | None = None
    show: bool = False


class Removal(NamedTuple):
    """What the removal of a roster item does, in the order of the fields.

    A request of the contact that waits for an answer still waits (RFC 6121 §3.1.3): the state says so.
    """

    state: SubscriptionState
    withdraw: bool
    send: tuple[SubscriptionAction, ...]


_S = SubscriptionState
_Rows = Mapping[SubscriptionAction, Mapping[SubscriptionState, tuple[bool, SubscriptionState]]]
Table = Mapping[tuple[SubscriptionState, SubscriptionAction], Transition]

# Existing state: (route?, new state). RFC 6121 §A.2.
_OUTBOUND_ROWS: _Rows = {
    SubscriptionAction.SUBSCRIBE: {  # §A.2.1
        _S.NONE: (True, _S.NONE_PENDING_OUT),
        _S.NONE_PENDING_OUT: (True, _S.NONE_PENDING_OUT),
        _S.NONE_PENDING_IN: (True, _S.NONE_PENDING_OUT_IN),
        _S.NONE_PENDING_OUT_IN: (True, _S.NONE_PENDING_OUT_IN),
        _S.TO: (True, _S.TO),
        _S.TO_PENDING_IN: (True, _S.TO_PENDING_IN),
        _S.FROM: (True, _S.FROM_PENDING_OUT),
        _S.FROM_PENDING_OUT: (True, _S.FROM_PENDING_OUT),
        _S.BOTH: (True, _S.BOTH),
    },
    SubscriptionAction.UNSUBSCRIBE: {  # §A.2.2
        _S.NONE: (True, _S.NONE),
        _S.NONE_PENDING_OUT: (True, _S.NONE),
        _S.NONE_PENDING_IN: (True, _S.NONE_PENDING_IN),
        _S.NONE_PENDING_OUT_IN: (True, _S.NONE_PENDING_IN),
        _S.TO: (True, _S.NONE),
        _S.TO_PENDING_IN: (True, _S.NONE_PENDING_IN),
        _S.FROM: (True, _S.FROM),
        _S.FROM_PENDING_OUT: (True, _S.FROM),
        _S.BOTH: (True, _S.FROM),
    },
    SubscriptionAction.SUBSCRIBED: {  # §A.2.3
        _S.NONE: (False, _S.NONE),
        _S.NONE_PENDING_OUT: (False, _S.NONE_PENDING_OUT),
        _S.NONE_PENDING_IN: (True, _S.FROM),
        _S.NONE_PENDING_OUT_IN: (True, _S.FROM_PENDING_OUT),
        _S.TO: (False, _S.TO),
        _S.TO_PENDING_IN: (True, _S.BOTH),
        _S.FROM: (False, _S.FROM),
        _S.FROM_PENDING_OUT: (False, _S.FROM_PENDING_OUT),
        _S.BOTH: (False, _S.BOTH),
    },
    SubscriptionAction.UNSUBSCRIBED: {  # §A.2.4
        _S.NONE: (False, _S.NONE),
        _S.NONE_PENDING_OUT: (False, _S.NONE_PENDING_OUT),
        _S.NONE_PENDING_IN: (True, _S.NONE),
        _S.NONE_PENDING_OUT_IN: (True, _S.NONE_PENDING_OUT),
        _S.TO: (False, _S.TO),
        _S.TO_PENDING_IN: (True, _S.TO),
        _S.FROM: (True, _S.NONE),
        _S.FROM_PENDING_OUT: (True, _S.NONE_PENDING_OUT),
        _S.BOTH: (True, _S.TO),
    },
}

# Existing state: (deliver?, new state). RFC 6121 §A.3.
_INBOUND_ROWS: _Rows = {
    SubscriptionAction.SUBSCRIBE: {  # §A.3.1
        _S.NONE: (True, _S.NONE_PENDING_IN),
        _S.NONE_PENDING_OUT: (True, _S.NONE_PENDING_OUT_IN),
        _S.NONE_PENDING_IN: (False, _S.NONE_PENDING_IN),
        _S.NONE_PENDING_OUT_IN: (False, _S.NONE_PENDING_OUT_IN),
        _S.TO: (True, _S.TO_PENDING_IN),
        _S.TO_PENDING_IN: (False, _S.TO_PENDING_IN),
        _S.FROM: (False, _S.FROM),
        _S.FROM_PENDING_OUT: (False, _S.FROM_PENDING_OUT),
        _S.BOTH: (False, _S.BOTH),
    },
    SubscriptionAction.UNSUBSCRIBE: {  # §A.3.2
        _S.NONE: (False, _S.NONE),
        _S.NONE_PENDING_OUT: (False, _S.NONE_PENDING_OUT),
        _S.NONE_PENDING_IN: (True, _S.NONE),
        _S.NONE_PENDING_OUT_IN: (True, _S.NONE_PENDING_OUT),
        _S.TO: (False, _S.TO),
        _S.TO_PENDING_IN: (True, _S.TO),
        _S.FROM: (True, _S.NONE),
        _S.FROM_PENDING_OUT: (True, _S.NONE_PENDING_OUT),
        _S.BOTH: (True, _S.TO),
    },
    SubscriptionAction.SUBSCRIBED: {  # §A.3.3
        _S.NONE: (False, _S.NONE),
        _S.NONE_PENDING_OUT: (True, _S.TO),
        _S.NONE_PENDING_IN: (False, _S.NONE_PENDING_IN),
        _S.NONE_PENDING_OUT_IN: (True, _S.TO_PENDING_IN),
        _S.TO: (False, _S.TO),
        _S.TO_PENDING_IN: (False, _S.TO_PENDING_IN),
        _S.FROM: (False, _S.FROM),
        _S.FROM_PENDING_OUT: (True, _S.BOTH),
        _S.BOTH: (False, _S.BOTH),
    },
    SubscriptionAction.UNSUBSCRIBED: {  # §A.3.4
        _S.NONE: (False, _S.NONE),
        _S.NONE_PENDING_OUT: (True, _S.NONE),
        _S.NONE_PENDING_IN: (False, _S.NONE_PENDING_IN),
        _S.NONE_PENDING_OUT_IN: (True, _S.NONE_PENDING_IN),
        _S.TO: (True, _S.NONE),
        _S.TO_PENDING_IN: (True, _S.NONE_PENDING_IN),
        _S.FROM: (False, _S.FROM),
        _S.FROM_PENDING_OUT: (True, _S.FROM),
        _S.BOTH: (True, _S.FROM),
    },
}

# Existing state: new state, when a contact asks whom the user approved before (RFC 6121 §3.4.2, §A.3.1 [1]).
_GRANTED = {
    _S.NONE: _S.FROM,
    _S.NONE_PENDING_OUT: _S.FROM_PENDING_OUT,
    _S.NONE_PENDING_IN: _S.FROM,
    _S.NONE_PENDING_OUT_IN: _S.FROM_PENDING_OUT,
    _S.TO: _S.BOTH,
    _S.TO_PENDING_IN: _S.BOTH,
}


def decide(
    state: SubscriptionState, approved: bool, action: SubscriptionAction, direction: Direction
) -> tuple[Transition, bool]:
    """Say what a stanza does in this state, and whether a pre-approval remains (RFC 6121 §3.4.2).

    A pre-approval is good for one request: what it granted is then in the state.
    """
    if direction is Direction.OUTBOUND:
        transition = OUTBOUND[state, action]
    elif approved and action is SubscriptionAction.SUBSCRIBE and not state.has_from:
        transition = PREAPPROVED[state]
    else:
        transition = INBOUND[state, action]
    if transition.approval is None or transition.approval is approved:
        return transition, approved
    return transition._replace(push=True), transition.approval


def removal(state: SubscriptionState) -> Removal:
    """Say what ends when the user removes a contact (RFC 6121 §2.5.2); a pre-approval ends, too (§3.4.2).

    An unanswered request of the user is withdrawn like a subscription, as §A.2.2 would have it, or the
    contact could grant what nobody remembers.
    """
    withdraw = state.has_from
    send = []
    if state.has_to or state.ask:
        send.append(SubscriptionAction.UNSUBSCRIBE)
    if state.has_from:
        send.append(SubscriptionAction.UNSUBSCRIBED)
    for action in send:
        state = OUTBOUND[state, action].state
    return Removal(state, withdraw, tuple(send))


def _outbound(
    action: SubscriptionAction, old: SubscriptionState, route: bool, new: SubscriptionState
) -> Transition:
    """Approval where nobody asked is for later; a refusal takes it back (RFC 6121 §A.2.3 [1], §A.2.4 [1])."""
    approval = None
    if action is SubscriptionAction.UNSUBSCRIBED:
        approval = False
    elif action is SubscriptionAction.SUBSCRIBED and not old.has_from:
        approval = not old.pending_in
    return _transition(old, new, route, approval=approval)


def _inbound(
    action: SubscriptionAction, old: SubscriptionState, route: bool, new: SubscriptionState
) -> Transition:
    """The server itself answers what leaves no choice (RFC 6121 §A.3.1 [2], §A.3.2 [1])."""
    if action is SubscriptionAction.SUBSCRIBE and old.has_from:
        # §3.1.3 asks for the answer only. Who asks again has lost track, and lacks the presence as well.
        return _transition(old, new, route, reply=SubscriptionAction.SUBSCRIBED)._replace(show=True)
    if action is SubscriptionAction.UNSUBSCRIBE and route:
        return _transition(old, new, route, reply=SubscriptionAction.UNSUBSCRIBED)
    return _transition(old, new, route)


def _transition(
    old: SubscriptionState,
    new: SubscriptionState,
    route: bool,
    *,
    approval: bool | None = None,
    reply: SubscriptionAction | None = None,
) -> Transition:
    """Who gains or loses the user's presence is told so at once.

    Only one who had it is told "unavailable". RFC 6121 §3.2.2 could be read to send it with every refusal,
    but that would tell a stranger which resources are online: a presence leak (RFC 6120 §13.10.2).
    """
    return Transition(
        new,
        approval,
        withdraw=old.has_from and not new.has_from,
        route=route,
        push=(old.subscription, old.ask) != (new.subscription, new.ask),
        reply=reply,
        show=new.has_from and not old.has_from,
    )


OUTBOUND: Table = {
    (old, action): _outbound(action, old, route, new)
    for action, rows in _OUTBOUND_ROWS.items()
    for old, (route, new) in rows.items()
}
INBOUND: Table = {
    (old, action): _inbound(action, old, route, new)
    for action, rows in _INBOUND_ROWS.items()
    for old, (route, new) in rows.items()
}
PREAPPROVED: Mapping[SubscriptionState, Transition] = {
    old: _transition(old, new, False, approval=False, reply=SubscriptionAction.SUBSCRIBED)
    for old, new in _GRANTED.items()
}
