"""What waits for other servers, where no service runs."""

from commonroom.protocol.jid import JID, InvalidJID
from commonroom.storage.interfaces import OutboundStore
from commonroom.xml.names import NS_CLIENT
from commonroom.xml.parser import XmlError, parse_fragment

# Read in one go.
PAGE = 500


async def forget_sender(store: OutboundStore, account: JID) -> None:
    """An account is erased where no service runs: what its owner wrote leaves the disk, and nothing else."""
    after = 0
    while page := await store.load(PAGE, after):
        after = page[-1].id
        if wrote := [kept.id for kept in page if _wrote(account, kept.xml)]:
            store.remove(*wrote)


def _wrote(account: JID, xml: str) -> bool:
    try:
        element = parse_fragment(xml, NS_CLIENT)
        return element.name == "message" and JID.parse(element.attributes["from"]).bare == account
    except (XmlError, InvalidJID, KeyError):
        return False  # the next start removes it
