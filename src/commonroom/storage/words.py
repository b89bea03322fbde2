"""The words of a text, as full-text search knows them: the same for every database.

A word is a run of letters, marks and digits, without case and accents. Scripts that are written without
spaces have no such runs: each of their characters is a word.
"""

import re
import unicodedata

LONGEST_WORD = 40
"""What is longer is cut: no language needs it, and an index entry stays small."""

MOST_WORDS = 2000
"""Of one message: what stands behind them is not searched."""

MOST_ASKED = 20
"""Of one search: further words are not looked for."""

# Thai, Lao, Myanmar, Khmer; kana; ideographs; and no Hangul, which is written with spaces.
_ALONE = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_WORD = re.compile(f"[{_ALONE}]|[^\\W_{_ALONE}]+")


def words(text: str) -> tuple[str, ...]:
    """The different words of a text, in the order in which they first occur."""
    plain = text if text.isascii() else _without_marks(text)
    found = dict.fromkeys(word[:LONGEST_WORD] for word in _WORD.findall(plain.casefold()))
    return tuple(found)[:MOST_WORDS]


def asked(text: str) -> tuple[str, ...]:
    """The words of what somebody searches for."""
    return words(text)[:MOST_ASKED]


def _without_marks(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join([character for character in apart if unicodedata.category(character) != "Mn"])
