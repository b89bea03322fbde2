"""What a conversation leaves open is closed after it."""

from collections.abc import Iterator

import pytest

from tests.conversations.listed import close_directories


@pytest.fixture(autouse=True)
def close_account_files() -> Iterator[None]:
    """A service closes them when it ends; a world has no end."""
    yield
    close_directories()
