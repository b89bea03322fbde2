"""What the code says of itself, and the two files made from it."""

from xml.etree import ElementTree

from tools.make_specs import Mark, doap, gather, marks_in, page
from tools.sections import Specification

KNOWN = {
    "RFC 6121": Specification("RFC 6121", "Instant Messaging", "", ()),
    "XEP-0082": Specification("XEP-0082", "Dates", "1.1.1", ()),
    "XEP-0280": Specification("XEP-0280", "Message Carbons", "1.0.1", ()),
}
CARBONS = Mark("XEP-0280", "1.0.1", "src/commonroom/features/carbons.py")
DATES = Mark("XEP-0082", "", "src/commonroom/protocol/dates.py")
CHAT = Mark("RFC 6121", "", "src/commonroom/core/message.py")


def test_a_version_that_the_text_does_not_have_is_reported():
    _, wrong = gather([CARBONS._replace(version="2.0")], KNOWN)
    assert len(wrong) == 1
    assert wrong[0].startswith(
        "src/commonroom/features/carbons.py: XEP-0280 says version 2.0, its text says 1.0.1."
    )


def test_a_specification_that_nobody_knows_is_reported():
    _, wrong = gather([Mark("XEP-9999", "", "a.py")], KNOWN)
    assert wrong == ["a.py: XEP-9999 is not in tools/sections.json: no text of it was there."]


def test_a_feature_class_is_a_mark():
    source = 'class Carbons(Feature):\n    xep = Xep("0280", "1.0.1")\n    rfc = "6121"\n'
    assert list(marks_in(source, "a.py")) == [Mark("XEP-0280", "1.0.1", "a.py"), Mark("RFC 6121", "", "a.py")]


def test_a_first_line_is_a_mark_for_each_name_before_its_colon():
    source = '"""RFC 6120 and RFC 6121: as XEP-0280 does."""'
    assert [mark.specification for mark in marks_in(source, "a.py")] == ["RFC 6120", "RFC 6121"]


def test_a_first_line_may_carry_the_version():
    assert list(marks_in('"""XEP-0082: Dates, version 1.1.1."""', "a.py")) == [
        Mark("XEP-0082", "1.1.1", "a.py")
    ]


def test_a_first_line_that_only_mentions_one_is_no_mark():
    assert list(marks_in('"""What XEP-0280 needs: nothing."""', "a.py")) == []


def test_the_page_lists_them_by_number_with_version_and_place():
    rows = [line for line in page(gather([CARBONS, DATES], KNOWN)[0]).splitlines() if "XEP-0" in line]
    assert "| *in part* | [protocol/dates.py](../src/commonroom/protocol/dates.py) |" in rows[0]
    assert "| Message Carbons | 1.0.1 | [features/carbons.py]" in rows[1]


def test_xep0453_4_2_an_extension_has_its_status_and_version():
    rdf = ElementTree.fromstring(
        doap(gather([CARBONS, DATES, CHAT], KNOWN)[0], {"description": "&", "license": "X"})
    )
    space = {"xmpp": "https://linkmauve.fr/ns/xmpp-doap#"}
    found = [[part.text for part in xep[1:]] for xep in rdf.iterfind(".//xmpp:SupportedXep", space)]
    assert found == [["partial"], ["complete", "1.0.1"]]
