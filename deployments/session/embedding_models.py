"""The models behind /v1/embeddings: deployments of our own, and providers."""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
from ray.serve.handle import DeploymentHandle

from deployments.cloud.connections import transport_to_others
from deployments.rpc import DeploymentClient, Unanswered
from deployments.session.requester import Requester
from deployments.store.quota_client import QuotaClient
from ghostrouter.access.budget import nano
from ghostrouter.api.embeddings import Embedded, EmbeddingCall, of_provider
from ghostrouter.config import EmbeddingModel, key_in
from ghostrouter.errors import InvalidRequest, NothingCanAnswer, NotPermitted, UnknownModel
from ghostrouter.events import metrics
from ghostrouter.policy.cost import price_usd
from ghostrouter.redact.prompt import PromptRedactor
from ghostrouter.redact.vault import Vault
from ghostrouter.replay.continuation import estimate_text_tokens

_TIMEOUT_S = 120.0


class EmbeddingModels:
    """Embeds texts with the configured models. `handles` are the deployments of those with a `source`, by name.

    Raises:
        ConfigError: the variable that should hold a provider's key is not set.
    """

    def __init__(
        self,
        models: Sequence[EmbeddingModel],
        handles: Mapping[str, DeploymentHandle],
        quotas: QuotaClient,
        emit: metrics.Emit,
    ) -> None:
        self._models = {m.name: m for m in models}
        self._local = {name: DeploymentClient(handle, _TIMEOUT_S, emit) for name, handle in handles.items()}
        self._keys = {m.name: _key(m) for m in models}
        self._quotas = quotas
        self._client: httpx.AsyncClient | None = None

    @property
    def names(self) -> list[str]:
        """The names that clients may ask for."""
        return list(self._models)

    async def close(self) -> None:
        """Close the connections to providers."""
        if self._client:
            await self._client.aclose()

    async def embed(self, call: EmbeddingCall, requester: Requester) -> Embedded:
        """The vectors of a call.

        Raises:
            RequestError: the call cannot be served as it is.
            NothingCanAnswer: the model is down, or its provider does not answer.
            BudgetUnknown: a budget applies, and its state is not known.
        """
        model = self._models.get(call.model)
        if model is None:
            raise UnknownModel(f"The embedding model `{call.model}` does not exist.")
        if not requester.caller.may_use(model.name):
            raise NotPermitted(f"This key may not use the model `{model.name}`.")
        if model.source:
            return await self._own(model, call)
        return await self._paid(model, call, requester)

    async def _own(self, model: EmbeddingModel, call: EmbeddingCall) -> Embedded:
        try:
            embedded: Embedded = await self._local[model.name].ask("embed", call.texts)
        except Unanswered:
            raise NothingCanAnswer(f"The model `{model.name}` does not answer at the moment.") from None
        size = embedded.vectors.shape[1]
        if call.dimensions not in (None, size):
            raise InvalidRequest(f"`dimensions`: `{model.name}` has {size} and cannot shorten them.")
        return embedded

    async def _paid(self, model: EmbeddingModel, call: EmbeddingCall, requester: Requester) -> Embedded:
        """A call of a provider, with its cost reserved before and settled after."""
        texts: Sequence[str] = call.texts
        if requester.discretion.covers(model.trust):
            texts = await asyncio.to_thread(_redacted, texts, requester.discretion.addresses)
        most = sum(2 + len(text.encode()) for text in texts)  # no text has more tokens than bytes
        behalf, reservation = requester.behalf, f"embed-{uuid.uuid4().hex}"
        owners = {"key": behalf.key, "team": behalf.team, "project": behalf.project}
        names: Any = owners | {
            "organisation": behalf.organisation, "model": model.name, "provider": model.provider,
        }  # fmt: skip
        reserved = await self._quotas.reserve(reservation, names, nano(price_usd(model.price, most, 0)))
        spent = 0
        try:
            embedded = await self._ask(model, texts, call.dimensions)
            tokens = embedded.tokens or sum(map(estimate_text_tokens, texts))
            spent = nano(price_usd(model.price, tokens, 0))
            return embedded
        finally:
            if reserved:
                self._quotas.settle(reservation, spent)

    async def _ask(self, model: EmbeddingModel, texts: Sequence[str], dimensions: int | None) -> Embedded:
        if self._client is None:
            self._client = httpx.AsyncClient(
                timeout=_TIMEOUT_S, follow_redirects=False, transport=transport_to_others()
            )
        key = self._keys[model.name]
        body = {"model": model.model or model.name, "input": list(texts), "encoding_format": "float"}
        headers = {"authorization": f"Bearer {key}"} if key else {}
        asked = body if dimensions is None else body | {"dimensions": dimensions}
        try:
            response = await self._client.post(f"{model.url}/embeddings", json=asked, headers=headers)
            if response.status_code in (400, 413, 422):
                raise InvalidRequest(f"The provider of `{model.name}` refuses this request.")
            if response.status_code != 200:
                raise NothingCanAnswer(f"The provider of `{model.name}` answers with status {response.status_code}.")
            return of_provider(response.json(), texts)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            # Not chained: httpx's errors hold the request, key and texts included.
            raise NothingCanAnswer(f"The provider of `{model.name}` fails ({type(error).__name__}).") from None


def _redacted(texts: Sequence[str], addresses: bool) -> list[str]:
    redactor = PromptRedactor(Vault(), addresses)
    return [redactor.text(text) for text in texts]


def _key(model: EmbeddingModel) -> str | None:
    return None if model.source or model.key_env is None else key_in(model.key_env, f"embeddings.{model.name}")
