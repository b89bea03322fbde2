"""The composition root: puts the parts together, starts and stops them."""

from commonroom.app.account_parts import chain_accounts
from commonroom.app.composition import Core, build_core, stream_settings
from commonroom.core.surroundings import Surroundings

__all__ = ["Core", "Surroundings", "build_core", "chain_accounts", "stream_settings"]
