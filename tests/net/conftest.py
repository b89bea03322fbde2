"""A certificate for the tests of connections."""

from datetime import UTC, datetime

import pytest

from commonroom.config import KeyPair
from commonroom.net.certificates import create_self_signed
from commonroom.net.tls import TlsContexts


@pytest.fixture(scope="session")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> TlsContexts:
    """The certificate of example.org."""
    folder = tmp_path_factory.mktemp("certificate")
    pair = KeyPair(folder / "certificate.pem", folder / "key.pem")
    create_self_signed(*pair, ["example.org"], datetime.now(UTC))
    return TlsContexts({"example.org": pair})
