"""How many of our functions one more occupant costs: of a message, of a change of status, and when it enters.

Times differ from machine to machine; this does not. Whoever makes it less writes the new number here.
"""

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import commonroom
from tests.features.muc.coven import HIDDEN, MUC, Coven

PACKAGE = str(Path(commonroom.__file__).parent)

# Without comprehensions, which are functions up to Python 3.11 and none since.
MESSAGE_BUDGET = 11
STATUS_BUDGET = 10
ENTERING_BUDGET = 22


def calls_of(work: Callable[[], object]) -> Counter[str]:
    calls: Counter[str] = Counter()

    def count(frame: FrameType, event: str, arg: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(PACKAGE) and code.co_name[0] != "<":
            calls[f"{Path(code.co_filename).name}:{code.co_name}"] += 1

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


def calls_among(count: int, xml: str, sender: str) -> Counter[str]:
    """What a stanza calls in a room of so many, with all that is told written out."""
    coven = Coven(HIDDEN)
    for number in range(count):
        coven.enter(f"u{number}@x/y", f"nick{number}")

    def work() -> None:
        for stanza in coven.send(sender, xml):
            stanza.xml()

    work()  # what is kept from now on is made now
    if sender != "u0@x/y":
        coven.hears(sender, "<presence type='unavailable' to='room/x'/>")
    return calls_of(work)


def cost_of_one_more(xml: str, sender: str = "u0@x/y") -> float:
    few, many = calls_among(10, xml, sender), calls_among(20, xml, sender)
    many.subtract(few)
    return many.total() / 10


def test_one_copy_of_a_message():
    assert cost_of_one_more("<message type='groupchat' id='m'><body>x</body></message>") <= MESSAGE_BUDGET


def test_one_copy_of_a_status():
    assert cost_of_one_more("<presence to='room/nick0'><show>xa</show></presence>") <= STATUS_BUDGET


def test_one_more_occupant_when_somebody_enters():
    xml = f"<presence to='room/late'><x xmlns='{MUC}'/></presence>"
    assert cost_of_one_more(xml, "late@x/y") <= ENTERING_BUDGET
