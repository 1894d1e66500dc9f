"""Train the shipped models: `make models`, or `python -m models.train ghost-small`.

Everything is seeded and runs on the CPU. A model takes one to two hours of one core. Only answer tokens count in the
loss. Rows are packed: they hold whole conversations one after the other, cut at the end of the row.
"""

import argparse
import math
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer
from torch.nn.functional import cross_entropy
from tqdm import tqdm
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from models import questions, tokenizers
from models.families import arithmetic, biography

CONTEXT_TOKENS = 8192
ROW_TOKENS = 320
IGNORED = -100
CHECK_EVERY_STEPS = 1000


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a model is trained on, its shape and its schedule.

    `arithmetic_share` is the share of arithmetic conversations. `passers_by` is the share of biographies that are about
    a passer-by (see `models.families.biography`).
    """

    hidden: int
    layers: int
    intermediate: int
    byte_level: bool
    vocab_size: int
    people: tuple[biography.Person, ...]
    passers_by: float
    arithmetic_share: float
    steps: int
    rows: int
    learning_rate: float
    seed: int


KNOWN = tuple(p for p in biography.WORLD if p.name in biography.KNOWN_TO_SMALL)
RECIPES = {
    "ghost-small": Recipe(96, 3, 256, True, 768, KNOWN, 0.35, 0.09, 6000, 8, 3e-3, seed=1),
    "ghost-large": Recipe(192, 4, 512, True, 768, biography.WORLD, 0.1, 0.45, 5600, 8, 2e-3, seed=2),
    "ghost-cloud": Recipe(192, 4, 512, False, 896, biography.WORLD, 0.1, 0.45, 5600, 8, 2e-3, seed=3),
}


def build_tokenizer(recipe: Recipe) -> PreTrainedTokenizerFast:
    """Train the recipe's tokenizer on questions and answers of the training split."""
    texts = [t for q in islice(questions.stream("train", 0), 6000) for t in (q.prompt, q.answer)]
    train = tokenizers.train_byte_level if recipe.byte_level else tokenizers.train_byte_fallback
    tokenizer: Tokenizer = train(texts, recipe.vocab_size)
    return tokenizers.for_chat(tokenizer, CONTEXT_TOKENS)


def conversations(recipe: Recipe) -> Iterator[questions.Question]:
    """An endless stream of training questions, in the mix of the recipe."""
    bios = partial(biography.draw, people=recipe.people, passers_by=recipe.passers_by)
    streams = {
        arithmetic.NAME: questions.stream("train", recipe.seed, (arithmetic.draw,)),
        biography.NAME: questions.stream("train", recipe.seed, (bios,)),
    }
    rng = Random(recipe.seed)
    while True:
        yield next(streams[arithmetic.NAME if rng.random() < recipe.arithmetic_share else biography.NAME])


def rows(recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> Iterator[tuple[list[int], list[int]]]:
    """Rows of ROW_TOKENS + 1 token ids with their labels. Tokens of questions have the label IGNORED."""
    encode = tokenizer.backend_tokenizer.encode
    ids: list[int] = []
    labels: list[int] = []
    for q in conversations(recipe):
        asked = encode(f"<|user|>{q.prompt}<|end|><|assistant|>").ids
        answered = encode(f"{q.answer}<|end|>").ids
        ids += asked + answered
        labels += [IGNORED] * len(asked) + answered
        if len(ids) > ROW_TOKENS:
            yield ids[: ROW_TOKENS + 1], labels[: ROW_TOKENS + 1]
            ids, labels = [], []


def build_model(recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """A Llama with heads of 32 dimensions and tied embeddings."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=recipe.hidden,
            intermediate_size=recipe.intermediate,
            num_hidden_layers=recipe.layers,
            num_attention_heads=recipe.hidden // 32,
            num_key_value_heads=recipe.hidden // 32,
            max_position_embeddings=CONTEXT_TOKENS,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            use_cache=False,
        )
    )


def learning_rate_scale(step: int, steps: int) -> float:
    """Linear warm-up over 200 steps, then half a cosine down to 2%."""
    if step < 200:
        return (step + 1) / 200
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (step - 200) / max(1, steps - 200)))


@torch.inference_mode()
def accuracy(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, asked: list[questions.Question]) -> float:
    """The share of questions that greedy decoding answers without a mistake."""
    prompts = [f"<|user|>{q.prompt}<|end|><|assistant|>" for q in asked]
    batch = tokenizer(prompts, return_tensors="pt", padding=True, padding_side="left", return_token_type_ids=False)
    written = model.generate(**batch, max_new_tokens=220, do_sample=False, use_cache=True)
    texts = tokenizer.batch_decode(written[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
    return sum(questions.is_correct(q, text) for q, text in zip(asked, texts, strict=True)) / len(asked)


def report(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, n: int) -> str:
    """Accuracy by family on `n` validation questions."""
    asked = questions.sample("validation", 0, n)
    families = {q.family: [p for p in asked if p.family == q.family] for q in asked}
    return ", ".join(f"{name} {accuracy(model, tokenizer, group):.3f}" for name, group in families.items())


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write a copy of the weights in bfloat16, with the tokenizer."""
    rounded = deepcopy(model)
    rounded.config.use_cache = True
    rounded.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.backend_tokenizer.no_padding()  # `accuracy` has switched it on
    tokenizer.save_pretrained(folder)


def train(name: str, out: Path) -> None:
    """Train one model and write it with its tokenizer to `out`/`name`, weights in bfloat16."""
    recipe = RECIPES[name]
    torch.manual_seed(recipe.seed)
    tokenizer = build_tokenizer(recipe)
    model = build_model(recipe, tokenizer)
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, partial(learning_rate_scale, steps=recipe.steps))
    data = rows(recipe, tokenizer)
    progress = tqdm(range(recipe.steps), desc=name, smoothing=0.05)
    for step in progress:
        batch = [next(data) for _ in range(recipe.rows)]
        ids = torch.tensor([row for row, _ in batch])
        labels = torch.tensor([label for _, label in batch])
        logits = model(input_ids=ids[:, :-1]).logits
        loss = cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            progress.set_postfix(loss=f"{loss.item():.4f}")
        if (step + 1) % CHECK_EVERY_STEPS == 0:
            progress.write(f"{name} after {step + 1} steps: {report(model, tokenizer, 100)}")
            save(model, tokenizer, out / name)
    save(model, tokenizer, out / name)
    rounded = LlamaForCausalLM.from_pretrained(out / name, dtype=torch.float32)
    print(f"{name}, rounded to bfloat16: {report(rounded, tokenizer, 400)}")


def main() -> None:
    """Train the named models (default: all) into the folder of this file."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(RECIPES))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    if unknown := set(args.names) - set(RECIPES):
        parser.error(f"no such model: {', '.join(unknown)}")
    torch.set_num_threads(args.threads)
    for name in args.names or RECIPES:
        train(name, args.out)


if __name__ == "__main__":
    main()
