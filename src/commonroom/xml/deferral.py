"""Makes expat look at what it has: a version that waits for more holds back stanzas that are complete.

Since 2.6 expat does not look at an unfinished token again before there is twice as much of it. That can
be turned off, and Python has a method for it; but Debian 12 has the change in an older expat, under a Python
that does not have the method. There the library is called: docs/decisions/0010-expat-that-waits.md.
"""

import ctypes
import pyexpat
from collections.abc import Callable
from xml.parsers import expat

# The first member of a parser object is expat's own parser, in every CPython that has one.
_OWN_PARSER = object.__basicsize__


def defers(attend: Callable[[expat.XMLParserType], None]) -> bool:
    """Whether a parser that was attended to so would still wait for more than the end of a tag."""
    parser = expat.ParserCreate()
    attend(parser)
    seen: list[str] = []
    parser.StartElementHandler = lambda name, attributes: seen.append(name)
    for piece in ("<a ", "b='", "'>"):
        parser.Parse(piece, False)
    return not seen


def _leave(parser: expat.XMLParserType) -> None:
    """This expat does not wait."""


def _by_method(parser: expat.XMLParserType) -> None:
    parser.SetReparseDeferralEnabled(False)


def _by_library() -> Callable[[expat.XMLParserType], None] | None:
    """The library that this Python's expat is, if it is one that can be called."""
    try:
        library = ctypes.CDLL(getattr(pyexpat, "__file__", None))  # None: it is part of the program
        library.XML_ExpatVersion.restype = ctypes.c_char_p
        if library.XML_ExpatVersion() != expat.EXPAT_VERSION.encode():
            return None  # another expat than the one that Python parses with
        switch = library.XML_SetReparseDeferralEnabled
    except (AttributeError, OSError):
        return None
    switch.argtypes = (ctypes.c_void_p, ctypes.c_ubyte)

    def by_library(parser: expat.XMLParserType) -> None:
        switch(ctypes.c_void_p.from_address(id(parser) + _OWN_PARSER), False)

    return by_library


def _way() -> Callable[[expat.XMLParserType], None]:
    if hasattr(expat.XMLParserType, "SetReparseDeferralEnabled"):
        return _by_method
    if not defers(_leave):
        return _leave
    by_library = _by_library()
    if by_library is None or defers(by_library):
        raise ImportError(f"{expat.EXPAT_VERSION} holds stanzas back, and cannot be told not to")
    return by_library


do_not_defer = _way()
