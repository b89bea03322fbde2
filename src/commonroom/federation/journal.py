"""What happened on the way to another server: for `commonroom trace s2s`, and kept with each failure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

# More steps than any attempt has that ends well; one that goes on and on is cut off.
MOST_STEPS = 200
# Characters of what another server says, or of a reason made of it.
LONGEST = 500


class Step(NamedTuple):
    """Something that happened, so many seconds after the beginning."""

    after: float
    event: str
    detail: str


@dataclass(slots=True)
class Journal:
    """The steps of one attempt, in order; `watch` hears of each at once."""

    clock: Callable[[], float]
    watch: Callable[[Step], None] | None = None
    steps: list[Step] = field(default_factory=list)
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.clock()

    def note(self, event: str, detail: str = "") -> None:
        """This happened now."""
        if len(self.steps) < MOST_STEPS:
            step = Step(self.clock() - self.began, event, one_line(detail))
            self.steps.append(step)
            if self.watch is not None:
                self.watch(step)


def one_line(text: str) -> str:
    """What others may have written, for people: not too long, and nothing that a terminal would obey."""
    return "".join(char if char.isprintable() else "?" for char in text[:LONGEST])
