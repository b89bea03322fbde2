"""What the lab tries with whom, and what is to come of it, as data.

A cell is a peer, a proof of who it is, and a happening. Where both sides are content with the proof, all of
HAPPENINGS happen. Where the peer's certificate does not do, what people send comes back (REFUSALS). To kill
one side or to cut the connection has no meaning there, as there never is one: instead, the peer is restarted
with a certificate that does.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from . import happenings as h
from . import refusals as r
from .pairs import Make, Pairing
from .proofs import DIALBACK, EXTERNAL, FAULTS, SERVER_ONLY

Happening = Callable[[Pairing, Make], None]


class Shown(NamedTuple):
    """What convinced each side: `us`, when the peer connects; `peer`, when we do."""

    us: str
    peer: str


BY_CERTIFICATE = Shown("EXTERNAL", "EXTERNAL")
BY_DIALBACK = Shown("dialback", "dialback")

# Each pair that works, and how the sides prove who they are.
TRUSTED: Mapping[tuple[str, str], Shown] = {
    ("prosody", EXTERNAL): BY_CERTIFICATE,
    ("prosody", SERVER_ONLY): BY_CERTIFICATE,
    ("prosody", DIALBACK): BY_DIALBACK,
    ("ejabberd", EXTERNAL): BY_CERTIFICATE,
    ("ejabberd", SERVER_ONLY): Shown("EXTERNAL", "dialback"),  # ejabberd 23.01 wants one for clients, too
    ("ejabberd", DIALBACK): BY_DIALBACK,
    ("jabberd2", EXTERNAL): Shown("dialback, by certificate", "dialback"),  # jabberd2 has no EXTERNAL
    ("jabberd2", SERVER_ONLY): Shown("dialback, by certificate", "dialback"),
    ("jabberd2", DIALBACK): BY_DIALBACK,
    ("ours", EXTERNAL): BY_CERTIFICATE,
    ("ours", SERVER_ONLY): BY_CERTIFICATE,
    ("ours", DIALBACK): BY_DIALBACK,
}
HAPPENINGS: Mapping[str, Happening] = {
    "messages": h.messages_go_both_ways_and_in_order,
    "subscriptions": h.subscriptions_and_presence_go_both_ways,
    "our room": h.our_room_is_joined_from_there,
    "their room": h.their_room_is_joined_from_here,
    "pings": h.pings_go_both_ways,
    "peer killed": h.the_peer_is_killed_and_restarted,
    "peer drained": h.the_peer_is_drained_and_restarted,
    "ours killed": h.ours_is_killed_and_restarted,
    "ours drained": h.ours_is_drained_and_restarted,
    "presence after a kill": h.presence_is_in_step_after_ours_was_killed,
    "cut": h.the_connection_is_cut,
}
# What happens in their place, with a peer that cannot.
INSTEAD: Mapping[tuple[str, str], Happening] = {
    ("jabberd2", "their room"): h.there_are_no_rooms,  # jabberd2 leaves rooms to components
}

# Each pair that must not work.
REFUSED = tuple((kind, fault) for kind in ("prosody", "ejabberd", "jabberd2") for fault in FAULTS)
REFUSALS: Mapping[str, Happening] = {
    "messages": r.messages_come_back,
    "subscriptions": r.subscriptions_come_back,
    "rooms": r.joins_come_back,
    "pings": r.pings_come_back,
    "mended": r.a_mended_certificate_is_taken,
}
