"""Work of which only so much is done at once for one account; the rest waits for its turn."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

from commonroom.protocol.jid import JID

Result = TypeVar("Result")
Work = Callable[[], Awaitable[Result]]


class Turns(Generic[Result]):
    """Up to `width` at once. `start` runs a coroutine and gives something that many can await.

    Who comes when there is no room waits for the one that came `width` places before.
    """

    def __init__(self, width: int, start: Callable[[Coroutine[Any, Any, None]], Awaitable[None]]) -> None:
        self._width = width
        self._start = start
        self._lines: dict[JID, list[Awaitable[None]]] = {}

    def has(self, account: JID) -> bool:
        """Whether anything is done, or waits, for an account."""
        return account in self._lines

    async def take(self, account: JID, work: Work[Result]) -> Result:
        """Do it when its turn comes; gives what it gave, or raises what it raised."""
        line = self._lines.setdefault(account, [])
        before = line[-self._width] if len(line) >= self._width else None
        outcome: list[Result | Exception] = []
        turn = self._start(_do(work, before, outcome))
        line.append(turn)
        try:
            await turn
        finally:
            line.remove(turn)
            if not line:
                del self._lines[account]
        (result,) = outcome
        if isinstance(result, Exception):
            raise result
        return result


async def _do(work: Work[Result], before: Awaitable[None] | None, outcome: list[Result | Exception]) -> None:
    """Raises nothing: a failure is for who wanted the work, and not for those who wait for its end."""
    if before is not None:
        await before
    try:
        outcome.append(await work())
    except Exception as error:
        outcome.append(error)
