"""Stands between a client and a PostgreSQL server, and breaks the connection when a commit was answered."""

import select
import socket
import threading
from pathlib import Path

SOCKET_NAME = ".s.PGSQL.5432"


class CutCable:
    """Listens on a Unix socket of its own. Once `armed`, the next answer to a COMMIT never arrives."""

    def __init__(self, folder: Path, server: Path) -> None:
        self.folder = folder
        self.cuts = 0
        self._armed = threading.Event()
        self._server = server
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / SOCKET_NAME))
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def arm(self) -> None:
        self._armed.set()

    def close(self) -> None:
        """Stop listening; the connections must have ended."""
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            thread = threading.Thread(target=self._relay, args=(client,))
            self._threads.append(thread)
            thread.start()

    def _relay(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(str(self._server / SOCKET_NAME))
            while True:
                for source in select.select([client, server], [], [])[0]:
                    data = source.recv(65536)
                    if not data or (source is server and self._cuts(data)):
                        return
                    (client if source is server else server).sendall(data)

    def _cuts(self, answer: bytes) -> bool:
        # "COMMIT" with its NUL is the tag of the server's CommandComplete.
        if not self._armed.is_set() or b"COMMIT\0" not in answer:
            return False
        self._armed.clear()
        self.cuts += 1
        return True
