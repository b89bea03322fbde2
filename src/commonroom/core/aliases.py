"""Other addresses of an account: messages arrive, and contacts are told where it is now (XEP-0283)."""

from collections.abc import Callable

from commonroom.accounts.interfaces import Alias
from commonroom.core.user import User
from commonroom.protocol.errors import StanzaError, moved, service_unavailable
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Iq, Message, Presence, PresenceType, Stanza

FindAlias = Callable[[JID], Alias | None]


def no_alias(_: JID) -> Alias | None:
    """Where nobody has any."""
    return None


def redirected(message: Message, account: JID) -> Message:
    """The message as the account gets it: to its own address, whichever of its devices was meant.

    A copy, because in the archive and on the other devices of its sender it stays as it was written.
    """
    copy = message.addressed(account, message.sender)
    copy.began, copy.follows, copy.owed = message.began, message.follows, message.owed
    return copy


def refuse(stanza: Stanza, alias: Alias, user: User | None) -> None:
    """What is not a message; raises StanzaError.

    Contacts are told of the new address, which is how they know that it is the same person (XEP-0283 §4.3);
    to others nobody is there (XEP-0283 §6.1). Who only asks for a subscription at an alias that lasts is
    told the address that has one.
    """
    if isinstance(stanza, Presence) and stanza.type is not PresenceType.SUBSCRIBE:
        return
    if isinstance(stanza, Iq) and not stanza.is_request:
        return
    raise _answer(stanza, alias, user)


def _answer(stanza: Stanza, alias: Alias, user: User | None) -> StanzaError:
    if user is None or stanza.sender is None:
        return service_unavailable()
    if alias.until is not None and user.shows_presence_to(stanza.sender):
        return moved(alias.address, for_good=True)
    if alias.until is None and isinstance(stanza, Presence):
        return moved(alias.address, for_good=False)
    return service_unavailable()
