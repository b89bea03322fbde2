"""Reads the configuration and the certificates again, while the service runs."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from commonroom.accounts.line_files import Stamp, stamp
from commonroom.admin.archive import keep_rules
from commonroom.admin.errors import BadConfiguration
from commonroom.admin.places import server_key_pairs
from commonroom.admin.registry import Registry, hash_names
from commonroom.admin.reload import Reloaded
from commonroom.app.client_tls import client_contexts
from commonroom.app.entrance import Entrance
from commonroom.app.logs import log_to_stderr
from commonroom.config import ConfigError, KeyPair, Settings
from commonroom.config.changes import changes, merged
from commonroom.federation.certificates import authorities_file
from commonroom.net.certificates import CertificateError
from commonroom.protocol.c2s import StreamSettings
from commonroom.storage.retention import KeepRules, Retention

log = logging.getLogger(__name__)


class Changeable(NamedTuple):
    """The parts that take another configuration."""

    entrance: Entrance
    retention: Retention
    subjects: dict[type[Any], Any]
    stream_settings: Callable[[Settings], StreamSettings]
    show_peers: Callable[[Settings], None]
    others: tuple[Callable[[Settings], None], ...]


class Reloading:
    """`settings` are those in force; `reread` reads the file, or is None if the service came from none."""

    def __init__(self, settings: Settings, reread: Callable[[], Settings] | None, parts: Changeable) -> None:
        self.settings = settings
        self._reread = reread
        self._parts = parts
        self._stamps = _stamps(settings)
        self._authorities = _stamp_of_authorities(settings)

    def reload(self) -> Reloaded:
        """Everything is read and checked before anything changes; raises BadConfiguration."""
        if self._reread is None:
            raise BadConfiguration("this service was not started from a file that could be read again")
        try:
            wanted = self._reread()
        except ConfigError as error:
            raise BadConfiguration(f"nothing was changed: {error}") from None
        found = list(changes(self.settings, wanted))
        settings = merged(self.settings, wanted)
        certificates = self._swap(settings)
        self._apply(settings)
        return Reloaded(
            tuple(each.key for each in found if each.live),
            tuple(each.key for each in found if not each.live),
            certificates,
        )

    def look_at_certificates(self) -> tuple[str, ...]:
        """Swap those whose files were changed; tells which. Raises BadConfiguration: the old ones stay."""
        are_same = _stamps(self.settings) == self._stamps
        if are_same and _stamp_of_authorities(self.settings) == self._authorities:
            return ()
        return self._swap(self.settings)

    def _swap(self, settings: Settings) -> tuple[str, ...]:
        """Those who are connected keep what they have."""
        stamps, authorities = _stamps(settings), _stamp_of_authorities(settings)
        try:
            tls = client_contexts(settings)
            self._parts.show_peers(settings)
        except CertificateError as error:
            raise BadConfiguration(f"nothing was changed: {error}") from None
        self._parts.entrance.clients.tls = tls
        swapped = tuple(str(pair.certificate) for pair in stamps if stamps[pair] != self._stamps.get(pair))
        self._stamps, self._authorities = stamps, authorities
        return swapped

    def _apply(self, settings: Settings) -> None:
        parts = self._parts
        if settings.log != self.settings.log:
            log_to_stderr(settings.log)
        rules = keep_rules(settings)
        hashes = hash_names(settings.sasl.mechanisms)
        registry = replace(parts.subjects[Registry], hash_names=hashes)
        parts.subjects.update({KeepRules: rules, Settings: settings, Registry: registry})
        parts.retention.use(rules)
        parts.entrance.change(settings)
        parts.entrance.clients.stream_settings = parts.stream_settings(settings)
        for change in parts.others:
            change(settings)
        self.settings = settings


def _stamps(settings: Settings) -> dict[KeyPair, tuple[Stamp | None, ...]]:
    """Which files these are; they are read again when that changes."""
    return {pair: tuple(map(stamp, pair)) for pair in set(server_key_pairs(settings).values())}


def _stamp_of_authorities(settings: Settings) -> Stamp | None:
    """Whom other servers are judged by."""
    wanted = settings.federation
    return stamp(authorities_file(wanted.authorities)) if wanted.enabled else None
