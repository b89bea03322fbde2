"""XEP-0004: Data Forms; so far, the forms that results carry."""

from collections.abc import Iterable, Mapping

from commonroom.xml.element import Element

NS_DATA = "jabber:x:data"


def result_form(form_type: str, fields: Mapping[str, Iterable[str]], kind: str = "result") -> Element:
    """A form of type `result`, or another, whose kind is named by its FORM_TYPE (XEP-0004 §3.2, XEP-0068)."""
    form = Element(NS_DATA, "x", {"type": kind}, _field("FORM_TYPE", (form_type,), "hidden"))
    for var, values in fields.items():
        form.append(_field(var, values, None))
    return form


def _field(var: str, values: Iterable[str], kind: str | None) -> Element:
    attributes = {"var": var} if kind is None else {"var": var, "type": kind}
    return Element(NS_DATA, "field", attributes, *(Element(NS_DATA, "value", None, v) for v in values))


def form_fields(form: Element) -> dict[str, tuple[str, ...]]:
    """The fields of a form and their values."""
    return {
        field.get("var") or "": tuple(value.text() for value in field.elements() if value.name == "value")
        for field in form.elements()
        if field.name == "field"
    }
