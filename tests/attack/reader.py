"""Reads what the server sends, and shares nothing with how the server reads: prefixes are resolved here."""

from collections.abc import Mapping
from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

XML = "http://www.w3.org/XML/1998/namespace"


class Unreadable(AssertionError):  # noqa: N818 - it says what the bytes are
    """The server wrote what is not XML as streams have it."""


class Reader:
    """One stream's bytes in, its elements out, named `{namespace}name`."""

    def __init__(self) -> None:
        self.header: Element | None = None
        self._done: list[Element] = []
        self._scopes: list[Mapping[str, str]] = [{"xml": XML}]
        self._builder = TreeBuilder()
        self._parser = parser = expat.ParserCreate("UTF-8")  # which knows of no namespaces
        parser.ordered_attributes = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.CommentHandler = parser.ProcessingInstructionHandler = self._restricted
        parser.StartDoctypeDeclHandler = self._restricted

    def feed(self, data: bytes) -> list[Element]:
        """The elements that are complete now; raises Unreadable."""
        try:
            self._parser.Parse(data, False)
        except expat.ExpatError as error:
            raise Unreadable(f"{error}: …{data[-500:]!r}") from None
        done, self._done = self._done, []
        return done

    def _start(self, name: str, attributes: list[str]) -> None:
        scope = dict(self._scopes[-1])
        pairs = list(zip(attributes[::2], attributes[1::2], strict=True))
        for key, value in pairs:
            if key == "xmlns":
                scope[""] = value
            elif key.startswith("xmlns:"):
                if not value:
                    raise Unreadable(f"{key} undeclares a prefix")
                scope[key[6:]] = value
        self._scopes.append(scope)
        named = {_name(k, scope, ""): v for k, v in pairs if k != "xmlns" and not k.startswith("xmlns:")}
        element = self._builder.start(_name(name, scope, scope.get("", "")), named)
        if len(self._scopes) == 2:
            self.header = element
            self._builder = TreeBuilder()

    def _end(self, name: str) -> None:
        scope = self._scopes.pop()
        if len(self._scopes) > 1:
            self._builder.end(_name(name, scope, scope.get("", "")))
        if len(self._scopes) == 2:
            self._done.append(self._builder.close())
            self._builder = TreeBuilder()

    def _text(self, text: str) -> None:
        if len(self._scopes) > 2:
            self._builder.data(text)
        elif text.strip():
            raise Unreadable(f"text between stanzas: {text!r}")

    def _restricted(self, *_: object) -> NoReturn:
        raise Unreadable("a comment, an instruction or a document type")


def read(text: str) -> Element:
    """One stanza as a client writes it, for comparison."""
    (element,) = Reader().feed(f"<stream xmlns='jabber:client'>{text}".encode())
    return element


def tree(element: Element) -> tuple[object, ...]:
    """All there is to an element, comparable."""
    children = tuple((tree(child), child.tail or "") for child in element)
    return element.tag, tuple(sorted(element.attrib.items())), element.text or "", children


def content(element: Element) -> tuple[object, ...]:
    """All there is in an element: a stanza without its attributes."""
    return tree(element)[2:]


def _name(qualified: str, scope: Mapping[str, str], default: str) -> str:
    prefix, colon, local = qualified.rpartition(":")
    if not colon:
        namespace = default
    elif prefix in scope:
        namespace = scope[prefix]
    else:
        raise Unreadable(f"the prefix of {qualified} is not declared")
    return f"{{{namespace}}}{local}" if namespace else local
