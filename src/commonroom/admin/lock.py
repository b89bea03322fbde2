"""One service for one state folder."""

import fcntl
from pathlib import Path
from typing import TextIO

LOCK_FILE = "commonroom.lock"


class StateError(Exception):
    """The state folder cannot be used; the text names it and says what to do."""


class AlreadyRunning(StateError):  # noqa: N818 - what was found
    """Another service uses the same state folder."""


class StateLock:
    """Keeps the state folder to one service; the system lets go of it however the process ends."""

    def __init__(self, state: Path) -> None:
        self._path = state / LOCK_FILE

    def __enter__(self) -> None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = self._path.open("a+")
        except OSError as error:
            raise StateError(
                f"{self._path}: cannot be written ({error.strerror}); give the folder to the service's user"
            ) from None
        try:
            _lock(self._file)
        except BlockingIOError:
            self._file.close()
            raise AlreadyRunning(
                f"{self._path}: another service is running with this state folder; stop it first"
            ) from None

    def __exit__(self, *exception: object) -> None:
        self._file.close()


def is_running(state: Path) -> bool:
    """Whether a service uses the folder now."""
    try:
        with (state / LOCK_FILE).open("r") as file:
            _lock(file)
    except BlockingIOError:
        return True
    except OSError:
        return False  # no service has ever run here, or not as this user
    return False


def _lock(file: TextIO) -> None:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
