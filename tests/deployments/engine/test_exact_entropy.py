"""What is changed about vLLM's sampler, without vLLM, whose sampler compiles; tests/service has the real engine."""

from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch

from deployments.engine.exact_entropy import ASKED, TOP, EntropyWorker, Mark, are_exact, negentropy_nats

VOCAB = 300


class Tensors(NamedTuple):
    """The part of vLLM's LogprobsTensors that matters."""

    logprob_token_ids: torch.Tensor
    logprobs: torch.Tensor
    selected_token_ranks: torch.Tensor


class Sampler:
    """Gathers as vLLM's does: the sampled token, then the likeliest."""

    def __init__(self, logprobs_mode: str = "raw_logprobs") -> None:
        self.logprobs_mode = logprobs_mode

    @staticmethod
    def gather_logprobs(logprobs: torch.Tensor, num_logprobs: int, token_ids: torch.Tensor) -> Tensors:
        top, ids = logprobs.topk(num_logprobs)
        own = logprobs.gather(-1, token_ids[:, None])
        ranks = (logprobs >= own).sum(-1)
        return Tensors(torch.cat((token_ids[:, None], ids), 1).to(torch.int32), torch.cat((own, top), 1), ranks)


class Verifier:
    """Gathers for all drafts of all requests, the rejected ones among them."""

    def __init__(self, sampler: Any) -> None:
        self.sampler = sampler

    def _get_logprobs_tensors(
        self,
        max_num_logprobs: int,
        metadata: Any,
        logits: torch.Tensor,
        target_logits: torch.Tensor,
        bonus_logits: torch.Tensor,
        sampled_token_ids: torch.Tensor,
    ) -> Tensors:
        found: Tensors = self.sampler.gather_logprobs(
            logits, max_num_logprobs, sampled_token_ids.flatten().clamp(min=0).long()
        )
        return found


def worker(**runner: Any) -> EntropyWorker:
    made = EntropyWorker()
    made.model_runner = SimpleNamespace(**runner)
    return made


def logprobs(rows: int, spread: float = 3.0) -> torch.Tensor:
    return (spread * torch.randn(rows, VOCAB, generator=torch.Generator().manual_seed(0))).log_softmax(-1)


def test_entropies_are_those_of_the_whole_distribution() -> None:
    rows = torch.stack([logprobs(1)[0], torch.full((VOCAB,), 1.0).log_softmax(0), torch.full((VOCAB,), -torch.inf)])
    rows[2, 7] = 0.0
    expected = -(rows[:2].double().exp() * rows[:2].double()).sum(-1)
    assert torch.allclose(-negentropy_nats(rows)[:2].double(), expected, atol=1e-5)
    assert negentropy_nats(rows)[2] == 0


def test_the_entropy_stands_behind_the_top_in_the_shape_that_was_asked_for() -> None:
    sampler = Sampler()
    assert worker(sampler=sampler).report_entropies() == ""
    assert worker(sampler=sampler).report_entropies() == "", "twice is once"
    rows, chosen = logprobs(5), torch.arange(5)
    plain = Sampler.gather_logprobs(rows, TOP, chosen)
    found = sampler.gather_logprobs(rows, ASKED, chosen)
    assert found.logprobs.shape == (5, ASKED + 1)
    assert torch.equal(found.logprobs[:, :-1], plain.logprobs)
    assert torch.equal(found.logprob_token_ids[:, :-1], plain.logprob_token_ids)
    assert torch.equal(found.selected_token_ranks, plain.selected_token_ranks)
    assert torch.equal(found.logprobs[:, -1], negentropy_nats(rows))
    assert found.logprob_token_ids[:, -1].tolist() == [Mark().token_id] * 5


def test_who_asks_for_less_gets_what_vllm_gives() -> None:
    sampler = Sampler()
    worker(sampler=sampler).report_entropies()
    for most in (0, 5, TOP, ASKED + 1):
        found = sampler.gather_logprobs(logprobs(2), most, torch.tensor([1, 2]))
        assert torch.equal(found.logprob_token_ids, Sampler.gather_logprobs(logprobs(2), most, torch.tensor([1, 2]))[0])


def test_the_marks_say_what_the_step_was() -> None:
    verifier = Verifier(Sampler())
    assert worker(sampler=verifier.sampler, rejection_sampler=verifier).report_entropies() == ""
    # Two requests: three drafts of which one is accepted, and one draft that is.
    sampled = torch.tensor([[11, 12, -1, -1], [13, 14, -1, -1]], dtype=torch.int32)
    metadata, rows = SimpleNamespace(num_draft_tokens=[3, 1]), logprobs(8)
    found = verifier._get_logprobs_tensors(ASKED, metadata, rows, rows, rows, sampled)
    marks = [Mark.of(int(i)) for i in found.logprob_token_ids[:, -1]]
    assert marks == [*(Mark(i, 3) for i in range(4)), *(Mark(i, 1) for i in range(4))]
    assert torch.equal(found.logprobs[:, -1], negentropy_nats(rows))
    assert verifier._get_logprobs_tensors(TOP, metadata, rows, rows, rows, sampled).logprob_token_ids.min() >= 0


@pytest.mark.parametrize("mark", [Mark(), Mark(3, 5), Mark(255, 128)])
def test_marks_are_no_tokens_and_read_back(mark: Mark) -> None:
    assert mark.token_id < 0
    assert Mark.of(mark.token_id) == mark


class Other:
    logprobs_mode = "raw_logprobs"

    def gather_logprobs(self, scores: object) -> None:
        """Another vLLM's."""


@pytest.mark.parametrize(
    ("sampler", "reason"),
    [
        (None, "NoneType has no gather_logprobs"),
        (Other(), "gather_logprobs takes scores"),
        (Sampler("processed_logprobs"), "logprobs_mode is processed_logprobs"),
    ],
)
def test_another_sampler_is_left_alone(sampler: object, reason: str) -> None:
    assert worker(sampler=sampler).report_entropies() == reason


class Client:
    """An engine of which only the answer matters."""

    def __init__(self, *replies: str, max_logprobs: int = ASKED) -> None:
        self.model_config = SimpleNamespace(model="m", max_logprobs=max_logprobs)
        self._replies = replies

    async def collective_rpc(self, method: str) -> list[str]:
        if not self._replies:
            raise NotImplementedError(method)
        return list(self._replies)


@pytest.mark.parametrize(
    ("client", "reason"),
    [
        (Client(""), None),
        (Client("", "has none"), "has none"),
        (Client(), "report_entropies"),
        (Client("", max_logprobs=20), "max_logprobs is below 21"),
    ],
)
async def test_an_engine_that_cannot_says_why(
    client: Client, reason: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    assert await are_exact(client) == (reason is None)
    assert (reason or "") in caplog.text
    assert bool(caplog.text) == (reason is not None)
