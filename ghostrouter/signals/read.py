"""Turn engine output into tokens with signals."""

import math
from collections.abc import Sequence

from tokenizers import Tokenizer

from ghostrouter.signals.decode import PieceDecoder
from ghostrouter.signals.drafts import DraftAcceptance
from ghostrouter.signals.entropy import bounds
from ghostrouter.signals.steps import StepTracker
from ghostrouter.types import Token

# Counts as the log-probability of a token that a grammar excludes; about the least that a possible one has.
_EXCLUDED = -50.0


class TokenReader:
    """Reads the tokens of one segment, in order.

    `context` are the token ids of the answer before the segment. `vocab_size` is the size of the model's output layer.
    Each token keeps its `alternatives` likeliest tokens as text.
    """

    def __init__(self, tokenizer: Tokenizer, vocab_size: int, context: Sequence[int], alternatives: int = 0) -> None:
        self._tokenizer = tokenizer
        self._vocab_size = vocab_size
        self._decoder = PieceDecoder(tokenizer, context)
        self._steps = StepTracker(tokenizer.decode(list(context)[-8:]))
        self._alternatives = alternatives
        self._accepted = 0
        self._acceptance = DraftAcceptance()

    def begin_step(self, accepted: int, proposed: int) -> None:
        """Begin a step of the engine: how many drafts it accepted, of how many proposed. Its tokens follow."""
        self._accepted = accepted
        self._acceptance.step(accepted, proposed)

    def read(
        self,
        token_id: int,
        logprob: float,
        rank: int,
        top_ids: Sequence[int],
        top_logprobs: Sequence[float],
        exact_nats: float | None,
        inter_token_s: float,
    ) -> Token:
        """Read one token.

        `top_ids` and `top_logprobs` are the likeliest tokens, the likeliest first. `exact_nats` is the entropy over the
        whole vocabulary; None if it is not known. Tokens that a grammar excludes have -inf.
        """
        is_forced = len(top_logprobs) > 1 and math.isinf(top_logprobs[1])
        likeliest = [max(x, _EXCLUDED) for x in top_logprobs[:3]]
        text = self._decoder.push(token_id)
        if exact_nats is None:
            outsider = None if rank <= len(top_logprobs) else logprob
            entropy = bounds(top_logprobs, self._vocab_size, outsider)
            nats, lower_nats, upper_nats = entropy.estimate_nats, entropy.lower_nats, entropy.upper_nats
        else:
            nats = lower_nats = upper_nats = exact_nats
        return Token(
            id=token_id,
            text=text,
            logprob=logprob,
            rank=rank,
            margin=likeliest[0] - likeliest[1] if len(top_logprobs) > 1 else 0.0,
            entropy_nats=nats,
            entropy_lower_nats=lower_nats,
            entropy_upper_nats=upper_nats,
            inter_token_s=inter_token_s,
            accepted_drafts=self._accepted,
            step_start=self._steps.push(text),
            alternatives=self._texts(top_ids, top_logprobs) if self._alternatives else (),
            top_logprob=top_logprobs[0] if top_logprobs else logprob,
            second_gap=likeliest[1] - likeliest[2] if len(top_logprobs) > 2 else 0.0,
            draft_acceptance=self._acceptance.average,
            is_form=is_forced,
        )

    def _texts(self, top_ids: Sequence[int], top_logprobs: Sequence[float]) -> tuple[tuple[str, float], ...]:
        """The likeliest tokens as (text, log-probability), without those that a grammar excludes."""
        likeliest = zip(top_ids[: self._alternatives], top_logprobs, strict=False)
        return tuple((self._tokenizer.decode([i]), x) for i, x in likeliest if x > -math.inf)
