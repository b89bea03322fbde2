"""XEP-0220 §2.1.2: asking the authoritative server whether a dialback key is its own."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from commonroom.federation.dialing import Dialer, UnreachableError
from commonroom.federation.journal import Journal
from commonroom.net.s2s import OutgoingConnection
from commonroom.protocol.dialback import Outcome, Pair, Verification, Verified

log = logging.getLogger(__name__)

# Whoever connects makes us connect to somebody: so many at a time, and to one domain.
AT_ONCE = 200
PER_DOMAIN = 10


class Verifier:
    """Asks each question over a connection of its own, which by the domain's policy has to prove who it is.

    So nothing that comes over a stream of the peer's can pass for the authoritative server's word.
    """

    def __init__(
        self,
        timeout: float,
        start: Callable[[Coroutine[Any, Any, Any]], Awaitable[Any]],
        clock: Callable[[], float],
    ) -> None:
        self._timeout = timeout
        self._start = start
        self._clock = clock
        self._asked: Counter[str] = Counter()

    def connect(self, dialer: Dialer) -> None:
        """Give it what opens streams."""
        self._dialer = dialer

    def verify(self, request: Verification, answer: Callable[[Verified], None]) -> None:
        """Ask; `answer` is called once."""
        domain = request.pair.sender
        if self._asked.total() >= AT_ONCE or self._asked[domain] >= PER_DOMAIN:
            answer(Verified(Outcome.ERROR, "resource-constraint", "too many keys are being verified"))
            return
        self._asked[domain] += 1
        self._start(self._verify(request, answer))

    async def _verify(self, request: Verification, answer: Callable[[Verified], None]) -> None:
        domain = request.pair.sender
        asking = _Asking()
        try:
            async with asyncio.timeout(self._timeout):
                connection = await self._dialer.dial(
                    request.pair.reverse, asking, Journal(self._clock), (request,)
                )
            connection.end()
            verified = asking.verified_as or Verified(Outcome.ERROR, "remote-server-timeout", "no answer")
        except UnreachableError as error:
            condition = "remote-server-not-found" if error.is_not_found else "remote-connection-failed"
            verified = Verified(Outcome.ERROR, condition, f"{domain} cannot be asked: {error.reason}")
        except TimeoutError:
            text = f"{domain} did not answer within {self._timeout:g} seconds"
            verified = Verified(Outcome.ERROR, "remote-server-timeout", text)
        except Exception:
            log.exception("a dialback key was not verified", extra={"domain": domain})
            verified = Verified(Outcome.ERROR, "internal-server-error", "internal error")
        finally:
            self._asked[domain] -= 1
            if not self._asked[domain]:
                del self._asked[domain]
        if verified.outcome is Outcome.ERROR and verified.condition == "item-not-found":
            words = f"{domain} says that it is not served there"
            verified = Verified(Outcome.ERROR, "remote-server-not-found", words)  # XEP-0220 §2.5
        answer(verified)


class _Asking:
    """The owner of a connection that asks one question."""

    def __init__(self) -> None:
        self.verified_as: Verified | None = None

    def ready(self, connection: OutgoingConnection, pair: Pair) -> None:
        """Nothing is sent over it."""

    def refused(self, connection: OutgoingConnection, pair: Pair, reason: str, is_lasting: bool) -> None:
        """Nothing was asked to be sent."""

    def verified(self, request: Verification, verified: Verified) -> None:
        """The answer."""
        self.verified_as = verified

    def ended(self, connection: OutgoingConnection, reason: str) -> None:
        """The connection is gone."""
