"""The words of full-text search (XEP-0431)."""

import pytest

from commonroom.storage.words import LONGEST_WORD, MOST_ASKED, MOST_WORDS, asked, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        (" \t\n.,;!?*\"'()^:-+{}", ()),
        ("Hello, hello WORLD", ("hello", "world")),
        ("snake_case", ("snake", "case")),
        ("it's 10:30", ("it", "s", "10", "30")),
        ("Straße", ("strasse",)),
        ("Crème brûlée", ("creme", "brulee")),
        ("Cre\u0300me", ("creme",)),
        ("\uff26\uff35\uff2c\uff2c width", ("full", "width")),
        ("Привет мир", ("привет", "мир")),
        ("東京 tower", ("東", "京", "tower")),
        ("안녕 세상", words("안녕") + words("세상")),
        ("rose\U0001f339rose2", ("rose", "rose2")),
        ("NEAR AND OR NOT", ("near", "and", "or", "not")),
    ],
)
def test_words_are_runs_of_letters_and_digits_without_case_and_accents(
    text: str, expected: tuple[str, ...]
) -> None:
    assert words(text) == expected


def test_long_words_are_cut_and_of_long_texts_the_beginning_counts() -> None:
    assert words("a" * 1000) == ("a" * LONGEST_WORD,)
    assert len(words(" ".join(map(str, range(MOST_WORDS + 10))))) == MOST_WORDS
    assert len(asked(" ".join(map(str, range(100))))) == MOST_ASKED
