"""XEP-0220 §2.1.2: whoever waits for a key to be verified hears what became of it."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from commonroom.federation.dialing import UnreachableError
from commonroom.federation.verifying import PER_DOMAIN, Verifier
from commonroom.protocol.dialback import Outcome, Pair, Verification, Verified

REQUEST = Verification(Pair("example.net", "example.org"), "id", "key")
VALID = Verified(Outcome.VALID)


class Connection:
    def end(self) -> None: ...


class Dialer:
    """Each call ends so."""

    def __init__(self, outcome: Verified | Exception | None) -> None:
        self.outcome = outcome

    async def dial(
        self, pair: Pair, owner: Any, journal: Any, verifications: tuple[Verification, ...]
    ) -> Any:
        assert (pair, verifications) == (REQUEST.pair.reverse, (REQUEST,))
        if isinstance(self.outcome, Exception):
            raise self.outcome
        if self.outcome is None:
            await asyncio.Event().wait()
        owner.verified(REQUEST, self.outcome)
        return Connection()


def verified(outcome: Verified | Exception | None, times: int = 1, timeout: float = 30) -> list[Verified]:
    heard: list[Verified] = []

    async def run() -> None:
        tasks: list[asyncio.Future[None]] = []

        def start(work: Coroutine[Any, Any, None]) -> asyncio.Future[None]:
            tasks.append(asyncio.ensure_future(work))
            return tasks[-1]

        verifier = Verifier(timeout, start, lambda: 0.0)
        verifier.connect(Dialer(outcome))  # type: ignore[arg-type]
        for _ in range(times):
            verifier.verify(REQUEST, heard.append)
        await asyncio.gather(*tasks)
        verifier.connect(Dialer(VALID))  # type: ignore[arg-type]
        verifier.verify(REQUEST, heard.append)  # there is room again
        await tasks[-1]
        assert heard.pop() == VALID

    asyncio.run(run())
    return heard


@pytest.mark.parametrize(
    ("outcome", "condition"),
    [
        (UnreachableError("down"), "remote-connection-failed"),
        (UnreachableError("nowhere", is_not_found=True), "remote-server-not-found"),
        (Verified(Outcome.ERROR, "item-not-found"), "remote-server-not-found"),
        (RuntimeError("a bug"), "internal-server-error"),
        (None, "remote-server-timeout"),
    ],
)
def test_xep0220_2_5_what_went_wrong_is_told(outcome: Verified | Exception | None, condition: str):
    (told,) = verified(outcome, timeout=0.02)
    assert (told.outcome, told.condition) == (Outcome.ERROR, condition)


def test_so_many_keys_of_a_domain_at_a_time():
    heard = verified(VALID, PER_DOMAIN + 2)
    conditions = [told.condition for told in heard]
    assert sorted(conditions) == [""] * PER_DOMAIN + ["resource-constraint"] * 2
