import math

from ghostrouter.replay.tokenizers import ChatTokenizer
from ghostrouter.signals.batch import row
from ghostrouter.signals.read import TokenReader
from tests.shipped import MODELS

TOKENIZER = ChatTokenizer(str(MODELS / "ghost-small"))


def test_a_token_carries_its_signals() -> None:
    a, b, c = TOKENIZER.encode("123")
    reader = TokenReader(TOKENIZER.backend, 3, (), alternatives=2)
    top = [math.log(0.7), math.log(0.2), math.log(0.1)]
    reader.begin_step(1, 2)
    token = reader.read(b, top[1], 2, (a, b, c), top, None, 0.05)
    assert (token.text, token.rank, token.logprob, token.accepted_drafts) == ("2", 2, top[1], 1)
    assert token.margin == math.log(0.7) - math.log(0.2)
    assert token.entropy_lower_nats == token.entropy_upper_nats == token.entropy_nats
    assert token.alternatives == (("1", top[0]), ("2", top[1]))
    assert token.step_start


def test_an_unlikely_token_counts_besides_the_top() -> None:
    (a,) = TOKENIZER.encode("1")
    token = TokenReader(TOKENIZER.backend, 4, ()).read(
        a, math.log(0.05), 4, (8, 9), [math.log(0.6), math.log(0.3)], None, 0
    )
    known = -sum(p * math.log(p) for p in (0.6, 0.3, 0.05))
    assert token.entropy_upper_nats >= token.entropy_lower_nats > known


def test_an_exact_entropy_is_its_own_bounds() -> None:
    (a,) = TOKENIZER.encode("1")
    token = TokenReader(TOKENIZER.backend, 4, ()).read(a, -0.5, 1, (a, 9), [-0.5, -2.0], 1.25, 0)
    assert token.entropy_lower_nats == token.entropy_nats == token.entropy_upper_nats == 1.25


def test_a_token_without_an_alternative_is_form() -> None:
    """A grammar excludes tokens: they have no probability. What is left stays finite, for the detectors."""
    a, b, c = TOKENIZER.encode("123")
    reader = TokenReader(TOKENIZER.backend, 768, (), alternatives=3)
    forced = reader.read(a, 0.0, 1, (a, b, c), [0.0, -math.inf, -math.inf], 0.0, 0)
    half = reader.read(a, math.log(0.5), 1, (a, b, c), [math.log(0.5), math.log(0.5), -math.inf], math.log(2), 0)
    bounded = reader.read(a, math.log(0.5), 1, (a, b, c), [math.log(0.5), math.log(0.5), -math.inf], None, 0)
    assert (forced.is_form, half.is_form) == (True, False)
    assert forced.alternatives == (("1", 0.0),)
    assert len(half.alternatives) == 2
    assert bounded.entropy_nats == half.entropy_nats
    for token in (forced, half):
        assert all(map(math.isfinite, row(token)))


def test_draft_acceptance_is_an_exponential_average_of_steps_that_had_drafts() -> None:
    (a,) = TOKENIZER.encode("1")
    reader = TokenReader(TOKENIZER.backend, 4, ())
    found = []
    for accepted, proposed in ((0, 0), (1, 4), (0, 0), (4, 4)):
        reader.begin_step(accepted, proposed)
        found.append(reader.read(a, -0.5, 1, (a, 9), [-0.5, -2.0], None, 0))
    assert [t.accepted_drafts for t in found] == [0, 1, 0, 4]
    assert [round(t.draft_acceptance, 4) for t in found] == [1.0, 0.85, 0.85, 0.88]
