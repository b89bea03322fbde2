"""What a room lost, kept twice, put out of order, or showed and forgot."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from crash.hall import Hall
from crash.ledger import Key
from crash.verdict import late


@dataclass(slots=True)
class HallVerdict:
    """Numbers of messages, and of people on the lists; `keys` has those with a fault."""

    sent: int = 0
    acknowledged: int = 0  # to their senders, by <a/>, and not refused by an error
    refused: int = 0
    absent: int = 0  # acknowledged, and not in the archive
    forgotten: int = 0  # somebody was shown them, and they are not in the archive
    archived_twice: int = 0
    archived_out_of_order: int = 0  # behind a later one of the same sender
    strangers: int = 0  # nobody sent them
    listed: int = 0  # affiliations that were acknowledged
    unlisted: int = 0  # people of whom what was acknowledged is gone
    keys: dict[str, list[str]] = field(default_factory=dict)

    @property
    def is_loss(self) -> bool:
        """Whether something acknowledged is gone."""
        return bool(self.absent or self.unlisted)

    @property
    def is_flawless(self) -> bool:
        """Nothing lost, forgotten, twice, or out of order."""
        wrong = (self.forgotten, self.archived_twice, self.archived_out_of_order, self.strangers)
        return not self.is_loss and not any(wrong)

    def note(self, fault: str, names: Iterable[str]) -> None:
        """Count what has a fault, one of the fields."""
        found = sorted(names)
        setattr(self, fault, len(found))
        if found:
            self.keys[fault] = found


def judge_hall(hall: Hall) -> HallVerdict:
    """Judge a room after a run that came to rest, when its archive and its lists were read."""
    records = hall.ledger.records
    rows = Counter(row.key for row in hall.rows)
    promised = {key for key, record in records.items() if record.acknowledged and not record.refused}
    verdict = HallVerdict(len(records), len(promised), listed=hall.lists.acknowledged)
    verdict.refused = sum(record.refused for record in records.values())
    verdict.strangers = hall.ledger.strangers + len(rows.keys() - records.keys())
    shown = {key for key, record in records.items() if record.showings}
    verdict.note("absent", _texts(promised - rows.keys()))
    verdict.note("forgotten", _texts(shown - rows.keys()))
    verdict.note("archived_twice", _texts(key for key, count in rows.items() if count > 1))
    verdict.note("archived_out_of_order", _texts(late(rows)))
    verdict.note("unlisted", hall.lists.missing(hall.found))
    return verdict


def _texts(keys: Iterable[Key]) -> list[str]:
    return [key.text for key in keys]
