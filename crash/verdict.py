"""What a ledger says about the server: what it lost, showed twice, kept twice, put out of order."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from crash.ledger import ArchiveRow, Key, Ledger, Record, Showing, partner

# A server that lived on for so long after an acknowledgement had the time to take note of it, in seconds.
NOTED_AFTER = 0.5
# Without 0198: a stream that lived on for so long had brought what was written to it.
BROUGHT_AFTER = 5.0


@dataclass(slots=True)
class Verdict:
    """Numbers of messages; `keys` has those with a fault, by the names of the fields."""

    sent: int = 0
    acknowledged: int = 0  # to their senders, by <a/>, and not refused by an error
    refused: int = 0
    unanswered: int = 0  # stanzas that lack an acknowledgement although the server had all the time for it
    lost: int = 0  # acknowledged; its recipient never saw it, and has it in no archive
    absent: int = 0  # acknowledged; missing in the archive of one of the two
    archive_only: int = 0  # acknowledged; in the archive, where its recipient had no reason to look
    shown_twice: int = 0  # shown on a stream more than once
    needless: int = (
        0  # of these: the server could have known, or the client could not tell that it was a copy
    )
    archived_twice: int = 0
    out_of_order: int = 0  # first shown after a later one of the same sender
    archived_out_of_order: int = 0
    vanished: int = 0  # never acknowledged, never seen: nothing was promised
    strangers: int = 0  # nobody sent them
    keys: dict[str, list[Key]] = field(default_factory=dict)

    @property
    def is_loss(self) -> bool:
        """Whether something acknowledged is gone."""
        return bool(self.lost or self.absent)

    @property
    def is_flawless(self) -> bool:
        """Nothing lost, nothing to be searched for, nothing twice, nothing out of order."""
        wrong = (
            self.unanswered,
            self.archive_only,
            self.needless,
            self.archived_twice,
            self.out_of_order,
            self.strangers,
        )
        return not self.is_loss and not any(wrong) and not self.archived_out_of_order

    def note(self, fault: str, keys: Iterable[Key]) -> None:
        """Count messages with a fault, one of the fields."""
        found = sorted(keys)
        setattr(self, fault, len(found))
        if found:
            self.keys[fault] = found


def judge(ledger: Ledger, has_archive: bool, unanswered: int = 0) -> Verdict:
    """Judge a run that is over and has come to rest."""
    verdict = Verdict(sent=len(ledger.records), strangers=ledger.strangers, unanswered=unanswered)
    promised = {
        key: record for key, record in ledger.records.items() if record.acknowledged and not record.refused
    }
    verdict.acknowledged = len(promised)
    verdict.refused = sum(record.refused for record in ledger.records.values())
    _judge_delivery(verdict, ledger, promised)
    if has_archive:
        _judge_archives(verdict, ledger, promised)
    return verdict


def _judge_delivery(verdict: Verdict, ledger: Ledger, promised: dict[Key, Record]) -> None:
    held = {account: {row.key for row in rows} for account, rows in ledger.archives.items()}
    unseen = {key for key, record in ledger.records.items() if not record.reached}
    archived = {key for key in unseen if key in held.get(key.recipient, ())}
    verdict.note("lost", (unseen - archived) & promised.keys())
    verdict.note("archive_only", archived & promised.keys())
    verdict.note("vanished", (unseen - archived) - promised.keys() - _refused(ledger))
    verdict.note("shown_twice", (key for key, record in ledger.records.items() if len(record.showings) > 1))
    verdict.note("needless", (key for key, record in ledger.records.items() if _has_needless(ledger, record)))
    # What was refused, and comes after all, was sent once more behind the others.
    refused = _refused(ledger)
    orders = ([key for key in order if key not in refused] for order in ledger.orders.values())
    verdict.note("out_of_order", (key for order in orders for key in late(order)))


def _judge_archives(verdict: Verdict, ledger: Ledger, promised: dict[Key, Record]) -> None:
    counts = {account: Counter(row.key for row in rows) for account, rows in ledger.archives.items()}
    none: Counter[Key] = Counter()
    owners = [(key, counts.get(owner, none)) for key in promised for owner in (key.sender, key.recipient)]
    verdict.note("absent", {key for key, rows in owners if not rows[key]})
    verdict.note(
        "archived_twice", {key for rows in counts.values() for key, count in rows.items() if count > 1}
    )
    verdict.note(
        "archived_out_of_order",
        {key for owner, rows in ledger.archives.items() for key in _late_rows(owner, rows)}
        - _refused(ledger),
    )


def _late_rows(owner: int, rows: Iterable[ArchiveRow]) -> Iterator[Key]:
    """Both directions are in one archive; each is in order by itself."""
    firsts = dict.fromkeys(row.key for row in rows)
    for sender in (owner, partner(owner)):
        yield from late(key for key in firsts if key.sender == sender)


def late(order: Iterable[Key]) -> Iterator[Key]:
    """Those that come after a later one of the same sender."""
    latest: dict[int, int] = {}
    for key in order:
        if key.number < latest.get(key.sender, 0):
            yield key
        else:
            latest[key.sender] = key.number


def _has_needless(ledger: Ledger, record: Record) -> bool:
    copies = enumerate(record.showings)
    return any(_is_needless(ledger, record.showings[:number], copy) for number, copy in copies if number)


def _is_needless(ledger: Ledger, earlier: Sequence[Showing], copy: Showing) -> bool:
    """A copy in the same session; under a new archive id; or after the server knew that there was one."""
    return (
        all(copy.archive_id != showing.archive_id for showing in earlier)
        or any(copy.session == showing.session for showing in earlier)
        or any(_is_known(ledger, showing) for showing in earlier)
    )


def _is_known(ledger: Ledger, showing: Showing) -> bool:
    session = ledger.sessions[showing.session]
    if showing.acknowledged_at is None or session.ended_at is None:
        return False
    enough = NOTED_AFTER if session.managed else BROUGHT_AFTER
    return ledger.untroubled(showing.acknowledged_at, session.ended_at) > enough


def _refused(ledger: Ledger) -> set[Key]:
    return {key for key, record in ledger.records.items() if record.refused}
