"""UTS #39: names that look alike have the same skeleton."""

import json
import unicodedata
from functools import lru_cache
from importlib import resources


def skeleton(name: str) -> str:
    """What an eye sees of a name, which is in small letters: two names of one skeleton look alike.

    Capital prototypes are made small: `0` stands for `O` there, and here there is only `o`.
    """
    return unicodedata.normalize("NFD", look(name).casefold())


def look(name: str) -> str:
    """What an eye sees of a name as it is written, in which capitals look otherwise than small letters."""
    table = _prototypes()
    decomposed = unicodedata.normalize("NFD", name)
    return unicodedata.normalize("NFD", "".join([table.get(char, char) for char in decomposed]))


@lru_cache(maxsize=1)
def _prototypes() -> dict[str, str]:
    """What each character is taken for; read when the first name is looked at (30 ms, 1 MiB).

    The data are those of Unicode's confusables.txt, turned into pairs: a character and its prototype are in
    both directions. So what is alike is a star: the prototype has all the others, and they have only it.
    """
    file = resources.files("confusable_homoglyphs").joinpath("confusables.json")
    pairs: dict[str, list[dict[str, str]]] = json.loads(file.read_text(encoding="utf-8"))
    found: dict[str, str] = {}
    for char, others in pairs.items():
        if len(char) == 1 and len(others) == 1:
            other = others[0]["c"]
            if len(pairs.get(other, ())) != 1 or _goes_before(other, char):
                found[char] = other
    return found


def _goes_before(one: str, other: str) -> bool:
    """Which of two that are alike stands for both: `rn` for `m`, else what Unicode had first."""
    return (-len(one), one) < (-len(other), other)
