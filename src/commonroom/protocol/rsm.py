"""XEP-0059: Result Set Management, version 1.0."""

import re
from dataclasses import dataclass

from commonroom.protocol.errors import bad_request, feature_not_implemented
from commonroom.xml.element import Element

NS_RSM = "http://jabber.org/protocol/rsm"

_NUMBER = re.compile(r"[0-9]{1,9}")  # int() takes more: "1_0", other digits


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page somebody wants: `most` items behind the UID `after`, or the last ones before `before`.

    `before` is "" for the last page (XEP-0059 §2.5). `most` is None if it was not said.
    """

    most: int | None = None
    after: str | None = None
    before: str | None = None


FIRST_PAGE = PageRequest()


def read_page_request(set_element: Element | None) -> PageRequest:
    """What a request asks for; the first page, if it asks for none.

    Raises bad-request, and feature-not-implemented for a page by its index: to find one costs as much as to
    count all before it (XEP-0059 §2.6).
    """
    if set_element is None:
        return FIRST_PAGE
    if set_element.child(NS_RSM, "index") is not None:
        raise feature_not_implemented("pages have no index here; ask for what is after or before an item")
    most = set_element.child_text(NS_RSM, "max")
    if most is not None and _NUMBER.fullmatch(most.strip()) is None:
        raise bad_request("max is not a number")
    after = set_element.child_text(NS_RSM, "after")
    before = set_element.child_text(NS_RSM, "before")
    return PageRequest(None if most is None else int(most), after or None, before)


def page_description(
    first: str | None, last: str | None, index: int | None = None, count: int | None = None
) -> Element:
    """The <set/> that goes with a page (XEP-0059 §2.2); an empty page has neither `first` nor `last`.

    `index` is the position of the first item and `count` the number of all items, where they are known.
    """
    described = Element(NS_RSM, "set")
    if first is not None and last is not None:
        position = None if index is None else {"index": str(index)}
        described.append(Element(NS_RSM, "first", position, first), Element(NS_RSM, "last", None, last))
    if count is not None:
        described.append(Element(NS_RSM, "count", None, str(count)))
    return described
