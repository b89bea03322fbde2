"""What a run cannot judge is not shown as if it were well."""

from crash.__main__ import options_of, parser
from crash.abilities import Abilities
from crash.ledger import Key
from crash.plan import Fault
from crash.run import Options, Outcome
from crash.table import as_text
from crash.verdict import Verdict


def test_without_stream_management_nothing_is_said_about_losses():
    text = as_text("ours", Outcome(Abilities(False, False), Verdict(sent=5)))
    assert "It has no XEP-0198" in text
    assert "It has no XEP-0313" in text
    [lost] = [line for line in text.splitlines() if "lost:" in line]
    assert lost.endswith("–")


def test_losses_are_counted_and_named():
    verdict = Verdict(sent=9, acknowledged=8)
    verdict.note("lost", [Key(0, 2), Key(0, 1)])
    text = as_text(
        "theirs",
        Outcome(
            Abilities(True, True), verdict, faults={Fault.KILLED: 3}, starts=[0.5, 0.25, 2.0], seconds=7.0
        ),
    )
    assert text.splitlines()[0] == "theirs: 7 s; 3 × killed"
    assert "lost: message-0-1, message-0-2" in text
    assert "0.50 / 2.00 s" in text


def test_the_short_run_can_be_changed_in_part():
    assert options_of(parser().parse_args([])) == Options()
    short = options_of(parser().parse_args(["--short", "--kills", "3", "--seed", "9", "--unmanaged"]))
    assert (short.kills, short.pairs, short.seed, short.managed) == (3, 8, 9, False)
