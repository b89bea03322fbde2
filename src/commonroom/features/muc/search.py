"""XEP-0433: Extended Channel Search: people find the public rooms of a service."""

from collections.abc import Callable, Mapping

from commonroom.features.muc.config import Whois
from commonroom.features.muc.directory import Directory, Entry, edges, matcher, shown_name
from commonroom.protocol.dataforms import NS_DATA, form_fields
from commonroom.protocol.errors import ErrorType, StanzaError
from commonroom.protocol.jid import JID
from commonroom.protocol.rsm import NS_RSM, page_description, read_page_request
from commonroom.protocol.stanza import Iq
from commonroom.xml.element import Element

NS_SEARCH = "urn:xmpp:channel-search:0:search"
NS_SEARCH_ERROR = "urn:xmpp:channel-search:0:error"
FORM_TYPE = "urn:xmpp:channel-search:0:search-params"
BY_ADDRESS = "{urn:xmpp:channel-search:0:order}address"
SERVICE_TYPE = "xep-0045"
NOT_ANONYMOUS = "{urn:xmpp:channel-search:0:anonymity}none"

SHORTEST_TERM = 2
LONGEST_QUERY = 200
_TRUE = ("true", "1")

# The fields of the form (XEP-0433 §6.1), their types and what they have if nobody says anything else.
FIELDS: Mapping[str, tuple[str, str | None]] = {
    "q": ("text-single", None),
    "all": ("boolean", None),
    "sinname": ("boolean", "true"),
    "sindescription": ("boolean", "true"),
    "sinaddress": ("boolean", "true"),
    "types": ("list-multi", SERVICE_TYPE),
    "key": ("list-single", BY_ADDRESS),
}


class Search:
    """Answers searches; `occupants` tells how many are in a room."""

    def __init__(self, directory: Directory, occupants: Callable[[JID], int]) -> None:
        self._directory = directory
        self._occupants = occupants

    async def answer(self, iq: Iq) -> Element:
        """The form, or a page of what is searched for (XEP-0433 §4.2)."""
        search = iq.request()
        form = search.child(NS_DATA, "x")
        if form is None:
            return Element(NS_SEARCH, "search", None, _form())
        if form.get("type") != "submit":
            raise _refused("bad-request", "no-search-conditions", ErrorType.CANCEL)
        fields = form_fields(form)
        terms = _terms(fields)
        if not _wants_rooms(fields):
            return Element(NS_SEARCH, "result", None, page_description(None, None, count=0))
        places = (_is(fields, "sinaddress"), _is(fields, "sinname"), _is(fields, "sindescription"))
        asked = read_page_request(search.child(NS_RSM, "set"))
        longest = max(terms, key=len, default="")
        page = await self._directory.search(asked, longest, matcher(terms, places))
        result = Element(NS_SEARCH, "result", None, *(self._item(entry) for entry in page.entries))
        result.append(page_description(*edges(page.entries)))
        return result

    def _item(self, entry: Entry) -> Element:
        """One room (XEP-0433 §6.2)."""
        config = entry.config
        item = Element(NS_SEARCH, "item", {"address": str(entry.address)})
        said = {
            "name": shown_name(entry),
            "description": config.description,
            "language": config.lang,
            "nusers": str(self._occupants(entry.address)),
            "service-type": SERVICE_TYPE,
            "is-open": "false" if config.members_only or config.password is not None else "true",
            "anonymity-mode": NOT_ANONYMOUS if config.whois is Whois.ANYONE else "muc_semianonymous",
        }
        for name, value in said.items():
            if value:
                item.append(Element(NS_SEARCH, name, None, value))
        return item


def _terms(fields: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """What is searched for; nothing for all rooms. Raises what XEP-0433 §4.2.2 has."""
    if _value(fields, "key") not in (None, BY_ADDRESS):
        raise _refused("feature-not-implemented", "invalid-sort-key")
    text, wants_all = _value(fields, "q"), _value(fields, "all") in _TRUE
    if text is not None and wants_all:
        raise _refused(
            "bad-request", "conflicting-fields", text="either all rooms, or those with these words"
        )
    if wants_all:
        return ()
    if text is None:
        raise _refused("bad-request", "no-search-conditions", ErrorType.CANCEL)
    terms = tuple(term for term in text[:LONGEST_QUERY].casefold().split() if len(term) >= SHORTEST_TERM)
    if not terms or len(text) > LONGEST_QUERY:
        words = f"write words of {SHORTEST_TERM} characters or more, {LONGEST_QUERY} characters at most"
        raise _refused("bad-request", "invalid-search-terms", text=words)
    return terms


def _value(fields: Mapping[str, tuple[str, ...]], name: str) -> str | None:
    values = fields.get(name, ())
    return values[0] if values and values[0] else None


def _is(fields: Mapping[str, tuple[str, ...]], name: str) -> bool:
    value = _value(fields, name)
    return value is None or value in _TRUE


def _wants_rooms(fields: Mapping[str, tuple[str, ...]]) -> bool:
    types = [value for value in fields.get("types", ()) if value]
    return not types or SERVICE_TYPE in types


def _form() -> Element:
    form = Element(NS_DATA, "x", {"type": "form"})
    kind = Element(NS_DATA, "value", None, FORM_TYPE)
    form.append(Element(NS_DATA, "field", {"type": "hidden", "var": "FORM_TYPE"}, kind))
    for var, (type, default) in FIELDS.items():
        field = Element(NS_DATA, "field", {"type": type, "var": var})
        if default is not None:
            field.append(Element(NS_DATA, "value", None, default))
        if type.startswith("list"):
            value = Element(NS_DATA, "value", None, default or "")
            field.append(Element(NS_DATA, "option", None, value))
        form.append(field)
    return form


def _refused(
    condition: str, application: str, kind: ErrorType = ErrorType.MODIFY, text: str | None = None
) -> StanzaError:
    return StanzaError(condition, kind, text, Element(NS_SEARCH_ERROR, application))
