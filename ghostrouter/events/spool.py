"""The spool: a file that keeps rows, one per line, while the event store is down."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ghostrouter.events.records import Row, from_json, to_json


class Spool:
    """A file of at most `max_bytes`. It survives the process. Rows may be read more than once.

    Every method blocks and raises OSError if the folder cannot be used.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._path = path
        self._max_bytes = max_bytes

    def is_empty(self) -> bool:
        """Whether there are no rows."""
        return not self._path.exists()

    def append(self, rows: Sequence[Row]) -> int:
        """Append rows while there is room; returns their number. Rows that are not JSON are left out."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            room, written = self._max_bytes - file.tell(), 0
            for row in rows:
                try:
                    line = json.dumps(to_json(row), separators=(",", ":")).encode() + b"\n"
                except (TypeError, ValueError):
                    continue
                room -= len(line)
                if room < 0:
                    break
                # A dying process may have left an incomplete line; it is ended first.
                file.write(line if file.tell() == 0 or written else b"\n" + line)
                written += 1
            file.flush()
            os.fsync(file.fileno())
        return written

    def batches(self, size: int) -> Iterator[list[Row]]:
        """The rows in order, in batches of `size`. Lines that are not rows are skipped."""
        if self.is_empty():
            return
        with self._path.open("rb") as file:
            yield from _batched(_rows(file), size)

    def clear(self) -> None:
        """Delete all rows, after they have been written to the store."""
        self._path.unlink(missing_ok=True)


def _rows(lines: Iterable[bytes]) -> Iterator[Row]:
    for line in lines:
        try:
            yield from_json(json.loads(line))
        except (ValueError, TypeError, AttributeError):
            continue


def _batched(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
