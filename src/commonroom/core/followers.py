"""Where accounts are known by address, beside what is kept for them: in rooms."""

from collections.abc import Sequence
from typing import Protocol

from commonroom.protocol.jid import JID
from commonroom.storage.records import Renaming


class Followers(Protocol):
    """Each may be asked twice for the same, after a crash."""

    async def readdress(self, renamings: Sequence[Renaming]) -> None:
        """These have other addresses now, all at the same time."""

    async def forget(self, account: JID) -> None:
        """Nothing is to be known of this account any more."""
