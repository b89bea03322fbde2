"""What it would cost to hand a message to a second process of the service: `python -m bench.hop`.

One process parses messages as from a client, serializes them and writes them to a socket between processes,
all of a turn at once; the other parses them and serializes them for its own client. Printed is the CPU of the
hop for each message: everything that would come on top when sender and recipient are in different processes.
"""

import os
import resource
import socket
import struct

from bench.stanzas import MESSAGE
from commonroom.protocol.stanza import read_message
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT
from commonroom.xml.parser import Limits, StreamParser

MESSAGES = 40_000
LIMITS = Limits(1 << 20, 100, 1000, 100, 1000)
HEADER = f"<stream xmlns='{NS_CLIENT}'>".encode()
LENGTH = struct.Struct("!I")


def cpu() -> float:
    """Seconds of this process, user and system."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def send(sock: socket.socket, texts: list[str]) -> None:
    """What a turn of the loop gathered, with its length before it."""
    data = "".join(texts).encode()
    sock.sendall(LENGTH.pack(len(data)) + data)


def receive(sock: socket.socket) -> bytes:
    """What one `send` wrote; empty at the end."""
    head = sock.recv(LENGTH.size, socket.MSG_WAITALL)
    return sock.recv(LENGTH.unpack(head)[0], socket.MSG_WAITALL) if head else b""


def take(sock: socket.socket) -> int:
    """The other process: parse, read and write what comes; gives how many came."""
    parser = StreamParser(LIMITS)
    parser.feed(HEADER)
    count = 0
    while data := receive(sock):
        for event in parser.feed(data):
            if isinstance(event, Element):
                read_message(event).xml()
                count += 1
    return count


def hop(batch: int) -> tuple[float, float]:
    """CPU in µs for each message at the sending and at the receiving process, when so many go together."""
    here, there = socket.socketpair()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        here.close()
        began = cpu()
        count = take(there)
        os.write(writing, f"{(cpu() - began) / count}".encode())
        os._exit(0)
    there.close()
    text = MESSAGE.replace("@TO@", "juliet@bench.example").replace("@ID@", "m1")
    began = cpu()
    for _ in range(MESSAGES // batch):
        send(here, [text] * batch)
    sent = (cpu() - began) / MESSAGES
    here.close()
    os.waitpid(child, 0)
    return sent * 1e6, float(os.read(reading, 100)) * 1e6


def main() -> None:
    """Print a table."""
    print("messages at once   CPU µs there   CPU µs here   together")
    for batch in (1, 8, 64):
        sent, received = hop(batch)
        print(f"{batch:16} {received:14.1f} {sent:13.1f} {sent + received:10.1f}")


if __name__ == "__main__":
    main()
