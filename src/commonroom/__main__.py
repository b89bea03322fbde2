"""`python -m commonroom` is the command `commonroom`."""

from commonroom.cli import main

main()
