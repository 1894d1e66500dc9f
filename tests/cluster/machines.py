"""Machines on one host: each has its own network, processes and temporary folder, and all are on one switch.

A machine is a set of Linux namespaces, which needs root. Its processes die with it at once, as at a loss of power. Its
cable can be pulled out and put back, or be a long one (`long_cable.py`). Files are those of the host, except for Ray's.
"""

import array
import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

NETWORK = "10.77.0"
SWITCH = f"{NETWORK}.254"
"""The address of the host: of these tests, and of servers that outlive every machine."""
_PATIENCE_S = 60.0
# linux/sockios.h and linux/ethtool.h
_SIOCETHTOOL = 0x8946
_SET_TX_CHECKSUM, _SET_TSO, _SET_GSO = 0x17, 0x1F, 0x24


class Machine:
    """A machine that runs. `number` is the end of its address."""

    def __init__(self, name: str, number: int, logs: Path) -> None:
        self.name = name
        self.address = f"{NETWORK}.{number}"
        self.log = logs / f"{name}.log"
        self._cable = f"gr{number}"
        self._programs: list[subprocess.Popen[bytes]] = []
        self._long_cable: subprocess.Popen[bytes] | None = None
        self._start()

    def _start(self) -> None:
        isolated = ["unshare", "--net", "--pid", "--mount", "--uts", "--fork", "--kill-child", "--mount-proc"]
        self._holder = subprocess.Popen([*isolated, "sleep", "infinity"])
        self.init = self._first_process()
        _do("ip", "link", "add", self._cable, "type", "veth", "peer", "name", "eth0", "netns", str(self.init))
        _do("ip", "link", "set", self._cable, "master", "ghost", "up")
        for line in (
            "ip link set lo up",
            f"ip address add {self.address}/24 dev eth0",
            "ip link set eth0 up",
            f"hostname {self.name}",
            "mkdir -p /tmp/ray",
            "mount -t tmpfs ray /tmp/ray",
            "mount -t tmpfs memory /dev/shm",
        ):
            _do(*self._inside(), *line.split())

    def _first_process(self) -> int:
        """The process that all others of the machine descend from, in the host's numbers."""
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children")
        deadline_s = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline_s:
            for child in children.read_text().split():
                if Path(f"/proc/{child}/comm").read_text().strip() == "sleep":
                    return int(child)
            time.sleep(0.02)
        raise TimeoutError(f"{self.name} did not start")

    def _inside(self) -> list[str]:
        return ["nsenter", "-t", str(self.init), "--net", "--pid", "--mount", "--uts", f"--wd={os.getcwd()}"]

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a program on the machine. It writes to the machine's log."""
        whole = {**os.environ, **environment}
        with self.log.open("ab") as out:
            program = subprocess.Popen([*self._inside(), *command], env=whole, stdout=out, stderr=subprocess.STDOUT)
        self._programs.append(program)

    def output(self, *command: str) -> str:
        """What a program prints that is run on the machine; empty if it fails."""
        return subprocess.run([*self._inside(), *command], check=False, capture_output=True, text=True).stdout

    def pull_cable(self) -> None:
        """Cut the machine off. Its processes go on."""
        _do("ip", "link", "set", self._cable, "down")

    def plug_in(self) -> None:
        """Connect it again."""
        _do("ip", "link", "set", self._cable, "up")

    def lengthen_cable(self, delay_ms: float, loss: float, seed: int) -> None:
        """Give it a cable on which each frame takes `delay_ms`, or is lost with the probability `loss`."""
        near, far = f"{self._cable}a", f"{self._cable}b"
        _do("ip", "link", "add", near, "type", "veth", "peer", "name", far)
        _without_offloading(far)
        subprocess.run([*self._inside(), sys.executable, "-m", __name__, "eth0"], check=True)
        _do("ip", "link", "set", self._cable, "nomaster", "promisc", "on")
        _do("ip", "link", "set", near, "promisc", "on", "up")
        _do("ip", "link", "set", far, "master", "ghost", "up")
        carried = [self._cable, near, str(delay_ms), str(loss), str(seed)]
        self._long_cable = subprocess.Popen([sys.executable, "-m", "tests.cluster.long_cable", *carried])

    def shorten_cable(self) -> None:
        """Connect it directly again."""
        self._throw_away_long_cable()
        _do("ip", "link", "set", self._cable, "promisc", "off", "master", "ghost")

    def _throw_away_long_cable(self) -> None:
        if self._long_cable:
            self._long_cable.kill()
            self._long_cable.wait()
            self._long_cable = None
            _do("ip", "link", "delete", f"{self._cable}a")

    def kill(self) -> None:
        """Kill all its processes at once. Nothing is left of it."""
        with suppress(ProcessLookupError):  # it is dead already
            os.kill(self.init, signal.SIGKILL)
        self._throw_away_long_cable()
        # The kernel takes its time to remove the network of dead processes, and the cable with it.
        subprocess.run(["ip", "link", "delete", self._cable], check=False, capture_output=True)
        for program in (self._holder, *self._programs):
            program.wait(_PATIENCE_S)
        self._programs.clear()

    def start_again(self) -> None:
        """Start it after it was killed, with nothing on it."""
        self._start()


@contextmanager
def switch() -> Iterator[None]:
    """The switch that all machines are on."""
    _do("ip", "link", "add", "ghost", "type", "bridge")
    try:
        _do("ip", "address", "add", f"{SWITCH}/24", "dev", "ghost")
        _do("ip", "link", "set", "ghost", "up")
        yield
    finally:
        _do("ip", "link", "delete", "ghost")


def _do(*command: str) -> None:
    subprocess.run(command, check=True)


def _without_offloading(interface: str) -> None:
    """Let the kernel itself make checksums and cut packets to size, so that a program can carry them."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        for feature in (_SET_TX_CHECKSUM, _SET_TSO, _SET_GSO):
            value = array.array("I", [feature, 0])
            request = struct.pack("16sP", interface.encode(), value.buffer_info()[0])
            fcntl.ioctl(opened, _SIOCETHTOOL, request)


if __name__ == "__main__":
    _without_offloading(sys.argv[1])
