"""The page of metrics as OpenMetrics 1.0, which can carry exemplars: which session a number comes from.

Source: OpenMetrics 1.0, "Text format". It differs from Prometheus' text format 0.0.4 in that counters are declared
without `_total`, that a page ends with `# EOF`, and that only some comments are allowed.
"""

import re
from collections.abc import Iterable, Iterator

from ghostrouter.events.exemplars import Exemplar, Exemplars

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_PREFIX = "ray_"
_SAMPLE = re.compile(r"(?P<name>[A-Za-z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\(.)")
_TYPES = {"untyped": "unknown"}


def is_asked_for(accept: str) -> bool:
    """Whether an `Accept` header names OpenMetrics. Prometheus names it before what else it reads."""
    return any(part.split(";")[0].strip().lower() == "application/openmetrics-text" for part in accept.split(","))


def open_metrics(lines: Iterable[str], exemplars: Exemplars, replica: str) -> str:
    """The page. `lines` are of Prometheus' text format, all of a metric together.

    Exemplars go to the series of the ingress replica `replica`, which has kept them.
    """
    return "".join(f"{line}\n" for line in [*_lines(lines, exemplars, replica), "# EOF"])


def _lines(lines: Iterable[str], exemplars: Exemplars, replica: str) -> Iterator[str]:
    with_exemplars = {f"{_PREFIX}{name}" for name in exemplars.metrics}
    family, held = "", list[str]()
    for line in lines:
        if line.startswith("# HELP "):
            held = [line]  # its name depends on the type, which comes next
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ", 3)
            is_total = kind == "counter" and name.endswith("_total")
            family = name.removesuffix("_total") if is_total else name
            if kind == "counter" and not is_total:
                kind = "unknown"  # a counter without `_total` is none
            yield f"# TYPE {family} {_TYPES.get(kind, kind)}"
            yield from (f"# HELP {family} {_help(text)}" for text in held if text.count(" ") >= 3)
            held = []
        elif not line.startswith("#"):
            yield _sample(line, family, exemplars, replica) if family in with_exemplars else line


def _help(line: str) -> str:
    """The text of a line of help. Backslashes and new lines are escaped in both formats, quotes only here."""
    return line.split(" ", 3)[3].replace('"', r"\"")


def _sample(line: str, family: str, exemplars: Exemplars, replica: str) -> str:
    """A sample, with its exemplar if it has one. Only counters and buckets may have one."""
    found = _SAMPLE.match(line)
    if found is None or not found["name"].endswith(("_total", "_bucket")):
        return line
    labels = {name: _ESCAPE.sub(_character, value) for name, value in _LABEL.findall(found["labels"] or "")}
    if labels.get("replica") != replica:
        return line
    bound = labels.pop("le", None)
    metric = family.removeprefix(_PREFIX)
    exemplar = exemplars.of(metric, frozenset(labels.items()), None if bound is None else float(bound))
    return f"{line} # {_told(exemplar)}" if exemplar and exemplar.labels else line


def _told(exemplar: Exemplar) -> str:
    labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in exemplar.labels.items())
    return f"{{{labels}}} {exemplar.value!r} {exemplar.at_s:.3f}"


def _character(escape: re.Match[str]) -> str:
    return "\n" if escape[1] == "n" else escape[1]


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
