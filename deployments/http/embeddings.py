"""/v1/embeddings: texts to vectors, in OpenAI's format."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.http.backend import Backend
from deployments.http.body import json_body
from deployments.http.requester_in_scope import requester
from ghostrouter.api import embeddings


class EmbeddingsApi:
    """The handler of the API."""

    def __init__(self, backend: Backend, max_body_bytes: int) -> None:
        self._backend = backend
        self._max_body_bytes = max_body_bytes

    def routes(self) -> list[Route]:
        """The route of the API."""
        return [Route("/v1/embeddings", self._embed, methods=["POST"])]

    async def _embed(self, request: Request) -> Response:
        call = embeddings.from_wire(await json_body(request, self._max_body_bytes))
        embedded = await self._backend.embeddings.embed(call, requester(request))
        return JSONResponse(embeddings.to_wire(call, embedded))
