"""XEP-0045 §10.1: how rooms are made: by people, as far as the policy lets them, or by the configuration."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime

from commonroom.features.muc.administering import assign
from commonroom.features.muc.affiliations import Affiliation
from commonroom.features.muc.confusables import skeleton
from commonroom.features.muc.effects import Effects, RoomPut
from commonroom.features.muc.entering import found
from commonroom.features.muc.policy import Beginning, NamePolicy, alike
from commonroom.features.muc.room import Room
from commonroom.protocol.errors import StanzaError, not_allowed, resource_constraint
from commonroom.protocol.jid import JID
from commonroom.storage.interfaces import RoomStore
from commonroom.storage.room_records import RoomRequest

KEY_LENGTH = 32
# Requests for names that wait for an operator: of one account, and all.
MOST_OWN_REQUESTS = 10
MOST_REQUESTS = 1000

_OWNER = Affiliation.OWNER.value


@dataclass(frozen=True, slots=True)
class Terms:
    """What one account may own, whether it may ask for names, and which rooms always exist."""

    owned: int
    requests: bool
    declared: tuple[str, ...]


class Making:
    """Makes rooms at one domain."""

    def __init__(
        self,
        domain: JID,
        store: RoomStore,
        policy: NamePolicy,
        terms: Terms,
        random: Callable[[int], bytes],
        next_id: Callable[[], int],
        now: Callable[[], datetime],
    ) -> None:
        self._domain = domain.domain
        self._store = store
        self._policy = policy
        self._terms = terms
        self._random = random
        self._next_id = next_id
        self._now = now
        self._declared = {JID.of(name, self._domain): name for name in terms.declared}
        # Rooms that were made lately, and may not be on disk: by how they look, and by whom.
        self._looks: dict[str, set[JID]] = {}
        self._made: dict[JID, JID] = {}

    async def by(self, who: JID, address: JID) -> tuple[Room, Effects]:
        """Make the room of somebody who enters it first; raises StanzaError."""
        begun = await self._allow(who, address)
        await self._check_looks(address)
        owned = await self._store.of(who.bare, _OWNER, max(self._terms.owned, 1))
        self._note_new(who.bare, address, owned)
        room, effects = found(address, begun.config, who, self._random(KEY_LENGTH), self._next_id)
        self._enlist(room, effects, begun)
        return room, effects

    async def _allow(self, who: JID, address: JID) -> Beginning:
        name = address.local or ""
        try:
            return self._policy.may_create(name, who)
        except StanzaError as error:
            is_for_others = error.condition == "not-allowed" and not self._policy.is_declared(name)
            if not (self._terms.requests and is_for_others):
                raise
        await self._request(who.bare, address)
        raise not_allowed("you may not make this room yourself; your request for it was put down")

    async def _request(self, who: JID, address: JID) -> None:
        """Put it down, once, if there are not too many already."""
        waiting = await self._store.requests(self._domain)
        if any(request.address == address for request in waiting):
            return
        own = sum(request.requester == who for request in waiting)
        if own >= MOST_OWN_REQUESTS or len(waiting) >= MOST_REQUESTS:
            raise resource_constraint("too many requests for rooms wait for an answer")
        self._store.request(RoomRequest(address, who, self._now()))

    async def _check_looks(self, address: JID) -> None:
        """Nobody takes a name that is mistaken for another one's (UTS #39)."""
        if not self._policy.forbids_look_alikes:
            return
        stored = await self._store.alike(self._domain, skeleton(address.local or ""), 2)
        if any(other != address for other in stored):
            raise alike()

    def _note_new(self, who: JID, address: JID, owned: Collection[JID]) -> None:
        """Raise what the rooms forbid that were made lately, maybe while this one waited; or it is made."""
        made = self._looks.get(skeleton(address.local or ""), set())
        if self._policy.forbids_look_alikes and made - {address}:
            raise alike()
        most = self._terms.owned
        if len({*owned, *(room for room, founder in self._made.items() if founder == who)}) >= most:
            raise resource_constraint(f"you own {most} rooms, which is as many as one may have here")
        self._looks.setdefault(skeleton(address.local or ""), made).add(address)
        self._made[address] = who

    def left(self, address: JID) -> None:
        """A room is in memory no more: if it still exists, it is on disk."""
        if self._made.pop(address, None) is not None:
            looks = skeleton(address.local or "")
            self._looks[looks].discard(address)
            if not self._looks[looks]:
                del self._looks[looks]

    def appoint(self, owner: JID, address: JID) -> tuple[Room, Effects]:
        """Make a room that lasts, because an operator wants it; it need not be configured."""
        begun = self._policy.beginning(address.local or "")
        config = replace(begun.config, persistent=True)
        key = self._random(KEY_LENGTH)
        room, effects = found(address, config, owner, key, self._next_id, is_locked=False)
        room.is_new = False
        self._enlist(room, effects, begun)
        return room, effects

    def _enlist(self, room: Room, effects: Effects, begun: Beginning, known: Collection[JID] = ()) -> None:
        """Put people on the lists whom the policy wants there; nobody twice, the highest first.

        Everybody of a domain can be members, but not run the room.
        """
        for affiliation, people in (
            (Affiliation.OWNER, begun.owners),
            (Affiliation.ADMIN, begun.admins),
            (Affiliation.MEMBER, begun.members),
        ):
            for jid in people:
                is_one = jid.local is not None or affiliation is Affiliation.MEMBER
                if is_one and jid not in room.affiliations and jid not in known:
                    effects.writes += assign(room, jid, affiliation).writes

    def enlist_newcomers(self, room: Room) -> Effects | None:
        """Put people on the lists of a room that was kept, who belong to it by the policy since.

        None, if there is nobody. Who was on a list and is on none any more was taken off it by somebody.
        """
        name = room.address.local or ""
        declared = self._declared.get(room.address)
        begun = self._policy.beginning(name) if declared is None else self._policy.declared(declared)
        effects = Effects()
        known = room.former.keys() | room.affiliations.keys()
        self._enlist(room, effects, begun, known)
        return effects if effects.writes else None

    # Rooms of the configuration

    def fixed(self, address: JID) -> frozenset[str]:
        """What its owners cannot change of a room."""
        return self._policy.fixed(address.local or "")

    def is_declared(self, address: JID) -> bool:
        """Whether the room always exists."""
        return address in self._declared

    def declared(self, address: JID) -> tuple[Room, Effects]:
        """Make one of them; nobody need configure it."""
        begun = self._policy.declared(self._declared[address])
        room = Room(address, begun.config, self._random(KEY_LENGTH), self._next_id)
        effects = Effects()
        effects.writes.append(RoomPut())
        self._enlist(room, effects, begun)
        return room, effects
