"""sd_notify(3): what systemd is told."""

import asyncio
import os
import socket
from pathlib import Path

from commonroom.app.notify import Notify


def listener(path: Path | str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(str(path))
    sock.settimeout(5)
    return sock


def test_where_nobody_listens_nothing_is_said(tmp_path: Path) -> None:
    Notify({}).ready()
    Notify({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()
    asyncio.run(Notify({"WATCHDOG_USEC": "1000"}).watchdog())


def test_each_moment_is_told(tmp_path: Path) -> None:
    with listener(tmp_path / "n") as sock:
        notify = Notify({"NOTIFY_SOCKET": str(tmp_path / "n")})
        notify.ready()
        notify.reloading()
        notify.stopping()
        assert sock.recv(100) == b"READY=1"
        assert sock.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
        assert sock.recv(100) == b"STOPPING=1"


def test_an_address_may_be_abstract() -> None:
    name = f"commonroom-test-{os.getpid()}"
    with listener(f"\0{name}") as sock:
        Notify({"NOTIFY_SOCKET": f"@{name}"}).ready()
        assert sock.recv(100) == b"READY=1"


def test_the_loop_says_that_it_lives_twice_as_often_as_it_must(tmp_path: Path) -> None:
    async def live(notify: Notify) -> None:
        task = asyncio.ensure_future(notify.watchdog())
        await asyncio.sleep(0.12)
        task.cancel()

    with listener(tmp_path / "n") as sock:
        environment = {"NOTIFY_SOCKET": str(tmp_path / "n"), "WATCHDOG_USEC": "100000"}
        asyncio.run(live(Notify(environment)))
        assert [sock.recv(100) for _ in range(2)] == [b"WATCHDOG=1"] * 2
        asyncio.run(live(Notify({**environment, "WATCHDOG_PID": "1"})))
        sock.settimeout(0)
        rest = 0
        try:
            while sock.recv(100):
                rest += 1
        except BlockingIOError:
            pass
        assert rest <= 1  # the third of the first, none of another process's watchdog
