"""XEP-0313: Message Archive Management: what a client asks its archive, and what it is answered."""

from collections.abc import Mapping
from dataclasses import dataclass

from commonroom.protocol.dataforms import NS_DATA, form_fields
from commonroom.protocol.delay import NS_DELAY
from commonroom.protocol.errors import (
    bad_request,
    feature_not_implemented,
    item_not_found,
    jid_malformed,
    policy_violation,
)
from commonroom.protocol.forward import NS_FORWARD
from commonroom.protocol.full_text import FULL_TEXT_FIELD
from commonroom.protocol.jid import JID, InvalidJID
from commonroom.protocol.rsm import FIRST_PAGE, NS_RSM, PageRequest, read_page_request
from commonroom.protocol.stanza import Message
from commonroom.protocol.stanza_ids import read_archive_id
from commonroom.protocol.timestamps import date_time, read_date_time
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_MAM
from commonroom.xml.serializer import escape_attribute

NS_VALIDATE = "http://jabber.org/protocol/xdata-validate"

# The fields of the form and their types (XEP-0313 §4.1, §4.1.5).
FIELDS = {
    "with": "jid-single",
    "start": "text-single",
    "end": "text-single",
    "before-id": "text-single",
    "after-id": "text-single",
    "ids": "list-multi",
    "include-groupchat": "boolean",
    FULL_TEXT_FIELD: "text-single",
}

# Characters. Each result repeats the id of its query.
LONGEST_QUERY_ID = 256
LONGEST_SEARCH = 1024

_BOOLEANS = ("true", "false", "1", "0")


@dataclass(frozen=True, slots=True)
class ArchiveQuery:
    """What somebody wants from an archive (XEP-0313 §4): None stands for what was not said.

    `start` and `end` are moments in microseconds, both included; `after` and `before` are ids, both not.
    `flipped`: the page is sent from its end (§4.3.4).
    """

    queryid: str | None = None
    peer: JID | None = None
    start: int | None = None
    end: int | None = None
    after: int | None = None
    before: int | None = None
    ids: tuple[int, ...] | None = None
    text: str | None = None
    page: PageRequest = FIRST_PAGE
    flipped: bool = False


def read_query(query: Element, most_ids: int) -> ArchiveQuery:
    """Read what a client asks; up to `most_ids` messages can be named. Raises StanzaError.

    A field that is not known is refused with feature-not-implemented (XEP-0313 §4.1.5), an id that cannot be
    one of ours with item-not-found (§4.1.3).
    """
    queryid = query.get("queryid")
    if queryid is not None and len(queryid) > LONGEST_QUERY_ID:
        raise policy_violation(f"a queryid has {LONGEST_QUERY_ID} characters at most")
    if query.get("node") is not None:
        raise item_not_found("this archive has no nodes")
    fields = _read_form(query.child(NS_DATA, "x"))
    peer = _value(fields, "with")
    text = _value(fields, FULL_TEXT_FIELD)
    if text is not None and len(text) > LONGEST_SEARCH:
        raise policy_violation(f"a text to search for has {LONGEST_SEARCH} characters at most")
    if _value(fields, "include-groupchat") not in (None, *_BOOLEANS):
        raise bad_request("include-groupchat is neither true nor false")
    return ArchiveQuery(
        queryid,
        None if peer is None else _read_address(peer),
        _read_moment(_value(fields, "start")),
        _read_moment(_value(fields, "end")),
        read_id(_value(fields, "after-id")),
        read_id(_value(fields, "before-id")),
        _read_ids(fields.get("ids", ()), most_ids),
        text,
        read_page_request(query.child(NS_RSM, "set")),
        query.child(NS_MAM, "flip-page") is not None,
    )


def read_id(text: str | None) -> int | None:
    """The number of an id, if there is one; raises item-not-found for what no archive here has."""
    if text is None:
        return None
    number = read_archive_id(text)
    if number is None:
        raise item_not_found()
    return number


def _read_form(form: Element | None) -> Mapping[str, tuple[str, ...]]:
    if form is None:
        return {}
    fields = form_fields(form)
    if form.get("type") != "submit" or fields.pop("FORM_TYPE", ()) != (NS_MAM,):
        raise bad_request(f"the form is of type submit, and its FORM_TYPE {NS_MAM}")
    unknown = [field for field in fields if field not in FIELDS]
    if unknown:
        raise feature_not_implemented(f"there is no field {unknown[0][:100]!r}")
    return fields


def _value(fields: Mapping[str, tuple[str, ...]], name: str) -> str | None:
    """The one value of a field; one without a value does not count (XEP-0004 §3.6)."""
    values = fields.get(name, ())
    if len(values) > 1:
        raise bad_request(f"{name} has more than one value")
    return values[0] if values and values[0] else None


def _read_address(text: str) -> JID:
    try:
        return JID.parse(text)
    except InvalidJID as error:
        raise jid_malformed(str(error)) from None


def _read_moment(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return read_date_time(text)
    except ValueError:
        raise bad_request("a moment is written as in 2010-06-07T00:00:00Z (XEP-0082)") from None


def _read_ids(values: tuple[str, ...], most: int) -> tuple[int, ...] | None:
    texts = [value for value in values if value]
    if len(texts) > most:
        raise policy_violation(f"name {most} messages at most")
    numbers = [read_archive_id(text) for text in texts]
    known = [number for number in numbers if number is not None]
    if len(known) < len(numbers):
        raise item_not_found()
    return tuple(dict.fromkeys(known)) or None


def query_form() -> Element:
    """What an archive can be asked (XEP-0313 §4.1.5)."""
    form = Element(NS_DATA, "x", {"type": "form"})
    form_type = Element(NS_DATA, "value", None, NS_MAM)
    form.append(Element(NS_DATA, "field", {"type": "hidden", "var": "FORM_TYPE"}, form_type))
    for var, kind in FIELDS.items():
        field = Element(NS_DATA, "field", {"type": kind, "var": var})
        if kind == "list-multi":
            is_open = Element(NS_VALIDATE, "open")
            field.append(Element(NS_VALIDATE, "validate", {"datatype": "xs:string"}, is_open))
        form.append(field)
    return Element(NS_MAM, "query", None, form)


class ArchiveResult(Message):
    """One message from an archive, on its way to who asked (XEP-0313 §4.2).

    What was stored is not read and written again: it came from our serializer, and goes out as it is. So the
    one child says only that this is a result.
    """

    __slots__ = ()

    def __init__(self, to: JID, archive: JID, queryid: str | None, id: int, xml: str) -> None:
        attributes = {"id": str(id)} if queryid is None else {"queryid": queryid, "id": str(id)}
        super().__init__(to=to, sender=archive, children=[Element(NS_MAM, "result", attributes)])
        named = "" if queryid is None else f" queryid='{escape_attribute(queryid)}'"
        self._payload = (
            f"<result xmlns='{NS_MAM}'{named} id='{id}'><forwarded xmlns='{NS_FORWARD}'>"
            f"<delay xmlns='{NS_DELAY}' stamp='{date_time(id)}'/>{_for_anywhere(xml)}</forwarded></result>"
        )


def _for_anywhere(xml: str) -> str:
    """A stored message, whose default namespace was understood, with it (XEP-0297 §3.2, rule 3)."""
    if not xml.startswith(("<message ", "<message>", "<message/>")):
        raise ValueError("this is no message of an archive")
    return f"<message xmlns='{NS_CLIENT}'{xml[8:]}"


def fin(is_complete: bool, page: Element) -> Element:
    """The end of the results (XEP-0313 §4.3.2); `page` is what RSM says of them."""
    return Element(NS_MAM, "fin", {"complete": "true"} if is_complete else None, page)


def metadata(bounds: tuple[int, int] | None) -> Element:
    """Where an archive begins and ends (XEP-0313 §5), by the ids of the first and the last message."""
    if bounds is None:
        return Element(NS_MAM, "metadata")
    ends = (
        Element(NS_MAM, name, {"id": str(id), "timestamp": date_time(id)})
        for name, id in zip(("start", "end"), bounds, strict=True)
    )
    return Element(NS_MAM, "metadata", None, *ends)
