"""expat looks at what it has, whichever expat this Python brings."""

from xml.parsers import expat

import pytest

from commonroom.xml.deferral import defers, do_not_defer


def test_the_end_of_a_tag_is_enough():
    assert not defers(do_not_defer)


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_tag_in_two_pieces_is_seen_with_the_second(cut: int):
    parser = expat.ParserCreate()
    do_not_defer(parser)
    seen: list[str] = []
    parser.EndElementHandler = seen.append
    stanza = "<presence to='juliet@example.org' id='a1'/>"
    parser.Parse("<stream>", False)
    parser.Parse(stanza[:cut], False)
    parser.Parse(stanza[cut:], False)
    assert seen == ["presence"]
