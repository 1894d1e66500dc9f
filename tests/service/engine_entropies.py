"""What real engines say of the entropies of their tokens, as JSON; a process of its own.

    python -m tests.service.engine_entropies

For an engine as it is served and for one with speculative decoding: every token of some answers, its entropy, and that
of the softmax over transformers' logits; and the answers again, cut in the middle and gone on with.
"""

import asyncio
import json
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from bench.bare import Bare, started
from deployments.engine.exact_entropy import are_exact
from ghostrouter.config import LocalModel
from tests.service.questions import KNOWN_TO_SMALL, UNKNOWN_TO_SMALL
from tests.shipped import MODELS

NGRAM = {"method": "ngram", "num_speculative_tokens": 4, "prompt_lookup_max": 4, "prompt_lookup_min": 2}
MOST = 120
# The model is sure of the first two, so that rounding decides nothing; of the third it is not.
ASKED = (*KNOWN_TO_SMALL[:2], UNKNOWN_TO_SMALL[0])


def served(**more: Any) -> LocalModel:
    """The small model as serve_config.yaml has it."""
    engine = {"dtype": "float32", "enforce_eager": True, "max_model_len": 2048, "block_size": 32, **more}
    row = {"name": "ghost-small", "source": str(MODELS / "ghost-small"), "sampling": {"temperature": 0}}
    return LocalModel.model_validate({**row, "engine_kwargs": engine})


@torch.inference_mode()
def expected(model: Any, prompt: tuple[int, ...], ids: list[int]) -> list[float]:
    """The entropies of the full softmax before each token."""
    logits = model(torch.tensor([[*prompt, *ids]])).logits[0, len(prompt) - 1 : -1].double()
    entropies: list[float] = torch.special.entr(logits.softmax(-1)).sum(-1).tolist()
    return entropies


async def answers(model: LocalModel, reference: Any) -> list[dict[str, Any]]:
    """What an engine wrote, and whether it can tell entropies."""
    async with started(model) as client:
        bare = Bare(client, exact=await are_exact(client))
        out = []
        for question in ASKED:
            prompt = bare.prompt(question.prompt)
            whole = await bare.write(prompt, MOST)
            ids = [t.id for t in whole]
            cut = len(ids) // 2
            rest = await bare.write(prompt, MOST - cut, tuple(ids[:cut]))
            out.append(
                {
                    "ids": ids,
                    "entropies": [(t.entropy_lower_nats, t.entropy_nats, t.entropy_upper_nats) for t in whole],
                    "expected": expected(reference, prompt, ids),
                    "accepted": [t.accepted_drafts for t in whole],
                    "cut": cut,
                    "rest": [t.id for t in rest],
                    "rest_entropies": [t.entropy_nats for t in rest],
                }
            )
        return out


async def main() -> None:
    """Print both engines' answers."""
    reference = AutoModelForCausalLM.from_pretrained(str(MODELS / "ghost-small"), dtype=torch.float32)
    plain = await answers(served(), reference)
    guessing = await answers(served(speculative_config=NGRAM), reference)
    print("ANSWERS", json.dumps({"plain": plain, "guessing": guessing}))  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main())
