"""XEP-0004: Data Forms."""

import pytest

from commonroom.protocol.dataforms import (
    NS_DATA,
    Field,
    empty_form,
    form_fields,
    is_true,
    single,
    submitted,
    table_form,
)
from commonroom.protocol.errors import StanzaError
from commonroom.xml.parser import parse_fragment

SUBMIT = "<x xmlns='jabber:x:data' type='submit'>"
TYPE = "<field var='FORM_TYPE'><value>t</value></field>"


@pytest.mark.parametrize(
    "xml",
    [
        None,
        f"<x xmlns='{NS_DATA}' type='form'>{TYPE}</x>",
        f"<x xmlns='{NS_DATA}'>{TYPE}</x>",
        f"{SUBMIT}</x>",
        f"{SUBMIT}<field var='FORM_TYPE'/></x>",
        f"{SUBMIT}<field var='FORM_TYPE'><value>u</value></field></x>",
    ],
)
def test_xep0068_3_1_another_form_than_ours_is_refused(xml: str | None):
    form = None if xml is None else parse_fragment(xml, "jabber:client")
    with pytest.raises(StanzaError) as caught:
        submitted(form, "t")
    assert caught.value.condition == "bad-request"


@pytest.mark.parametrize("values", [(), ("",), ("yes",), ("TRUE",), ("1", "0")])
def test_xep0004_3_3_what_is_no_boolean(values: tuple[str, ...]):
    with pytest.raises(ValueError, match=r"true|enough"):
        is_true(values)


def test_xep0004_3_3_booleans_and_single_values():
    assert [is_true((text,)) for text in ("1", "true", "0", "false", " 1 ")] == [
        True,
        True,
        False,
        False,
        True,
    ]
    assert single(()) == ""
    assert single(("x",)) == "x"


def test_xep0004_3_2_what_was_filled_in():
    form = parse_fragment(f"{SUBMIT}{TYPE}<field var='a'><value>1</value><value>2</value></field></x>", "x")
    assert submitted(form, "t") == {"a": ("1", "2")}


def test_xep0004_3_1_a_form_to_be_filled_in():
    fields = (
        Field("a", "list-single", "A?", ("x",), (("X", "x"), ("Y", "y"))),
        Field("b", "text-single", "B?", is_required=True),
    )
    form = empty_form("t", "Title", "Do.", fields)
    assert form == parse_fragment(
        f"<x xmlns='{NS_DATA}' type='form'><title>Title</title><instructions>Do.</instructions>"
        "<field var='FORM_TYPE' type='hidden'><value>t</value></field>"
        "<field var='a' type='list-single' label='A?'><value>x</value>"
        "<option label='X'><value>x</value></option><option label='Y'><value>y</value></option></field>"
        "<field var='b' type='text-single' label='B?'><required/></field></x>",
        "x",
    )
    assert form_fields(form) == {"FORM_TYPE": ("t",), "a": ("x",), "b": ()}


def test_xep0004_3_4_a_table():
    form = table_form("t", "Title", [{"a": "1"}, {"a": "2"}], ("a",))
    assert [child.name for child in form.elements()] == ["title", "field", "reported", "item", "item"]
