"""The command `commonroom`: reads what operators type, and prints; the work is done in `admin` and `app`."""

from commonroom.cli.root import main

__all__ = ["main"]
