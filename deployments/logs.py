"""Structured logs: each line is an event with fields, and the ids of the session and trace that it belongs to.

Code logs `log.warning("journal.slow shard=%s patience_s=%g", shard, patience_s)`. With `logs.format: json` the line
also gets `event: journal.slow` and `fields: {shard: ..., patience_s: ...}`.
"""

import logging
import re
from collections.abc import Mapping
from contextvars import ContextVar

_LOGGER = "ray.serve"
_FIELD = re.compile(r"(\w+)=%[^\s%]*[a-z]")
_PLAIN = (str, int, float, bool, type(None))
_ids: ContextVar[Mapping[str, str]] = ContextVar("log_ids", default={})  # noqa: B039 - never changed in place


def bind(**ids: str) -> None:
    """Add ids to all later lines of this task and of the tasks that it starts."""
    _ids.set({**_ids.get(), **ids})


def structure(record: logging.LogRecord) -> bool:
    """A filter of records that lets all pass. It adds the event, its fields and the ids."""
    template, arguments = str(record.msg), record.args
    names = _FIELD.findall(template)
    if names and isinstance(arguments, tuple) and len(names) == len(arguments):
        record.event = template.split(" ", 1)[0]
        record.fields = {n: a if isinstance(a, _PLAIN) else str(a) for n, a in zip(names, arguments, strict=True)}
    for name, value in _ids.get().items():
        if not hasattr(record, name):
            setattr(record, name, value)
            if f"{name}=" not in template:
                record.msg = f"{record.msg} {name}={value}"
    return True


def install() -> None:
    """Structure what this process logs from now on."""
    logging.getLogger(_LOGGER).addFilter(structure)
