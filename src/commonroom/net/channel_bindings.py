"""XEP-0440: which channel bindings a connection has data for, and how to get it."""

from collections.abc import Callable, Mapping
from functools import partial

from commonroom.net.tls import ChannelBinding, TlsEngine

CHANNEL_BINDINGS: tuple[ChannelBinding, ...] = ("tls-exporter", "tls-unique", "tls-server-end-point")
CHANNEL_BINDINGS_1_3: tuple[ChannelBinding, ...] = ("tls-exporter", "tls-server-end-point")


def channel_bindings(tls: TlsEngine) -> Mapping[str, Callable[[], bytes]]:
    """The types for which this connection has data (XEP-0440 §2)."""
    if tls.version == "TLSv1.3":  # there it is known what there is, and to derive it would cost 10 µs
        end_point = tls.channel_binding("tls-server-end-point")
        types = CHANNEL_BINDINGS_1_3 if end_point is not None else CHANNEL_BINDINGS_1_3[:1]
        return {kind: partial(_binding_data, tls, kind) for kind in types}
    found = {kind: tls.channel_binding(kind) for kind in CHANNEL_BINDINGS}
    return {kind: partial(bytes, data) for kind, data in found.items() if data is not None}


def _binding_data(tls: TlsEngine, kind: ChannelBinding) -> bytes:
    """Nothing, where there is nothing: who asked refuses to bind to that."""
    return tls.channel_binding(kind) or b""
