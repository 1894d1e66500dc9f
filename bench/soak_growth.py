"""Memory and file descriptors of a service's processes over time, from /proc."""

import os
import statistics
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from bench.processes import ProcessTree

_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1e6
_LEAST = 8
_HOUR_S = 3600.0
# (seconds, MB)
Sample = tuple[float, float]


class Growth:
    """Watches all processes of a server."""

    def __init__(self, root: int) -> None:
        self._tree = ProcessTree(root)
        self._samples: defaultdict[tuple[int, int], list[Sample]] = defaultdict(list)
        self._roles: dict[tuple[int, int], str] = {}

    def sample(self, now_s: float) -> None:
        """Note the memory of every process."""
        for key, used in self._tree.read().items():
            self._roles[key] = used.role
            try:
                pages = int(Path(f"/proc/{key[0]}/statm").read_text().split()[1])
            except OSError:
                continue  # it has just ended
            self._samples[key].append((now_s, pages * _PAGE_MB))

    def slopes_mb_per_h(self, from_s: float, last_s: float) -> dict[str, float]:
        """The growth of the processes that lived from a moment to the last sample, by role.

        A process that was killed meanwhile, and the one in its place, have none.
        """
        found: defaultdict[str, float] = defaultdict(float)
        for key, samples in self._samples.items():
            late = [s for s in samples if s[0] >= from_s]
            if samples[0][0] <= from_s and samples[-1][0] >= last_s and len(late) >= _LEAST:
                found[self._roles[key]] += _HOUR_S * slope(late)
        return dict(found)

    def open_files(self) -> dict[str, int]:
        """The open file descriptors, by role."""
        found: defaultdict[str, int] = defaultdict(int)
        for (pid, _), used in self._tree.read().items():
            try:
                found[used.role] += len(os.listdir(f"/proc/{pid}/fd"))
            except OSError:
                continue
        return dict(found)


def slope(samples: Sequence[Sample]) -> float:
    """The median of the slopes between all pairs (Theil 1950, Sen 1968): a few outliers do not move it.

    >>> slope([(0.0, 1.0), (1.0, 3.0), (2.0, 5.0), (3.0, 100.0)])
    2.0
    """
    pairs = [(b, a) for i, a in enumerate(samples) for b in samples[i + 1 :] if b[0] > a[0]]
    return statistics.median((b[1] - a[1]) / (b[0] - a[0]) for b, a in pairs)
