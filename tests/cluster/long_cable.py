"""A cable with latency and loss, for kernels without `netem`: a program that carries frames between two interfaces.

    python -m tests.cluster.long_cable INTERFACE INTERFACE DELAY_MS LOSS SEED

Each frame arrives DELAY_MS later, in order, or with the probability LOSS not at all.
"""

import asyncio
import socket
import sys
from random import Random

_ALL_PROTOCOLS = 0x0003
_OUTGOING = 4
_MOST_BYTES = 65_536


def _opened(interface: str) -> socket.socket:
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_PROTOCOLS))
    opened.bind((interface, _ALL_PROTOCOLS))
    opened.setblocking(False)
    return opened


async def carry(interfaces: tuple[str, str], delay_s: float, loss: float, rng: Random) -> None:
    """Carry frames both ways, without end."""
    loop = asyncio.get_running_loop()
    one, other = map(_opened, interfaces)

    def take(source: socket.socket, target: socket.socket) -> None:
        while True:
            try:
                frame, address = source.recvfrom(_MOST_BYTES)
            except BlockingIOError:
                return
            if address[2] != _OUTGOING and rng.random() >= loss:
                loop.call_later(delay_s, target.send, frame)

    loop.add_reader(one, take, one, other)
    loop.add_reader(other, take, other, one)
    await asyncio.Event().wait()


if __name__ == "__main__":
    first, second, delay_ms, loss, seed = sys.argv[1:]
    asyncio.run(carry((first, second), float(delay_ms) / 1e3, float(loss), Random(int(seed))))
