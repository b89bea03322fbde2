"""One service for one state folder."""

from pathlib import Path

import pytest

from commonroom.admin.lock import AlreadyRunning, StateError, StateLock, is_running


def test_a_second_service_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with (
        StateLock(tmp_path),
        pytest.raises(
            AlreadyRunning, match=r"commonroom\.lock: another service is running .*; stop it first"
        ),
        StateLock(tmp_path),
    ):
        pass


def test_a_folder_that_is_none_is_refused_with_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(StateError, match="cannot be written"), StateLock(file):
        pass


def test_a_service_that_ended_leaves_nothing_locked(tmp_path: Path) -> None:
    state = tmp_path / "new" / "state"
    assert not is_running(state)
    for _ in range(2):
        with StateLock(state):
            assert is_running(state)
        assert not is_running(state)


def test_a_folder_that_is_made_is_the_owner_s_alone(tmp_path: Path) -> None:
    with StateLock(tmp_path / "state"):
        assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
