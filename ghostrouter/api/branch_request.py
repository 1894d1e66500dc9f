"""POST /v1/sessions/{id}/branch: the request body."""

from dataclasses import dataclass

from pydantic import Field

from ghostrouter.api.body import MOST_TOKENS, Body, Ghost, Shape, parse
from ghostrouter.api.chat_request import ChatCall
from ghostrouter.errors import InvalidRequest
from ghostrouter.sessions.ask import Ask, Branch
from ghostrouter.types import SamplingField


class _Branch(Body):
    at: int = Field(ge=0, le=MOST_TOKENS)
    model: str
    max_tokens: int | None = Field(default=None, ge=1, le=MOST_TOKENS)
    ghost: Ghost = Field(default_factory=Ghost)


@dataclass(frozen=True, slots=True)
class BranchRequest:
    """Go on after the first `at` tokens of an answer with the model `model`. `max_tokens` limits the whole answer."""

    at: int
    model: str
    max_tokens: int | None
    ghost: Ghost

    def call(self, session: str, ask: Ask, tokens: int, signals: bool) -> ChatCall:
        """The call that writes the branch: conversation and sampling are those of `ask`, the rest is new.

        `tokens` is how many tokens are kept. `signals`: the client gets the signals of each token.
        """
        sampling = ask.sampling

        def asked(name: SamplingField) -> bool:
            return sampling.wants(name)

        return ChatCall(
            model=self.model,
            messages=ask.messages,
            stream=True,
            include_usage=False,
            max_tokens=self.max_tokens or (sampling.max_tokens if asked("max_tokens") else None),
            temperature=sampling.temperature if asked("temperature") else None,
            top_p=sampling.top_p if asked("top_p") else None,
            seed=sampling.seed if asked("seed") else None,
            min_tokens=sampling.min_tokens,
            presence_penalty=sampling.presence_penalty,
            frequency_penalty=sampling.frequency_penalty,
            repetition_penalty=sampling.repetition_penalty,
            logit_bias=sampling.logit_bias,
            stop=sampling.stop,
            logprobs=False,
            top_logprobs=0,
            continue_final=ask.continue_final,
            script=(),
            features=ask.features,
            terms=self.ghost.terms(),
            preferences=self.ghost.preferences(),
            signals=signals,
            branch=Branch(session, tokens),
        )


SHAPE = Shape(_Branch)


def from_wire(body: object) -> BranchRequest:
    """Read a request body.

    Raises:
        InvalidRequest: the message names the field.
    """
    parsed = parse(_Branch, body, (), {})
    if parsed.ghost.handoffs:
        raise InvalidRequest("`ghost.handoffs` is not supported here. Leave it out.")
    return BranchRequest(parsed.at, parsed.model, parsed.max_tokens, parsed.ghost)
