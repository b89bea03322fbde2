"""XEP-0441: Message Archive Management Preferences."""

from collections.abc import Iterable

from commonroom.core.feature import Feature, Scope, Xep, on_iq
from commonroom.core.session import Session
from commonroom.core.user import ARCHIVE
from commonroom.protocol.errors import bad_request, jid_malformed, policy_violation
from commonroom.protocol.jid import JID, InvalidJID
from commonroom.protocol.stanza import Iq
from commonroom.storage.interfaces import PreferenceStore, Writes
from commonroom.storage.records import ArchiveDefault, ArchivePreferences
from commonroom.xml.element import Element
from commonroom.xml.names import NS_MAM

DEFAULTS = {default.value: default for default in ArchiveDefault}


class ArchivingPreferences(Feature):
    """Users say what is archived of what they send and get; the archive asks (XEP-0441 §2.1).

    `default` is told to those who never said anything. The two lists have `most` addresses at most, together.
    """

    xep = Xep("0441", "0.2.0")

    def __init__(self, store: PreferenceStore, writes: Writes, default: ArchiveDefault, most: int) -> None:
        self._store = store
        self._writes = writes
        self._unsaid = ArchivePreferences(default)
        self._most = most

    @on_iq("get", NS_MAM, "prefs", to=Scope.OWN_ACCOUNT)
    def read(self, iq: Iq, session: Session) -> Element:
        """What counts now."""
        return _element(session.user.archiving or self._unsaid)

    @on_iq("set", NS_MAM, "prefs", to=Scope.OWN_ACCOUNT)
    async def write(self, iq: Iq, session: Session) -> Element:
        """From now on this counts; a list that is not there is empty (XEP-0441 §2.1.2, §2.1.3)."""
        wanted = self._parse(iq.request())
        since = self._writes.appended
        self._store.put(session.user.jid, wanted)
        await self._writes.flushed(since)
        session.user.archiving = wanted
        session.user.wants |= {ARCHIVE}
        return _element(wanted)

    def _parse(self, preferences: Element) -> ArchivePreferences:
        default = DEFAULTS.get(preferences.get("default", ""))
        if default is None:
            raise bad_request("the default is always, never or roster")
        always = _addresses(preferences.child(NS_MAM, "always"))
        never = _addresses(preferences.child(NS_MAM, "never"))
        if len(always) + len(never) > self._most:
            raise policy_violation(f"the lists have {self._most} addresses at most")
        if always & never:
            raise bad_request("an address is in both lists")
        return ArchivePreferences(default, always, never)


def _addresses(of: Element | None) -> frozenset[JID]:
    if of is None:
        return frozenset()
    try:
        return frozenset(JID.parse(jid.text()) for jid in of.elements() if jid.name == "jid")
    except InvalidJID as error:
        raise jid_malformed(str(error)) from None


def _element(preferences: ArchivePreferences) -> Element:
    """Both lists are there, even if empty (XEP-0441 §2.1)."""
    return Element(
        NS_MAM,
        "prefs",
        {"default": preferences.default.value},
        _list("always", preferences.always),
        _list("never", preferences.never),
    )


def _list(name: str, addresses: Iterable[JID]) -> Element:
    return Element(NS_MAM, name, None, *(Element(NS_MAM, "jid", None, str(jid)) for jid in sorted(addresses)))
