"""Appointments of many connections that share their timers: uvloop's cost 544 bytes each."""

import logging
import math
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from commonroom.core.questions import Timer

log = logging.getLogger(__name__)


class Visited(Protocol):
    """Who has an appointment keeps its number; -1 is none."""

    appointment: int


Member = TypeVar("Member", bound=Visited)

NONE = -1


class Rounds(Generic[Member]):
    """Calls `visit` for each member within `grain` seconds after its appointment; a member has one at most.

    There is a timer for each grain of time in which anybody has one, and none when nobody has.
    """

    __slots__ = ("_due", "_grain", "_later", "_timers", "_visit")

    def __init__(
        self,
        later: Callable[[float, Callable[[], None]], Timer],
        grain: float,
        visit: Callable[[Member], None],
    ) -> None:
        self._later = later
        self._grain = grain
        self._visit = visit
        self._due: dict[int, dict[Member, None]] = {}  # a set of them would take twice as much
        self._timers: dict[int, Timer] = {}

    def meet(self, member: Member, now: float, delay: float) -> None:
        """Make the member's appointment, instead of the one that it may have."""
        self.miss(member)
        number = math.ceil((now + delay) / self._grain)
        member.appointment = number
        due = self._due.get(number)
        if due is None:
            due = self._due[number] = {}
            self._timers[number] = self._later(number * self._grain - now, lambda: self._go(number))
        due[member] = None

    def miss(self, member: Member) -> None:
        """Call the member's appointment off, if it has one."""
        number, member.appointment = member.appointment, NONE
        due = self._due.get(number)
        if due is not None:
            due.pop(member, None)
            if not due:
                del self._due[number]
                self._timers.pop(number).cancel()

    def _go(self, number: int) -> None:
        del self._timers[number]
        for member in self._due.pop(number):
            if member.appointment == number:  # another's visit can have ended it
                member.appointment = NONE
                try:
                    self._visit(member)
                except Exception:  # one member's fault; the others have deadlines
                    log.exception("a visit failed")
