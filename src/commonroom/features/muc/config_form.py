"""XEP-0045 §10.1.3, §16.5.3: the configuration as a form, and back."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from commonroom.features.muc.affiliations import Affiliation, Role
from commonroom.features.muc.config import OCCUPYING, AllowPM, RoomConfig, Whois
from commonroom.features.muc.room import Room
from commonroom.protocol.dataforms import Field, empty_form, is_true, single
from commonroom.protocol.errors import not_acceptable
from commonroom.protocol.jid import JID, InvalidJID
from commonroom.protocol.muc import FORM_CONFIG
from commonroom.xml.element import Element

NS_VALIDATE = "http://jabber.org/protocol/xdata-validate"

MOST_HISTORY = 100
MOST_OCCUPANTS = 100_000
LONGEST_TEXT = 1024
LONGEST_PAUSE = 86_400  # seconds
MOST_CONTACTS = 20

OWNERS = "muc#roomconfig_roomowners"
ADMINS = "muc#roomconfig_roomadmins"
_PROTECTED = "muc#roomconfig_passwordprotectedroom"
_SECRET = "muc#roomconfig_roomsecret"

_XMPP_URI = re.compile(r"xmpp:\S+", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{1,9}")  # int() takes more: "1_0", other digits


class Setting(NamedTuple):
    """A field and what it sets. `read` raises ValueError, or InvalidJID, which is one."""

    var: str
    attribute: str
    kind: str
    label: str
    read: Callable[[Sequence[str]], Any]
    write: Callable[[Any], Sequence[str]]
    options: Sequence[tuple[str, str]] = ()
    more: Sequence[Element] = ()


def _text(values: Sequence[str]) -> str:
    text = single(values).strip()
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"longer than {LONGEST_TEXT} characters")
    return text


def _uri(values: Sequence[str]) -> str:
    text = _text(values)
    if text and _XMPP_URI.fullmatch(text) is None:
        raise ValueError("not an XMPP URI")
    return text


def _number_up_to(most: int) -> Callable[[Sequence[str]], int]:
    def read(values: Sequence[str]) -> int:
        text = single(values).strip()
        if _NUMBER.fullmatch(text) is None or int(text) > most:
            raise ValueError(f"not a number up to {most}")
        return int(text)

    return read


def _most_occupants(values: Sequence[str]) -> int:
    return 0 if single(values).strip() in ("", "none") else _number_up_to(MOST_OCCUPANTS)(values)


def _roles(values: Sequence[str]) -> frozenset[Role]:
    roles = frozenset(map(Role, values))
    if Role.NONE in roles:
        raise ValueError("none is no role of an occupant")
    return roles


def addresses(values: Sequence[str]) -> tuple[JID, ...]:
    """A field of type jid-multi: bare addresses, each once."""
    return tuple(dict.fromkeys(JID.parse(value.strip()).bare for value in values if value.strip()))


def _contacts(values: Sequence[str]) -> tuple[JID, ...]:
    found = addresses(values)
    if len(found) > MOST_CONTACTS:  # strangers are told them
        raise ValueError(f"more than {MOST_CONTACTS} addresses")
    return found


def _flag(value: bool) -> Sequence[str]:
    return ("1",) if value else ("0",)


def _shown(value: object) -> Sequence[str]:
    return (str(value),) if value else ()


def _numeral(value: int) -> Sequence[str]:
    return (str(value),)


def _limit(value: int) -> Sequence[str]:
    return (str(value) if value else "none",)


def _named(values: frozenset[Role]) -> Sequence[str]:
    return tuple(role.value for role in OCCUPYING if role in values)


def _choice(value: AllowPM | Whois) -> Sequence[str]:
    return (value.value,)


def _listed(values: Sequence[JID]) -> Sequence[str]:
    return tuple(map(str, values))


_OUR = "{urn:x-commonroom:room}"  # what no specification has (XEP-0068 §3.4)


def _our_switch(attribute: str, label: str) -> Setting:
    return Setting(f"{_OUR}{attribute}", attribute, "boolean", label, is_true, _flag)


_ROLE_OPTIONS = (("Moderator", "moderator"), ("Participant", "participant"), ("Visitor", "visitor"))
_PM_OPTIONS = (
    ("Anyone", "anyone"),
    ("Anyone with Voice", "participants"),
    ("Moderators Only", "moderators"),
    ("Nobody", "none"),
)
_USER_OPTIONS = tuple((text, text) for text in ("10", "20", "30", "50", "100", "200", "500", "1000"))
_PAUSE = Element(
    NS_VALIDATE, "validate", {"datatype": "xs:integer"}, Element(NS_VALIDATE, "range", {"min": "0"})
)

_ROOM = "muc#roomconfig_"
# In the order in which owners see them.
SETTINGS = (
    Setting(f"{_ROOM}roomname", "name", "text-single", "Name of the room", _text, _shown),
    Setting(f"{_ROOM}roomdesc", "description", "text-single", "What it is for", _text, _shown),
    Setting(f"{_ROOM}lang", "lang", "text-single", "Language of the discussion", _text, _shown),
    Setting(f"{_ROOM}persistentroom", "persistent", "boolean", "Stays when all have left", is_true, _flag),
    Setting(f"{_ROOM}publicroom", "public", "boolean", "Can be found by everybody", is_true, _flag),
    Setting(f"{_ROOM}membersonly", "members_only", "boolean", "Only members may enter", is_true, _flag),
    Setting(
        f"{_ROOM}moderatedroom", "moderated", "boolean", "Only those with voice may speak", is_true, _flag
    ),
    Setting(
        f"{_ROOM}whois",
        "whois",
        "list-single",
        "Who may see real addresses",
        lambda values: Whois(single(values)),
        _choice,
        (("Moderators Only", "moderators"), ("Anyone", "anyone")),
    ),
    Setting(
        f"{_ROOM}maxusers",
        "max_users",
        "list-single",
        "How many may be inside",
        _most_occupants,
        _limit,
        (*_USER_OPTIONS, ("None", "none")),
    ),
    Setting(f"{_ROOM}enablelogging", "logging", "boolean", "Keep what is said in an archive", is_true, _flag),
    Setting(
        "muc#maxhistoryfetch",
        "history_length",
        "text-single",
        "Messages that who enters gets at most",
        _number_up_to(MOST_HISTORY),
        _numeral,
    ),
    Setting(
        f"{_ROOM}changesubject", "change_subject", "boolean", "All may change the subject", is_true, _flag
    ),
    Setting(f"{_ROOM}allowinvites", "allow_invites", "boolean", "Members may invite others", is_true, _flag),
    Setting(
        f"{_ROOM}allowpm",
        "allow_pm",
        "list-single",
        "Who may send private messages",
        lambda values: AllowPM(single(values)),
        _choice,
        _PM_OPTIONS,
    ),
    Setting(
        f"{_ROOM}presencebroadcast",
        "presence_broadcast",
        "list-multi",
        "Roles that the others see",
        _roles,
        _named,
        _ROLE_OPTIONS,
    ),
    Setting(
        f"{_ROOM}getmemberlist",
        "get_member_list",
        "list-multi",
        "Roles that may get the member list, if addresses are not hidden",
        _roles,
        _named,
        _ROLE_OPTIONS,
    ),
    Setting(f"{_ROOM}pubsub", "pubsub", "text-single", "URI of its publish-subscribe node", _uri, _shown),
    Setting(
        f"{_ROOM}slow_mode_duration",
        "slow_mode_seconds",
        "text-single",
        "Seconds between two messages of the same user; 0: none",
        _number_up_to(LONGEST_PAUSE),
        _numeral,
        (),
        (_PAUSE,),
    ),
    _our_switch("voice_requests", "Visitors may ask for voice"),
    _our_switch("self_registration", "Users may register"),
    _our_switch("approve_registration", "Admins approve it"),
    _our_switch("lock_nicks", "Registered nicknames must be used"),
    _our_switch("allow_query_users", "Strangers see who is inside"),
    Setting(f"{_OUR}contacts", "contacts", "jid-multi", "Whom to ask about the room", _contacts, _listed),
)


def config_form(room: Room) -> Element:
    """The form, filled in as the room is (XEP-0045 §10.2)."""
    fields = [
        Field(
            one.var,
            one.kind,
            one.label,
            one.write(getattr(room.config, one.attribute)),
            one.options,
            more=one.more,
        )
        for one in SETTINGS
        if one.attribute not in room.fixed
    ]
    password = room.config.password
    if "password" not in room.fixed:
        fields.append(Field(_PROTECTED, "boolean", "A password is needed", _flag(password is not None)))
        fields.append(Field(_SECRET, "text-private", "The password", _shown(password)))
    for var, label, affiliation in (
        (ADMINS, "Admins", Affiliation.ADMIN),
        (OWNERS, "Owners", Affiliation.OWNER),
    ):
        fields.append(Field(var, "jid-multi", label, [str(jid) for jid, _ in room.listed(affiliation)]))
    title = f"Configuration of {room.config.name or room.address.local}"
    return empty_form(FORM_CONFIG, title, "What is left out stays as it is.", fields)


def read_config(room: Room, fields: Mapping[str, Sequence[str]]) -> RoomConfig:
    """The configuration that an owner wants; raises not-acceptable (XEP-0045 §10.1.3)."""
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        if setting.var in fields:
            values[setting.attribute] = _read(setting, fields[setting.var])
    if _PROTECTED in fields or _SECRET in fields:
        values["password"] = _password(room.config.password, fields)
    for attribute in values.keys() & room.fixed:
        if values[attribute] != getattr(room.config, attribute):
            raise not_acceptable(f"{attribute} cannot be changed in this room")
    return replace(room.config, **values)


def _read(setting: Setting, values: Sequence[str]) -> Any:
    try:
        return setting.read(values)
    except (ValueError, InvalidJID) as error:
        raise not_acceptable(f"{setting.label}: {error}") from None


def _password(old: str | None, fields: Mapping[str, Sequence[str]]) -> str | None:
    """Protection without a password is none (XEP-0045 §10.1.3)."""
    try:
        secret = single(fields.get(_SECRET, () if old is None else (old,)))
        is_protected = is_true(fields[_PROTECTED]) if _PROTECTED in fields else bool(secret)
    except ValueError as error:
        raise not_acceptable(f"password: {error}") from None
    if not is_protected:
        return None
    if not secret or len(secret) > LONGEST_TEXT:
        raise not_acceptable("a protected room needs a password")
    return secret
