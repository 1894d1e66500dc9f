"""/v1/embeddings: a model of one's own, and one behind a provider with its budget, its failures, and redacted texts."""

import base64
import json
import os
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.handles import Handle
from deployments.embedder import Embedder
from deployments.quotas import Quotas, limits
from deployments.session.embedding_models import EmbeddingModels
from deployments.session.requester import Requester
from deployments.store.quota_client import QuotaClient
from ghostrouter.access.keys import Caller
from ghostrouter.api.embeddings import EmbeddingCall, from_wire, to_wire
from ghostrouter.config import Access, Budgets, EmbeddingModel
from ghostrouter.errors import BudgetExceeded, InvalidRequest, NothingCanAnswer, NotPermitted, UnknownModel
from ghostrouter.redact.policy import Discretion
from tests.providers.quirks.upstream import Transcript, Upstream

WHO = Requester("me", Caller(name="k"), Discretion("off"))
CALL = EmbeddingCall("far", ("one", "two"), None, False)
JSON = {"content-type": "application/json"}


def silent(metric: Any, value: float, **labels: str) -> None: ...


def answers(body: Any, status: int = 200) -> Transcript:
    return Transcript((json.dumps(body).encode(),), status, JSON)


TWO = answers(
    {
        "data": [{"index": 1, "embedding": [0.0, 1.0]}, {"index": 0, "embedding": [1.0, 0.5]}],
        "usage": {"prompt_tokens": 4},
    }
)


@pytest.fixture
async def upstream() -> AsyncGenerator[Upstream, None]:
    made = Upstream()
    await made.start()
    yield made
    await made.stop()


def models(upstream: Upstream, quotas: QuotaClient | None = None, **fields: Any) -> EmbeddingModels:
    far = EmbeddingModel.model_validate(
        {"name": "far", "base_url": f"http://127.0.0.1:{upstream.port}/v1/", "model": "m", **fields}
    )
    return EmbeddingModels([far], {}, quotas or QuotaClient(None, (), 60.0, silent), silent)


async def test_a_provider_embeds(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "A_KEY", "secret")
    upstream.plays(TWO)
    made = models(upstream, api_key_env="A_KEY")
    embedded = await made.embed(replace(CALL, dimensions=2), WHO)
    assert (embedded.vectors.tolist(), embedded.tokens) == ([[1.0, 0.5], [0.0, 1.0]], 4)
    assert upstream.paths == ["/v1/embeddings"]
    (asked,) = upstream.asked
    assert asked == {"model": "m", "input": ["one", "two"], "encoding_format": "float", "dimensions": 2}
    await made.close()


@pytest.mark.parametrize(
    ("transcript", "error"),
    [
        (answers({"error": {"message": "secret"}}, 400), InvalidRequest),
        (answers({}, 500), NothingCanAnswer),
        (answers({"data": []}), NothingCanAnswer),
        (answers({"data": [{"index": i, "embedding": [1.0] * i} for i in (1, 2)]}), NothingCanAnswer),
        (answers({"data": "none"}), NothingCanAnswer),
        (Transcript((b"<html>",), 200, JSON), NothingCanAnswer),
        (Transcript((b"{",), broken=True), NothingCanAnswer),
    ],
)  # fmt: skip
async def test_whatever_a_provider_sends_is_an_error_in_words(
    upstream: Upstream, transcript: Transcript, error: type[Exception]
) -> None:
    upstream.plays(transcript)
    made = models(upstream)
    with pytest.raises(error) as told:
        await made.embed(CALL, WHO)
    assert "far" in str(told.value) and "secret" not in str(told.value)
    await made.close()


async def test_private_text_does_not_leave(upstream: Upstream) -> None:
    upstream.plays(TWO)
    made = models(upstream)
    private = replace(CALL, texts=("I am ada.lovelace@example.com", "two"))
    await made.embed(private, replace(WHO, discretion=Discretion("auto")))
    assert "lovelace" not in str(upstream.asked)
    await made.close()


async def test_a_budget_is_reserved_and_settled(upstream: Upstream, tmp_path: Path) -> None:
    upstream.plays(TWO)
    budgets = Budgets.model_validate({"limits": [{"scope": "key", "usd": 1.0, "window": "day"}]})
    ledger = Quotas(Access(), budgets.model_copy(update={"folder": str(tmp_path)}))
    handle: Any = Handle(ledger)
    quotas = QuotaClient(handle, limits(budgets), 60.0, silent)
    made = models(upstream, quotas, price={"prompt_usd_per_mtok": 100_000.0})
    for _ in range(2):  # 4 tokens: 0.4 dollars, at most 6 tokens: 0.6
        await made.embed(replace(CALL, texts=("a", "b")), WHO)
        assert quotas._ledger
        await quotas._ledger.until_all_sent()
    with pytest.raises(BudgetExceeded):
        await made.embed(replace(CALL, texts=("a", "b")), WHO)
    assert len(upstream.asked) == 2
    await made.close()


async def test_unknown_models_and_keys_are_refused(upstream: Upstream) -> None:
    made = models(upstream)
    with pytest.raises(UnknownModel):
        await made.embed(replace(CALL, model="nobody"), WHO)
    with pytest.raises(NotPermitted):
        await made.embed(CALL, replace(WHO, caller=Caller(models=("other",))))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_a_model_of_one_s_own_knows_meanings() -> None:
    own = EmbeddingModel(name="own", source="all-MiniLM-L6-v2")
    handles: Any = {"own": Handle(Embedder("all-MiniLM-L6-v2"))}
    made = EmbeddingModels([own], handles, QuotaClient(None, (), 60.0, silent), silent)
    call = EmbeddingCall("own", ("a small dog", "a little puppy", "the stock exchange"), None, False)
    embedded = await made.embed(call, WHO)
    dog, puppy, stocks = embedded.vectors
    assert embedded.vectors.shape == (3, 384) and embedded.tokens > 9
    assert dog @ puppy > dog @ stocks + 0.3
    with pytest.raises(InvalidRequest):
        await made.embed(replace(call, dimensions=8), WHO)
    told = to_wire(replace(call, packed=True), embedded)
    assert np.frombuffer(base64.b64decode(told["data"][0]["embedding"]), dtype="<f4").tolist() == dog.tolist()


@pytest.mark.parametrize(
    "change", [{"input": []}, {"input": ""}, {"input": [1, 2]}, {"input": [[1]]}, {"dimensions": 0}]
)
def test_a_wrong_request_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        from_wire({"model": "m", "input": "x", **change})
