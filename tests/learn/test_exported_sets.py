"""What `ghostrouter export` writes is what `datasets` and TRL take, as it is."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from ghostrouter.cli.main import main
from ghostrouter.events.records import Event
from ghostrouter.events.store import Store
from tests.shipped import MODELS

SESSIONS = 40
MODEL = str(MODELS / "ghost-small")


def events(number: int) -> list[Event]:
    """A session that was handed off. Its caller wrote a better answer, and corrected the task."""
    name, at_s = f"s{number}", 1.8e9 + number
    question = f"Otto has {number} coins, times 2. How many?"
    right, wrong = f"{number}*2={2 * number}", f"{number}*2={2 * number + 1}"
    segments = [
        {"model": "small", "reason": "plan", "text": "Well: ", "abandoned": wrong},
        {"model": "large", "reason": "handoff", "text": right, "abandoned": ""},
    ]
    request = {
        "turns": [{"role": "user", "digest": name, "characters": len(question)}],
        "messages": [{"role": "user", "content": question}],
        "answer": f"Well: {right}",
        "segments": segments,
    }
    trace = {"id": name, "outcome": "complete", "plan": ["small", "large"], "segments": segments}
    told = {"rating": 1.0, "preferred": f"{right}; so {2 * number}.", "correct_task": ("coins", "maths")[number % 2]}
    return [
        Event(f"{name}/request", name, "request", "me", at_s, request),
        Event.trace("me", at_s, trace),
        Event.feedback(name, "me", at_s, told),
    ]


def run(*arguments: str) -> Result:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    return done


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    store = Store(f"sqlite:///{folder}/events.sqlite")
    store.write([event for number in range(SESSIONS) for event in events(number)])
    store.close()
    args: dict[str, Any] = {
        "models": [{"name": "small", "source": MODEL}],
        "routes": {"default": {"models": ["small"]}},
        "events": {"folder": str(folder)},
    }
    path = folder / "c.yaml"
    path.write_text(yaml.safe_dump({"applications": [{"import_path": "graph:build", "args": args}]}))
    return path


@pytest.mark.filterwarnings("ignore")  # TRL's, PEFT's and torch's own
@pytest.mark.parametrize(
    ("command", "columns"),
    [
        (("dpo",), {"prompt", "chosen", "rejected"}),
        (("sft",), {"messages"}),
        (("sft", "--of", "handoffs"), {"messages"}),
    ],
)
def test_it_loads_and_trains_unchanged(
    config: Path, tmp_path: Path, command: tuple[str, ...], columns: set[str]
) -> None:
    from datasets import load_dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

    card = json.loads(run("export", *command, str(config), "--out", str(tmp_path / "data"), "--json").stdout)
    splits = load_dataset(str(tmp_path / "data"), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in splits.items()} == card["examples"]
    assert {frozenset(rows.column_names) for rows in splits.values()} == {frozenset(columns)}
    trainer, settings = (DPOTrainer, DPOConfig) if command == ("dpo",) else (SFTTrainer, SFTConfig)
    few: dict[str, Any] = {"max_steps": 2, "per_device_train_batch_size": 2, "report_to": [], "use_cpu": True}
    few |= {"bf16": False, "gradient_checkpointing": False, "save_strategy": "no", "max_length": 256}
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    tokenizer.pad_token = tokenizer.eos_token
    model = AutoModelForCausalLM.from_pretrained(MODEL)
    before = model.get_input_embeddings().weight.detach().clone()
    trained = trainer(
        model,
        args=settings(str(tmp_path / "out"), **few),
        train_dataset=splits["train"],
        processing_class=tokenizer,
    ).train()
    assert 0 < trained.training_loss < 100
    assert not before.equal(model.get_input_embeddings().weight)


@pytest.mark.filterwarnings("ignore")
def test_two_exports_train_one_model(config: Path, tmp_path: Path) -> None:
    folders = [str(tmp_path / name) for name in ("first", "second")]
    counts = []
    for folder in folders:
        card = json.loads(run("export", "sft", "--of", "answers", str(config), "--out", folder, "--json").stdout)
        counts.append(card["examples"]["train"])
    fast = ["--rank", "4", "--epochs", "0.1"]
    done = run("train", "sft", *folders, "--model", MODEL, "--out", str(tmp_path / "out"), *fast)
    assert f"from {sum(counts)} examples" in done.output
