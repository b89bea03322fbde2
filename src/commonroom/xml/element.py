"""The tree that stanzas are made of. It keeps namespaces, not prefixes (RFC 6120 §11.2)."""

from typing import overload

from commonroom.xml.serializer import serialize


class Element:
    """An XML element. Equal are those whose XML means the same.

    The key of an attribute is its name, `xml:lang` in the XML namespace, `{namespace}name` in another one.
    The parser makes no empty text and no two texts side by side.
    """

    __slots__ = ("attributes", "children", "name", "namespace")

    def __init__(
        self,
        namespace: str,
        name: str,
        attributes: dict[str, str] | None = None,
        *children: "Element | str",
    ) -> None:
        self.namespace = namespace
        self.name = name
        self.attributes = {} if attributes is None else attributes
        self.children = list(children)

    @overload
    def get(self, name: str) -> str | None: ...
    @overload
    def get(self, name: str, default: str) -> str: ...
    def get(self, name: str, default: str | None = None) -> str | None:
        """The attribute's value."""
        return self.attributes.get(name, default)

    def child(self, namespace: str, name: str) -> "Element | None":
        """The first child element of that name."""
        for child in self.children:
            if not isinstance(child, str) and child.name == name and child.namespace == namespace:
                return child
        return None

    def elements(self) -> "list[Element]":
        """The child elements, without the text between them."""
        return [child for child in self.children if not isinstance(child, str)]

    def only_child(self) -> "Element | None":
        """The child element, if there is exactly one."""
        elements = self.elements()
        return elements[0] if len(elements) == 1 else None

    def text(self) -> str:
        """The text directly in this element."""
        return "".join([child for child in self.children if isinstance(child, str)])

    def child_text(self, namespace: str, name: str) -> str | None:
        """The text in the first child element of that name; None if there is no such child."""
        child = self.child(namespace, name)
        return None if child is None else child.text()

    def append(self, *children: "Element | str") -> "Element":
        """Add children at the end; returns this element."""
        self.children.extend(children)
        return self

    def join_texts(self) -> None:
        """Make one of the texts that stand side by side, here and below. Recursive: see Limits.depth."""
        self.children = _joined(self.children)
        for child in self.children:
            if not isinstance(child, str):
                child.join_texts()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Element):
            return NotImplemented
        return (
            self.name == other.name
            and self.namespace == other.namespace
            and self.attributes == other.attributes
            and _joined(self.children) == _joined(other.children)
        )

    __hash__ = None  # type: ignore[assignment]  # it can change

    def __repr__(self) -> str:
        return serialize(self, "")


def _joined(children: list[Element | str]) -> list[Element | str]:
    """The same without an empty text and without two texts side by side."""
    result: list[Element | str] = []
    texts: list[str] = []
    for child in [*children, None]:
        if isinstance(child, str):
            texts.append(child)
            continue
        if text := "".join(texts):
            result.append(text)
        texts.clear()
        if child is not None:
            result.append(child)
    return result
