"""PromQL for GhostRouter's metrics. Queries take metrics from their table, so none can name one that does not exist."""

from dataclasses import dataclass

from ghostrouter.events.metrics import Metric

_RATE = "[$__rate_interval]"


@dataclass(frozen=True, slots=True)
class Query:
    """An expression, and the legend of its series."""

    expression: str
    legend: str


def series(metric: Metric) -> str:
    """The name of a metric in Prometheus: Ray's prefix, and the suffix of its kind."""
    return f"ray_{metric.name}" + {"counter": "_total", "gauge": "", "histogram": "_bucket"}[metric.kind]


def rate(metric: Metric, *by: str, legend: str = "", or_zero: bool = False) -> Query:
    """The rate of a counter per second. `or_zero`: it is 0, and not unknown, as long as nothing was counted."""
    expression = f"sum {_by(by)}(rate({series(metric)}{_RATE}))"
    return Query(expression + (" or on() vector(0)" if or_zero else ""), legend or _legend(by) or metric.name)


def gauge(metric: Metric, how: str, *by: str, legend: str = "", default: float | None = None) -> Query:
    """A gauge over all processes. `how` is PromQL's aggregation. `default`: its value where no process sets it."""
    expression = f"{how} {_by(by)}({series(metric)})"
    if default is not None:
        expression += f" or on() vector({default:g})"
    return Query(expression, legend or _legend(by) or metric.name)


def quantiles(metric: Metric, *by: str, of: tuple[float, ...] = (0.5, 0.99), or_zero: bool = False) -> list[Query]:
    """Quantiles of a histogram. `or_zero`: they are 0 as long as nothing was observed."""
    grouped = f"sum {_by(('le', *by))}(rate({series(metric)}{_RATE}))"
    zero = " or on() vector(0)" if or_zero else ""
    return [Query(f"histogram_quantile({q:g}, {grouped}){zero}", f"{_legend(by)} p{q * 100:g}".strip()) for q in of]


def ratio(part: str, whole: str, legend: str) -> Query:
    """One expression divided by another; 0 where nothing happens."""
    return Query(f"({part}) / ({whole} > 0) or on() vector(0)", legend)


def recorded(name: str, legend: str) -> Query:
    """A series of a recording rule (dashboards/prometheus/recording.yaml)."""
    return Query(name, legend)


def _by(labels: tuple[str, ...]) -> str:
    return f"by ({', '.join(labels)}) " if labels else ""


def _legend(labels: tuple[str, ...]) -> str:
    return " ".join("{{" + label + "}}" for label in labels)
