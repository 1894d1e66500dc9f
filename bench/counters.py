"""The counters of the running service, as Prometheus would read them."""

import asyncio

import httpx
from prometheus_client.parser import text_string_to_metric_families

from bench.service import DASHBOARD
from ghostrouter.cli.serve import authorization
from ghostrouter.events.metrics import TOKENS, Metric

# Ray passes figures on every ten seconds, in two steps.
_SETTLED_S = 25.0


async def totals(*wanted: Metric) -> dict[str, float]:
    """The sum of each counter over all processes and labels; 0 for one that has never counted.

    Raises:
        RuntimeError: the service exports no token counter, so that a 0 would mean nothing.
    """
    await asyncio.sleep(_SETTLED_S)
    found: dict[str, float] = {}
    # A busy machine's exporter may refuse a connection once.
    async with httpx.AsyncClient(timeout=60, transport=httpx.AsyncHTTPTransport(retries=5)) as http:
        targets = (await http.get(f"{DASHBOARD}/api/prometheus/sd", headers=authorization())).raise_for_status().json()
        for target in {t for group in targets for t in group["targets"]}:
            page = (await http.get(f"http://{target}/metrics")).raise_for_status().text
            for family in text_string_to_metric_families(page):
                for sample in family.samples:
                    found[sample.name] = found.get(sample.name, 0.0) + sample.value
    if not _total(found, TOKENS):
        raise RuntimeError(f"{TOKENS.name} is not exported: no counter can be read")
    return {metric.name: _total(found, metric) for metric in wanted}


def _total(found: dict[str, float], metric: Metric) -> float:
    return sum(value for name, value in found.items() if name.removesuffix("_total") == f"ray_{metric.name}")
