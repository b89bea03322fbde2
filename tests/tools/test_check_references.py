"""The check of section numbers: what it finds in a text, and what it says."""

import pytest

from tools.check_references import citations, wrong_in
from tools.sections import Specification

KNOWN = {
    "RFC 6121": Specification("RFC 6121", "IM", "", ("8", "8.5", "8.5.2", "8.5.3", "A", "A.2")),
    "XEP-0280": Specification("XEP-0280", "Message Carbons", "1.0.1", ("6", "6.1", "7")),
}


def marked(text: str) -> str:
    """The text with real section signs; this file itself is checked too, and must not hold wrong ones."""
    return text.replace("@", "\N{SECTION SIGN}")


def found(text: str) -> list[tuple[str, str]]:
    return [(citation.specification, citation.section) for citation in citations(marked(text))]


def messages(text: str) -> list[tuple[int, str]]:
    return list(wrong_in(marked(text), KNOWN))


def test_a_section_that_is_not_there_is_reported_with_its_line_and_what_is_there():
    assert messages("one\ntwo (RFC 6121 @8.5.9)") == [
        (2, marked("RFC 6121 has no @8.5.9. There is @8.5 with @8.5.2, @8.5.3."))
    ]


def test_a_chapter_that_is_not_there_is_answered_with_the_chapters():
    assert messages("XEP-0280 @9") == [(1, marked("XEP-0280 has no @9. There is @6, @7."))]


def test_a_text_we_do_not_have_is_reported():
    [(line, message)] = messages("RFC 9998 @2")
    assert (line, message) == (
        1,
        marked("RFC 9998 @2: that text is not among ours; cite RFC 9998 without a section."),
    )


def test_a_section_without_a_specification_is_reported():
    assert messages("see @7") == [(1, marked("@7 of which specification? Write its name before it."))]


def test_a_test_name_with_a_wrong_section_is_reported():
    assert messages("def test_" + "rfc6121_8_5_4_a_message_is_lost(): ...")[0][0] == 1


def test_what_is_right_is_not_reported():
    assert messages("RFC 6121 @8.5.2, @8.5.3; XEP-0280 @6.1. RFC 6121 Appendix A.2") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("RFC 6121 @8.5.2.1.1, @8.5.3.1.", [("RFC 6121", "8.5.2.1.1"), ("RFC 6121", "8.5.3.1")]),
        ("XEP-0045 @7.2.8 and @7.2.9)", [("XEP-0045", "7.2.8"), ("XEP-0045", "7.2.9")]),
        ("RFC 6121 @A.2.1 or Appendix B", [("RFC 6121", "A.2.1"), ("RFC 6121", "B")]),
        ("RFC 6120 @@4.1–4.3", [("RFC 6120", "4.1"), ("RFC 6120", "4.3")]),
        ("RFC 6120 section 4.9, RFC 6121 @2", [("RFC 6120", "4.9"), ("RFC 6121", "2")]),
        ("# as RFC 6120\n    # @4.9 says", [("RFC 6120", "4.9")]),
        ("RFC 6121 says nothing", []),
    ],
)
def test_forms_of_a_reference(text: str, expected: list[tuple[str, str]]):
    assert found(text) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rfc6121_8_5_3_2_1_chat_is_bare", [("RFC 6121", "8.5.3.2.1")]),
        ("rfc6121_a_2_1_subscribe", [("RFC 6121", "A.2.1")]),
        ("xep0198_5_resuming", [("XEP-0198", "5")]),
        ("xep0198_a_message_is_resent", []),
    ],
)
def test_names_of_tests_are_references(name: str, expected: list[tuple[str, str]]):
    assert found(f"def test_{name}(): ...") == expected


def test_a_lone_section_belongs_to_the_specification_of_the_first_line():
    assert found('"""XEP-0280: Message Carbons."""\n\n# private (@6.1)') == [("XEP-0280", "6.1")]
