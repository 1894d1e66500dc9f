"""Processor time and memory of a server with all its processes, from /proc.

The processes of a server are its first one, the descendants of that, and all that share a session with one of them
(`setsid`): a daemon that was given another parent is still counted. A process that ends between two readings takes
with it what it used after the first.

RSS counts a page that several processes share once for each of them. PSS divides it among them, so that the sum is what
the server really takes.
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")
_MB = 1e6


@dataclass(frozen=True, slots=True)
class Process:
    """One process at one moment. `began` and `pid` together name it: a pid alone is used again."""

    pid: int
    parent: int
    session: int
    began: int
    cpu_s: float

    @property
    def key(self) -> tuple[int, int]:
        return self.pid, self.began


@dataclass(frozen=True, slots=True)
class Used:
    """What a process has used so far, and what it is for."""

    role: str
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory in MB."""

    rss_mb: float
    pss_mb: float


def parse_stat(text: str) -> Process:
    """A process from /proc/PID/stat. The name of the program may contain spaces and brackets."""
    head, _, rest = text.rpartition(")")
    fields = rest.split()
    cpu_s = (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
    return Process(int(head.split(" ", 1)[0]), int(fields[1]), int(fields[3]), int(fields[19]), cpu_s)


def family(root: int, processes: Iterable[Process], known: Iterable[tuple[int, int]] = ()) -> list[Process]:
    """`root`, its descendants, and all in the sessions that one of them leads. `known` were found before."""
    processes, known = list(processes), set(known)
    members = {p.pid for p in processes if p.pid == root or p.key in known}
    while True:
        more = {p.pid for p in processes if p.pid not in members and (p.parent in members or p.session in members)}
        if not more:
            return [p for p in processes if p.pid in members]
        members |= more


def role_of(command: bytes) -> str:
    """What a process is for, from /proc/PID/cmdline: its title, the module or the script that it runs.

    >>> role_of(b"ray::ServeReplica:ghostrouter:Ingress")
    'Ingress'
    """
    words = [w.decode(errors="replace").strip() for w in command.split(b"\0") if w.strip()]
    if not words:
        return "?"
    title = words[0]
    if replica := re.match(r"ray::(?:SERVE_REPLICA::\S+?:)?ServeReplica:[^:]+:(.+?)(\.\w+(\(\))?)?$", title):
        return replica[1]
    if title.startswith(("ray::", "VLLM::")):
        return re.split(r"[.\s]", title.partition("::")[2], maxsplit=1)[0]
    if title.startswith("ray-dashboard-"):
        return "dashboard module"
    if not re.match(r"(python|node)", Path(title).name):
        return Path(title.split(" ")[0]).name
    for i, word in enumerate(words[1:], 1):
        if word == "-m":
            return words[i + 1]
        if word == "-c":
            return "dashboard module" if "ray.dashboard" in " ".join(words[i + 1 :]) else "multiprocessing"
        if not word.startswith("-"):
            return Path(word).name
    return Path(title).name


class ProcessTree:
    """All processes of a server that was started as the process `root`."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._known: set[tuple[int, int]] = set()

    def read(self) -> dict[tuple[int, int], Used]:
        """What each process has used so far."""
        found = self._family()
        roles = {p.pid: _role(p.pid) for p in found}
        return {p.key: Used(_told_apart(p, roles), p.cpu_s) for p in found}

    def memory(self) -> dict[str, Memory]:
        """The memory of the processes by role. A reading takes some milliseconds of each: not while one measures."""
        found = self._family()
        roles = {p.pid: _role(p.pid) for p in found}
        sums: dict[str, Memory] = {}
        for process in found:
            role, own = _told_apart(process, roles), _memory(process.pid)
            before = sums.get(role, Memory(0.0, 0.0))
            sums[role] = Memory(before.rss_mb + own.rss_mb, before.pss_mb + own.pss_mb)
        return sums

    def pids(self) -> list[int]:
        """The processes that run now."""
        return [p.pid for p in self._family()]

    def _family(self) -> list[Process]:
        found = family(self._root, _all(), self._known)
        self._known |= {p.key for p in found}
        return found


def cpu_by_role(before: Mapping[tuple[int, int], Used], after: Mapping[tuple[int, int], Used]) -> dict[str, float]:
    """Seconds of processor time by role between two readings. All that a new process has used came between them."""
    seconds: defaultdict[str, float] = defaultdict(float)
    for key, used in after.items():
        seconds[used.role] += used.cpu_s - (before[key].cpu_s if key in before else 0.0)
    return dict(seconds)


def _all() -> list[Process]:
    found = []
    for name in os.listdir(_PROC):
        if name.isdigit():
            try:
                found.append(parse_stat((_PROC / name / "stat").read_text(errors="replace")))
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has just ended
    return found


def _role(pid: int) -> str:
    try:
        return role_of((_PROC / str(pid) / "cmdline").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return "?"


def _told_apart(process: Process, roles: Mapping[int, str]) -> str:
    """The role. An engine's process is named after the replica that it belongs to, as each replica has one."""
    role = roles[process.pid]
    parent = roles.get(process.parent, "")
    return f"{parent} {role}" if ":" in parent and role in ("EngineCore", "Worker") else role


def _memory(pid: int) -> Memory:
    try:
        text = (_PROC / str(pid) / "smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return Memory(0.0, 0.0)
    sizes = {name: int(kb) * 1024 / _MB for name, kb in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE)}
    return Memory(sizes.get("Rss", 0.0), sizes.get("Pss", 0.0))
