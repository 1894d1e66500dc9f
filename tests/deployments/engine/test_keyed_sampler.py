from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from scipy.stats import chisquare, kstest
from transformers import RepetitionPenaltyLogitsProcessor
from vllm import SamplingParams
from vllm.v1.sample.logits_processor import BatchUpdate
from vllm.v1.sample.logits_processor.interface import MoveDirectionality

from deployments.engine.keyed_sampler import ARGUMENT, KeyedSampler, gumbel_noise, keep_min_p, keep_top_k, keep_top_p

VOCAB = 32


def noise(seed: int, positions: Sequence[int], vocab: int = VOCAB) -> torch.Tensor:
    at = torch.tensor(positions)
    return gumbel_noise(torch.full_like(at, seed), at, vocab)


def test_noise_is_gumbel() -> None:
    drawn = noise(7, range(4000), 50).flatten().numpy()
    assert kstest(drawn, "gumbel_r").pvalue > 0.001


@pytest.mark.parametrize("seed", [0, 1, -(2**63), 2**63 - 1])
def test_noise_of_neighbours_is_unrelated(seed: int) -> None:
    drawn = noise(seed, range(2000))
    for a, b in ((drawn[:-1], drawn[1:]), (drawn[:, :-1], drawn[:, 1:]), (drawn, noise(seed ^ 1, range(2000)))):
        assert abs(torch.corrcoef(torch.stack((a.flatten(), b.flatten())))[0, 1]) < 0.02


def test_noise_depends_on_seed_and_position_alone() -> None:
    assert torch.equal(noise(3, [5, 6, 7])[1], noise(3, [6])[0])


def params(**fields: Any) -> SamplingParams:
    how = {"seed": 1, "temperature": 1.0, "kept": [], **fields}
    return SamplingParams(temperature=0, extra_args={ARGUMENT: how})


def sampler(*added: tuple[int, SamplingParams, list[int]], prompt: Sequence[int] = ()) -> KeyedSampler:
    made = KeyedSampler(SimpleNamespace(), torch.device("cpu"), False)
    made.update_state(BatchUpdate(len(added), [], [(row, p, list(prompt), out) for row, p, out in added], []))
    return made


def write(
    logits: torch.Tensor, how: SamplingParams, output: list[int], tokens: int, row: int = 0, prompt: Sequence[int] = ()
) -> list[int]:
    """Go on for some tokens with the same logits at every position."""
    made = sampler((row, how, output), prompt=prompt)
    for _ in range(tokens):
        batch = logits.repeat(row + 1, 1)
        output.append(int(made.apply(batch)[row].argmax()))
    return output


def test_samples_follow_the_distribution() -> None:
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0])
    temperature, n = 0.8, 4000
    drawn = write(logits, params(temperature=temperature), [], n)
    expected = torch.softmax(logits.double() / temperature, 0) * n
    assert chisquare([drawn.count(i) for i in range(4)], expected.tolist()).pvalue > 0.001


@pytest.mark.parametrize(
    "fields",
    [{}, {"presence_penalty": 0.7, "frequency_penalty": 0.4}, {"top_p": 0.7}, {"repetition_penalty": 1.4}],
)
def test_an_answer_cut_anywhere_goes_on_as_it_would_have(fields: dict[str, float]) -> None:
    logits = torch.randn(VOCAB, generator=torch.Generator().manual_seed(0))
    whole = write(logits, params(**fields), [], 30, prompt=[1, 2])
    for cut in range(30):
        kept = whole[:cut]
        how = params(**fields, position=cut, kept=kept)
        rest = write(logits, how, [], 30 - cut, row=cut % 3, prompt=[1, 2, *kept])
        assert kept + rest == whole


def test_penalties_are_those_of_openai_s_api() -> None:
    how = params(temperature=0.0, presence_penalty=0.5, frequency_penalty=0.25, kept=[3, 3])
    changed = sampler((0, how, [3, 5])).apply(torch.zeros(1, 8))[0]
    assert changed.tolist() == [0, 0, 0, -0.5 - 3 * 0.25, 0, -0.75, 0, 0]


def test_the_repetition_penalty_is_that_of_transformers() -> None:
    logits = torch.tensor([[2.0, -1.0, 3.0, -4.0, 5.0]])
    changed = sampler((0, params(temperature=0.0, repetition_penalty=2.0), [0]), prompt=[3]).apply(logits.clone())
    expected = RepetitionPenaltyLogitsProcessor(2.0)(torch.tensor([[3, 0]]), logits.clone())
    assert torch.equal(changed, expected)


@pytest.mark.parametrize(("top_p", "kept"), [(1.0, 4), (0.9, 3), (0.5, 1), (0.01, 1)])
def test_top_p_keeps_the_smallest_set_that_reaches_it(top_p: float, kept: int) -> None:
    logits = torch.log(torch.tensor([[0.1, 0.6, 0.05, 0.25]]))
    masked = keep_top_p(logits, torch.tensor([top_p]))
    assert int(torch.isfinite(masked).sum()) == kept
    assert torch.isfinite(masked[0, 1])


@pytest.mark.parametrize(("top_k", "kept"), [(1, 1), (2, 2), (VOCAB, VOCAB), (1000, VOCAB)])
def test_top_k_keeps_the_likeliest(top_k: int, kept: int) -> None:
    logits = torch.arange(VOCAB, dtype=torch.float32)[None, :]
    found = keep_top_k(logits, torch.tensor([top_k]))[0]
    assert torch.isfinite(found).nonzero().flatten().tolist() == list(range(VOCAB - kept, VOCAB))


def test_min_p_keeps_what_is_likely_enough_beside_the_likeliest() -> None:
    logits = torch.tensor([[0.5, 0.3, 0.1, 0.04, 0.06]]).log()
    assert torch.isfinite(keep_min_p(logits, torch.tensor([0.2]))[0]).tolist() == [True, True, True, False, False]
    assert torch.isfinite(keep_min_p(logits, torch.tensor([0.0]))[0]).all()


def test_only_what_is_kept_is_sampled() -> None:
    logits = torch.tensor([[3.0, 2.9, 2.8, *[0.0] * (VOCAB - 3)]])
    assert set(write(logits, params(top_k=2), [], 300)) == {0, 1}
    assert set(write(logits, params(min_p=0.85), [], 300)) == {0, 1}
    assert len(set(write(logits, params(), [], 300))) > 3


def test_other_requests_are_left_alone() -> None:
    made = sampler((0, params(), []), (1, SamplingParams(temperature=0), []))
    batch = torch.zeros(2, VOCAB)
    changed = made.apply(batch.clone())
    assert torch.equal(changed[1], batch[1])
    assert not torch.equal(changed[0], batch[0])


def test_requests_are_followed_when_they_change_rows() -> None:
    made = sampler((0, params(seed=1), []), (1, params(seed=2), []))
    first = made.apply(torch.zeros(2, VOCAB))
    made.update_state(BatchUpdate(2, [], [], [(0, 1, MoveDirectionality.SWAP)]))
    assert torch.equal(made.apply(torch.zeros(2, VOCAB)), first.flip(0))
    made.update_state(BatchUpdate(1, [0], [], [(1, 0, MoveDirectionality.UNIDIRECTIONAL)]))
    assert torch.equal(made.apply(torch.zeros(1, VOCAB)), first[:1])
