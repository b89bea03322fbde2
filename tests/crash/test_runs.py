"""Short runs of the crash test itself, against ours."""

import pytest

from commonroom.xml.element import Element
from crash.ledger import Key
from crash.plan import Fault
from crash.run import Options, Outcome, run
from crash.servers.commonroom import CommonRoom, CommonRoomOnPostgres
from crash.servers.federated import Federated
from crash.servers.server import Server
from crash.table import as_text

# What our server does not announce cannot be judged, and the run says so; the rest is judged in any case.
pytestmark = pytest.mark.timeout(180)
SWALLOWED = Key(0, 1)


def played(kind: type[Server], options: Options) -> Outcome:
    outcome = run(kind, options, print)
    print(as_text(kind.__name__, outcome))
    return outcome


def swallow(_account: int, element: Element) -> bool:
    """Lose one message, and every trace of it in archives."""
    return element.name == "message" and f"{SWALLOWED.text}<" in repr(element)


def test_a_message_that_is_swallowed_on_its_way_is_found():
    outcome = played(CommonRoom, Options(kills=4, pairs=2, tamper=swallow))
    verdict = outcome.verdict
    assert SWALLOWED in outcome.ledger.records
    assert SWALLOWED in verdict.keys["lost" if outcome.abilities.manages else "vanished"]
    assert verdict.is_loss == outcome.abilities.manages


@pytest.mark.parametrize(
    ("kind", "seed", "hardship"),
    # With these seeds the server dies at every point of the commit and lives through its hardship.
    [(CommonRoom, 115, Fault.DISK_FULL), (CommonRoomOnPostgres, 3, Fault.DATABASE_KILLED)],
)
def test_nothing_acknowledged_is_lost(kind, seed, hardship):
    outcome = played(kind, Options(kills=4, pairs=4, seed=seed))
    verdict = outcome.verdict
    assert verdict.sent > 50
    assert bool(verdict.acknowledged) == outcome.abilities.manages
    assert outcome.faults[hardship] == 1
    assert not verdict.is_loss
    assert (verdict.unanswered, verdict.strangers) == (0, 0)
    hall = outcome.hall
    assert hall is not None
    assert bool(hall.acknowledged) == outcome.abilities.manages
    assert (
        hall.listed or hardship is Fault.DATABASE_KILLED
    )  # what that takes of a short run depends on the machine
    # In a room also what is only shown must be there, and once: who says it again is known by the archive.
    assert hall.keys == {}
    # Twice it may come, where docs/decisions/0014-duplicates.md says so: that depends on the moment.
    assert (verdict.out_of_order, verdict.archived_out_of_order) == (0, 0)


def test_nothing_acknowledged_is_lost_between_two_servers():
    """With this seed each of them dies alone, and both together."""
    outcome = played(Federated, Options(kills=4, pairs=4, seed=2))
    verdict = outcome.verdict
    assert verdict.sent > 50
    assert verdict.acknowledged
    assert not verdict.is_loss
    assert (verdict.unanswered, verdict.strangers) == (0, 0)
    assert (verdict.out_of_order, verdict.archived_out_of_order, verdict.archived_twice) == (0, 0, 0)
