"""Record labelled traces of the shipped models, without a server.

    python -m models.traces ghost-small --split test --n 200 > traces.jsonl

There are two views. *own*: the model writes the answer by itself; the label is the first token that differs from the
right answer. *forced*: the model reads the right answer and tells at every position which token it would write next.
That is what it would write after a handoff that corrected the answer, and every position has a label.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from tqdm import tqdm
from transformers import AutoModelForCausalLM

from ghostrouter.conversation import Message
from ghostrouter.replay.tokenizers import ChatTokenizer
from ghostrouter.signals.decode import PieceDecoder
from ghostrouter.signals.drafts import acceptances
from ghostrouter.signals.steps import StepTracker
from ghostrouter.traces.line import Line
from models import questions

TOP = 20
FOLDER = Path(__file__).parent
_BATCH = 64
_MOST_TOKENS = 220


class TraceRecorder:
    """Records traces of one model, which is in `folder` with its tokenizer."""

    def __init__(self, folder: Path) -> None:
        self._name = folder.name
        self._model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        self._tokenizer = ChatTokenizer(str(folder))
        self._end: int = self._model.config.eos_token_id

    def forced(self, asked: Sequence[questions.Question]) -> Iterator[Line]:
        """Traces of the forced view: what the model would write at each position of the right answers."""
        for q in tqdm(asked, desc=f"{self._name}, forced"):
            answer = self._answer(q)
            logprobs = self._logprobs(self._prompt(q), answer)
            chosen = logprobs.argmax(-1).tolist()
            wrong = [i for i, (a, b) in enumerate(zip(chosen, answer, strict=True)) if a != b]
            yield self._line(q, chosen, answer, logprobs, spans=tuple((i, i + 1) for i in wrong))

    def own(self, asked: Sequence[questions.Question]) -> Iterator[Line]:
        """Traces of the own view: what the model writes by itself, greedily."""
        order = sorted(asked, key=lambda q: len(q.prompt))
        for begin in tqdm(range(0, len(order), _BATCH), desc=f"{self._name}, own"):
            batch = order[begin : begin + _BATCH]
            for q, written in zip(batch, self._generate([self._prompt(q) for q in batch]), strict=True):
                logprobs = self._logprobs(self._prompt(q), written)
                yield self._line(q, written, written, logprobs, first_wrong=self._first_wrong(q, written))

    def _prompt(self, question: questions.Question) -> tuple[int, ...]:
        return self._tokenizer.encode_chat((Message("user", question.prompt),))

    def _answer(self, question: questions.Question) -> tuple[int, ...]:
        return (*self._tokenizer.encode(question.answer), self._end)

    def _first_wrong(self, question: questions.Question, written: Sequence[int]) -> int | None:
        """The index of the first token that differs from the right answer; None if there is none before the text
        ends.
        """
        pairs = zip(written, self._answer(question), strict=False)
        return next((i for i, (a, b) in enumerate(pairs) if a != b), None)

    @torch.inference_mode()
    def _logprobs(self, prompt: Sequence[int], answer: Sequence[int]) -> torch.Tensor:
        logits = self._model(torch.tensor([[*prompt, *answer]])).logits[0, len(prompt) - 1 : -1]
        return torch.log_softmax(logits, -1)

    @torch.inference_mode()
    def _generate(self, prompts: Sequence[Sequence[int]]) -> Iterator[list[int]]:
        longest = max(map(len, prompts))
        ids = torch.zeros((len(prompts), longest), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            ids[row, longest - len(prompt) :] = torch.tensor(prompt)
            mask[row, longest - len(prompt) :] = 1
        options = {"max_new_tokens": _MOST_TOKENS, "do_sample": False, "use_cache": True, "pad_token_id": self._end}
        written = self._model.generate(input_ids=ids, attention_mask=mask, **options)[:, longest:].tolist()
        for row in written:
            yield row[: row.index(self._end) + 1] if self._end in row else row

    def _text(self, token: int) -> str:
        text: str = self._tokenizer.backend.decode([token])
        return text

    def _line(
        self,
        question: questions.Question,
        chosen: Sequence[int],
        context: Sequence[int],
        logprobs: torch.Tensor,
        **labels: object,
    ) -> Line:
        """A trace line whose tokens are `chosen`; token i was chosen after `context[:i]`."""
        top = logprobs.topk(TOP).values.tolist()
        entropies = torch.special.entr(logprobs.exp()).sum(-1).tolist()
        decoder, steps = PieceDecoder(self._tokenizer.backend), StepTracker()
        starts = tuple(i for i, token in enumerate(context) if steps.push(decoder.push(token)))
        texts, real = (tuple(map(self._text, ids)) for ids in (chosen, context))
        return Line(
            prompt=question.prompt,
            model=self._name,
            tokens=texts,
            context=real,
            draft_acceptance=tuple(round(x, 6) for x in acceptances(self._prompt(question), context, chosen)),
            top_logprobs=tuple(tuple(min(0.0, round(x, 6)) for x in row) for row in top),
            entropies=tuple(round(x, 6) for x in entropies),
            vocab_size=logprobs.shape[-1],
            step_starts=starts,
            group=question.subject or question.prompt,
            **labels,
        )


def main() -> None:
    """Print traces as JSON lines."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("name", help="such as ghost-small")
    parser.add_argument("--view", choices=("own", "forced"), default="own")
    parser.add_argument("--split", choices=("train", "validation", "test"), default="validation")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--n", type=int, default=1000)
    args = parser.parse_args()
    asked = questions.sample(args.split, args.seed, args.n)
    recorder = TraceRecorder(FOLDER / args.name)
    for line in recorder.own(asked) if args.view == "own" else recorder.forced(asked):
        print(line.model_dump_json(exclude_unset=True))


if __name__ == "__main__":
    main()
