"""The check of words; it does not read this file."""

import pytest

from tools.check_words import wrong_in


@pytest.mark.parametrize(
    "text",
    [
        "/root/.cache",
        "see /work/notes",
        "--index-url https://example.org",
        "https://pypi.org/project/idna",
        "# TODO: later",
    ],
)
def test_a_forbidden_word_is_reported_with_its_line(text: str):
    assert [line for line, _ in wrong_in(f"fine\n{text}\n")] == [2]


@pytest.mark.parametrize(
    "text", ["tools/work/x", "fanf2@cam.ac.uk/work", "~/work/", "method", "root@example.org"]
)
def test_what_only_looks_like_one_passes(text: str):
    assert list(wrong_in(text)) == []
