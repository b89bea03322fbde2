"""What operators see of other servers, and what they can do: for `commonroom s2s`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from commonroom.federation.failures import Failure, Failures
from commonroom.federation.outgoing import Outgoing
from commonroom.net.peer import PeerConnection, PeerService
from commonroom.protocol.errors import StreamCondition, StreamError


@dataclass(frozen=True, slots=True)
class PeerStream:
    """A connection with another server, as it is now. `direction` says who opened it."""

    ours: str
    theirs: str
    direction: str
    address: str
    tls: str
    sent: int
    received: int
    seconds: int  # since it began
    silent: int  # seconds since the last stanza


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits for a domain."""

    ours: str
    theirs: str
    stanzas: int
    is_dialing: bool


class Overview:
    """Handed to whoever shows it."""

    def __init__(
        self, peers: PeerService, outgoing: Outgoing, failures: Failures, clock: Callable[[], float]
    ) -> None:
        self._peers = peers
        self._outgoing = outgoing
        self._failures = failures
        self._clock = clock

    def streams(self, domain: str | None = None) -> tuple[PeerStream, ...]:
        """All, or those with one domain; by their names."""
        found = [self._stream(each, "out") for each in self._peers.outgoing]
        found += [self._stream(each, "in") for each in self._peers.incoming if each.speaks_for]
        wanted = (each for each in found if domain in (None, *each.theirs.split()))
        return tuple(sorted(wanted, key=lambda each: (each.theirs, each.direction, each.ours)))

    def queues(self) -> tuple[Queue, ...]:
        """Where something waits, also for another try, or a way is looked for."""
        found = [
            Queue(link.pair.sender, link.pair.to, len(link.queue or ()), link.is_dialing)
            for link in self._outgoing.links()
            if link.queue or link.is_dialing
        ]
        found += [Queue(*pair, count, False) for pair, count in self._outgoing.postponed().items()]
        return tuple(found)

    def failures(self) -> tuple[Failure, ...]:
        """What went wrong lately, the latest first."""
        return tuple(self._failures.latest())

    def counts(self) -> Mapping[tuple[str, str], int]:
        """How often something went wrong since the start, by direction and kind of reason: a fixed list."""
        return self._failures.counts

    def close(self, domain: str) -> int:
        """End every connection with a domain; how many there were. New ones may begin at once."""
        error = StreamError(StreamCondition.RESET, "closed by an administrator")
        ended = [each for each in (*self._peers.outgoing, *self._peers.incoming) if domain in each.speaks_for]
        for connection in ended:
            connection.end(error)
        return len(ended)

    def _stream(self, connection: PeerConnection, direction: str) -> PeerStream:
        facts = connection.facts()
        return PeerStream(
            " ".join(connection.ours),
            " ".join(connection.speaks_for),
            direction,
            facts.address,
            facts.tls,
            facts.sent,
            facts.received,
            int(self._clock() - facts.began),
            int(self._clock() - facts.used),
        )
