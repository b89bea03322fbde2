"""What the generated clients say: what today's clients send, without what servers treat differently."""

from datetime import datetime

MESSAGE = (
    "<message type='chat' to='@TO@' id='@ID@'>"
    "<body>Shall we meet at noon in the common room, by the window?</body>"
    "<active xmlns='http://jabber.org/protocol/chatstates'/>"
    "<request xmlns='urn:xmpp:receipts'/>"
    "<origin-id xmlns='urn:xmpp:sid:0' id='@ID@'/>"
    "</message>"
)
PRESENCE = (
    "<presence id='@ID@'><show>away</show><status>In the library until noon</status>"
    "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://client.example' "
    "ver='QgayPKawpkPSDYmwT/WM94uAlu0='/></presence>"
)

GROUPCHAT = MESSAGE.replace("type='chat'", "type='groupchat'").replace(
    "<request xmlns='urn:xmpp:receipts'/>", ""
)
ENTRANCE = (
    "<presence to='@TO@' id='@ID@'><x xmlns='http://jabber.org/protocol/muc'/>"
    "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://client.example' "
    "ver='QgayPKawpkPSDYmwT/WM94uAlu0='/></presence>"
)
# What makes a room that can be entered of one that was just made (XEP-0045 §10.1.2).
INSTANT_ROOM = (
    "<iq type='set' id='instant' to='{room}'><query xmlns='http://jabber.org/protocol/muc#owner'>"
    "<x xmlns='jabber:x:data' type='submit'/></query></iq>"
)

QUERY = (
    "<iq type='set' id='@ID@'><query xmlns='urn:xmpp:mam:2'>{form}"
    "<set xmlns='http://jabber.org/protocol/rsm'><max>{count}</max>{where}</set></query></iq>"
)
START = (
    "<x xmlns='jabber:x:data' type='submit'>"
    "<field var='FORM_TYPE' type='hidden'><value>urn:xmpp:mam:2</value></field>"
    "<field var='start'><value>{start:%Y-%m-%dT%H:%M:%SZ}</value></field></x>"
)


def page_last(count: int) -> str:
    """The last messages of an archive (XEP-0059 §2.5)."""
    return QUERY.format(form="", count=count, where="<before/>")


def page_after(last: str, count: int) -> str:
    """The messages after one (XEP-0059 §2.2)."""
    return QUERY.format(form="", count=count, where=f"<after>{last}</after>")


def page_from(start: datetime, count: int) -> str:
    """The first messages since then, which is UTC (XEP-0313 §4.1.2)."""
    return QUERY.format(form=START.format(start=start), count=count, where="")
