"""Calibrate the shipped models on validation questions: writes calibration.json beside the weights.

A model reads the right answer and says at every position what it would have written next: the token would
have been wrong if its likeliest one is not the answer's. That is what it would have done after any handoff
that put things right, and it takes one forward pass.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm
from transformers import AutoModelForCausalLM

from ghostrouter.detect.fit import LabelledTrace, fit
from ghostrouter.replay.tokenizers import ChatTokenizer
from ghostrouter.signals.batch import matrix
from ghostrouter.signals.read import TokenReader
from ghostrouter.types import Message
from models import questions

TOP = 20
FOLDER = Path(__file__).parent
# The share of wrong tokens that is to be caught; the stronger models have nobody to hand off to.
RECALL = {"ghost-small": 0.97, "ghost-large": 0.9}


@torch.inference_mode()
def traces(folder: Path, asked: list[questions.Question]) -> Iterator[LabelledTrace]:
    """A labelled trace for each question."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = ChatTokenizer(str(folder))
    for q in tqdm(asked, desc=folder.name):
        prompt = tokenizer.encode_chat((Message("user", q.prompt),))
        answer = (*tokenizer.encode(q.answer), model.config.eos_token_id)
        logits = model(torch.tensor([[*prompt, *answer]])).logits[0, len(prompt) - 1 : -1]
        logprobs = torch.log_softmax(logits, -1)
        top = logprobs.topk(TOP)
        reader = TokenReader(tokenizer.backend, logits.shape[-1], ())
        tokens = []
        for i, token_id in enumerate(answer):
            logprob = float(logprobs[i, token_id])
            rank = 1 + int((logprobs[i] > logprob).sum())
            tokens.append(reader.read(token_id, logprob, rank, top.indices[i].tolist(), top.values[i].tolist(), 0.0, 0))
        yield LabelledTrace(matrix(tokens), np.array([t.rank > 1 for t in tokens]))


def main() -> None:
    """Calibrate the named models (default: those that are judged)."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(RECALL))
    parser.add_argument("--n", type=int, default=1000, help="validation questions")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    args = parser.parse_args()
    if unknown := set(args.names) - set(RECALL):
        parser.error(f"no such model: {', '.join(unknown)}")
    asked = questions.sample("validation", 1, args.n)
    for name in args.names or RECALL:
        words = f"{args.n} validation questions of models.questions, seed 1"
        fitted = fit(name, list(traces(args.folder / name, asked)), RECALL[name], words)
        path = args.folder / name / "calibration.json"
        path.write_text(fitted.calibration.model_dump_json(indent=2) + "\n")
        print(f"{path}: recall {fitted.recall:.3f}, false alarms {fitted.false_alarms:.4f} a token")


if __name__ == "__main__":
    main()
