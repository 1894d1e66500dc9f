import math

from ghostrouter.replay.tokenizers import ChatTokenizer
from ghostrouter.signals.read import TokenReader
from tests.shipped import MODELS

TOKENIZER = ChatTokenizer(str(MODELS / "ghost-small"))


def test_a_token_carries_its_signals() -> None:
    a, b, c = TOKENIZER.encode("123")
    reader = TokenReader(TOKENIZER.backend, 3, (), alternatives=2)
    top = [math.log(0.7), math.log(0.2), math.log(0.1)]
    token = reader.read(b, top[1], 2, (a, b, c), top, 0.05, 1)
    assert (token.text, token.rank, token.logprob, token.accepted_drafts) == ("2", 2, top[1], 1)
    assert token.margin == math.log(0.7) - math.log(0.2)
    assert token.entropy_lower_nats == token.entropy_upper_nats == token.entropy_nats
    assert token.alternatives == (("1", top[0]), ("2", top[1]))
    assert token.step_start


def test_an_unlikely_token_counts_besides_the_top() -> None:
    (a,) = TOKENIZER.encode("1")
    token = TokenReader(TOKENIZER.backend, 4, ()).read(
        a, math.log(0.05), 4, (8, 9), [math.log(0.6), math.log(0.3)], 0, 0
    )
    known = -sum(p * math.log(p) for p in (0.6, 0.3, 0.05))
    assert token.entropy_upper_nats >= token.entropy_lower_nats > known
