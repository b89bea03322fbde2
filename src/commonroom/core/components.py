"""Those who look after components: who hears when one comes or goes (XEP-0355 §4.2, XEP-0356 §4.2)."""

from collections.abc import Callable, Sequence
from typing import Protocol

from commonroom.protocol.stanza import Stanza

# Sends to the component that has a domain now; False if it does not take any more at the moment.
Outlet = Callable[[Stanza], bool]


class Attendant(Protocol):
    """Looks after components in one respect."""

    def greeting(self, domain: str) -> list[Stanza]:
        """What each connection of the component is told first."""

    def arrived(self, domain: str, outlet: Outlet) -> None:
        """A connection has the domain now: the first one, or the next after another has gone."""

    def left(self, domain: str) -> None:
        """None is left."""


class Components:
    """Tells all of them."""

    def __init__(self, attendants: Sequence[Attendant] = ()) -> None:
        self._attendants = attendants

    def greeting(self, domain: str) -> list[Stanza]:
        """As each of them says it."""
        return [stanza for each in self._attendants for stanza in each.greeting(domain)]

    def arrived(self, domain: str, outlet: Outlet) -> None:
        """Tell of a component that is there now."""
        for each in self._attendants:
            each.arrived(domain, outlet)

    def left(self, domain: str) -> None:
        """Tell of one that is not there any more."""
        for each in self._attendants:
            each.left(domain)
