"""XEP-0004: Data Forms: those that results carry, those to be filled in, and those that were."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from commonroom.protocol.errors import bad_request
from commonroom.xml.element import Element

NS_DATA = "jabber:x:data"


class Field(NamedTuple):
    """A field to be filled in (XEP-0004 §3.2).

    options     the label and the value of each choice
    more        other children, such as the rules of XEP-0122
    """

    var: str
    kind: str
    label: str
    values: Sequence[str] = ()
    options: Sequence[tuple[str, str]] = ()
    is_required: bool = False
    more: Sequence[Element] = ()


def result_form(form_type: str, fields: Mapping[str, Iterable[str]], kind: str = "result") -> Element:
    """A form of type `result`, or another, whose kind is named by its FORM_TYPE (XEP-0004 §3.2, XEP-0068)."""
    form = Element(NS_DATA, "x", {"type": kind}, _field("FORM_TYPE", (form_type,), "hidden"))
    for var, values in fields.items():
        form.append(_field(var, values, None))
    return form


def empty_form(form_type: str, title: str, instructions: str, fields: Iterable[Field]) -> Element:
    """A form to be filled in (XEP-0004 §3.1)."""
    form = Element(NS_DATA, "x", {"type": "form"})
    form.append(Element(NS_DATA, "title", None, title), Element(NS_DATA, "instructions", None, instructions))
    form.append(_field("FORM_TYPE", (form_type,), "hidden"))
    for field in fields:
        form.append(_asked(field))
    return form


def table_form(
    form_type: str, title: str, rows: Sequence[Mapping[str, str]], columns: Sequence[str]
) -> Element:
    """A result of many items (XEP-0004 §3.4)."""
    form = Element(NS_DATA, "x", {"type": "result"}, Element(NS_DATA, "title", None, title))
    form.append(_field("FORM_TYPE", (form_type,), "hidden"))
    form.append(Element(NS_DATA, "reported", None, *(_field(var, (), None) for var in columns)))
    for row in rows:
        form.append(Element(NS_DATA, "item", None, *(_field(var, (row[var],), None) for var in columns)))
    return form


def _field(var: str, values: Iterable[str], kind: str | None) -> Element:
    attributes = {"var": var} if kind is None else {"var": var, "type": kind}
    return Element(NS_DATA, "field", attributes, *(Element(NS_DATA, "value", None, v) for v in values))


def _asked(field: Field) -> Element:
    element = _field(field.var, field.values, field.kind)
    element.attributes["label"] = field.label
    for label, value in field.options:
        element.append(Element(NS_DATA, "option", {"label": label}, Element(NS_DATA, "value", None, value)))
    if field.is_required:
        element.append(Element(NS_DATA, "required"))
    return element.append(*field.more)


def form_fields(form: Element) -> dict[str, tuple[str, ...]]:
    """The fields of a form and their values."""
    return {
        field.get("var") or "": tuple(value.text() for value in field.elements() if value.name == "value")
        for field in form.elements()
        if field.name == "field"
    }


def submitted(form: Element | None, form_type: str) -> dict[str, tuple[str, ...]]:
    """What somebody filled into a form of ours; raises bad-request for another one (XEP-0068 §3.1)."""
    if form is None or form.get("type") != "submit":
        raise bad_request("a submitted form is needed")
    fields = form_fields(form)
    if fields.pop("FORM_TYPE", ()) != (form_type,):
        raise bad_request(f"the form's FORM_TYPE is not {form_type}")
    return fields


def is_true(values: Sequence[str]) -> bool:
    """A field of type boolean (XEP-0004 §3.3); raises ValueError for what is none."""
    text = single(values).strip()
    if text not in _BOOLEANS:
        raise ValueError(f"neither true nor false: {text!r}")
    return _BOOLEANS[text]


def single(values: Sequence[str]) -> str:
    """The one value of a field, or nothing (XEP-0004 §3.3)."""
    if len(values) > 1:
        raise ValueError("one value is enough")
    return values[0] if values else ""


_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
