"""An outcome as a table for people."""

from collections.abc import Iterator
from statistics import median

from crash.run import Outcome
from crash.verdict import Verdict

ROWS = (
    ("sent", "sent"),
    ("acknowledged", "acknowledged to the sender"),
    ("refused", "refused by an error"),
    ("unanswered", "stanzas that were still without an answer at the end"),
    ("lost", "  lost: acknowledged, and gone"),
    ("absent", "  acknowledged, and missing in an archive"),
    ("archive_only", "  acknowledged, and only found by searching the whole archive"),
    ("shown_twice", "shown to the recipient more than once"),
    ("needless", "  of these, needlessly"),
    ("archived_twice", "more than once in an archive"),
    ("out_of_order", "out of order"),
    ("archived_out_of_order", "out of order in an archive"),
    ("vanished", "never acknowledged, never seen"),
    ("strangers", "seen, but sent by nobody"),
)
HALL_ROWS = (
    ("sent", "sent to the room"),
    ("acknowledged", "acknowledged to the sender"),
    ("refused", "refused by an error"),
    ("absent", "  acknowledged, and missing in the room's archive"),
    ("forgotten", "  shown to somebody, and missing in the room's archive"),
    ("archived_twice", "more than once in the room's archive"),
    ("archived_out_of_order", "out of order in the room's archive"),
    ("strangers", "seen in the room, but sent by nobody"),
    ("listed", "affiliations that were acknowledged"),
    ("unlisted", "  of these, gone"),
)
EXAMPLES = 8
ABOUT_ARCHIVES = {"absent", "archive_only", "archived_twice", "archived_out_of_order"}
ABOUT_MANAGEMENT = {"unanswered", "acknowledged", "lost", "absent", "archive_only"}


def as_text(name: str, outcome: Outcome) -> str:
    """The whole report."""
    return "\n".join(_lines(name, outcome))


def _lines(name: str, outcome: Outcome) -> Iterator[str]:
    faults = ", ".join(f"{count} × {fault.value}" for fault, count in outcome.faults.items())
    yield f"{name}: {outcome.seconds:.0f} s; {faults or 'nothing happened'}"
    for missing in outcome.abilities.missing:
        yield f"It has {missing}."
    for field, words in ROWS:
        yield f"{words:<62}{_number(field, outcome):>9}"
    if outcome.hall:
        for field, words in HALL_ROWS:
            yield f"{words:<62}{getattr(outcome.hall, field):>9}"
    if outcome.starts:
        starts = f"{median(outcome.starts):.2f} / {max(outcome.starts):.2f} s"
        yield f"{'serves again after a start, median / longest':<54}{starts:>17}"
    yield from _examples(outcome.verdict)
    for fault, names in outcome.hall.keys.items() if outcome.hall else ():
        yield f"in the room, {fault}: {', '.join(names[:EXAMPLES])}"


def histories(outcome: Outcome) -> Iterator[str]:
    """All that is known of the first few messages of each fault, for whoever looks for its cause."""
    records, sessions = outcome.ledger.records, outcome.ledger.sessions
    for fault, keys in outcome.verdict.keys.items():
        for key in keys[:EXAMPLES]:
            yield f"{fault}: {key.text}: {records[key]}"
            for showing in records[key].showings:
                yield f"    {showing.session}: {sessions[showing.session]}"
            for owner in (key.sender, key.recipient):
                ids = [row.archive_id for row in outcome.ledger.archives.get(owner, ()) if row.key == key]
                yield f"    in the archive of u{owner}: {', '.join(ids) or 'no'}"


def _number(field: str, outcome: Outcome) -> str:
    if field in ABOUT_ARCHIVES and not outcome.abilities.archives:
        return "–"
    if field in ABOUT_MANAGEMENT and not outcome.abilities.manages:
        return "–"
    return str(getattr(outcome.verdict, field))


def _examples(verdict: Verdict) -> Iterator[str]:
    for fault in (
        "lost",
        "absent",
        "archive_only",
        "needless",
        "archived_twice",
        "out_of_order",
        "archived_out_of_order",
    ):
        if keys := verdict.keys.get(fault):
            yield f"{fault}: {', '.join(key.text for key in keys[:EXAMPLES])}"
