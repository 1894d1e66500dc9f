"""One page with the metrics of all nodes, for a Prometheus that knows nothing of Ray.

Each node exports the metrics of its processes at a port of its own. The page has those of GhostRouter and of vLLM. A
Prometheus that reads OpenMetrics gets exemplars as well: those of the ingress replica that it has asked.
"""

import asyncio
import ssl
from collections.abc import Callable, Iterable, Sequence

import httpx
import ray

from deployments.http.cached import Cached
from deployments.http.open_metrics import open_metrics
from ghostrouter.events.exemplars import Exemplars

_OURS = ("ray_ghost_", "ray_vllm_")
_KEEP_S = 1.0
_TIMEOUT_S = 5.0
_UP = "ray_ghost_node_up"


def exporters() -> list[str]:
    """Where the nodes that are alive export their metrics, as host:port. Blocks."""
    if not ray.is_initialized():
        return []
    return [f"{node['NodeManagerAddress']}:{node['MetricsExportPort']}" for node in ray.nodes() if node["Alive"]]


class NodeMetrics:
    """Reads every node at most once a second, however many ask.

    `exemplars` are those of the ingress replica `replica`.
    """

    def __init__(
        self,
        find: Callable[[], Sequence[str]] = exporters,
        exemplars: Exemplars | None = None,
        replica: str = "",
    ) -> None:
        self._find = find
        self._exemplars = exemplars or Exemplars()
        self._replica = replica
        self._client: httpx.AsyncClient | None = None
        self._lines: Cached[list[str]] = Cached(self._read, _KEEP_S)

    async def page(self) -> str:
        """The metrics in Prometheus' text format. A node that does not answer is there only as not `up`."""
        return "\n".join(await self._lines.get()) + "\n"

    async def open_metrics(self) -> str:
        """The same as OpenMetrics, with exemplars."""
        return open_metrics(await self._lines.get(), self._exemplars, self._replica)

    async def close(self) -> None:
        """Close the connections."""
        if self._client:
            await self._client.aclose()

    async def _read(self) -> list[str]:
        if self._client is None:  # certificates are not loaded: nodes speak plain HTTP
            self._client = httpx.AsyncClient(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), timeout=_TIMEOUT_S)
        nodes = await asyncio.to_thread(self._find)
        pages = await asyncio.gather(*(self._read_node(self._client, node) for node in nodes))
        up = [f'{_UP}{{node="{n}"}} {int(page is not None)}' for n, page in zip(nodes, pages, strict=True)]
        head = [f"# HELP {_UP} 1 if a node has told its metrics for this page, else 0.", f"# TYPE {_UP} gauge"]
        return [*head, *up, *merged(page for page in pages if page is not None)]

    @staticmethod
    async def _read_node(client: httpx.AsyncClient, node: str) -> str | None:
        try:
            return (await client.get(f"http://{node}/metrics")).raise_for_status().text
        except httpx.HTTPError:
            return None


def merged(pages: Iterable[str]) -> list[str]:
    """The lines of our metrics in pages of Prometheus' text format. All lines of a metric are together, as it asks."""
    found: dict[str, dict[str, None]] = {}
    for page in pages:
        lines: dict[str, None] | None = None
        for line in page.splitlines():
            if line.startswith("# "):
                name = line.split(" ", 3)[2]
                lines = found.setdefault(name, {}) if name.startswith(_OURS) else None
            if lines is not None and line:
                lines[line] = None  # a comment is the same on every node, and is told once
    return [line for lines in found.values() for line in lines]
