"""`ghostrouter train sft|dpo`: TRL and PEFT really train an adapter of a shipped model."""

import builtins
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from ghostrouter.classify.router_prompt import router_prompt
from ghostrouter.cli.main import main
from ghostrouter.conversation import Message
from ghostrouter.replay.tokenizers import ChatTokenizer

MODEL = Path(__file__).parents[2] / "models" / "ghost-small"
SMALL = ["--model", str(MODEL), "--rank", "4"]


def said(role: str, text: str) -> list[dict[str, str]]:
    return [{"role": role, "content": text}]


def written(folder: Path, **splits: list[dict[str, Any]]) -> Path:
    folder.mkdir()
    for split, rows in splits.items():
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def labelled(number: int) -> dict[str, Any]:
    return {"messages": [*said("user", router_prompt(f"{number}?")), *said("assistant", "math")]}


def run(*arguments: str) -> Any:
    return CliRunner().invoke(main, ["train", *arguments])


@pytest.mark.filterwarnings("ignore")  # TRL's, PEFT's and torch's own
def test_supervised_examples_make_their_answers_likelier(tmp_path: Path) -> None:
    data = written(
        tmp_path / "data", train=[labelled(i) for i in range(8)], validation=[labelled(i) for i in range(8, 10)]
    )
    losses = []
    for epochs in ("1", "12"):
        out = tmp_path / epochs
        fast = ["--epochs", epochs, "--learning-rate", "0.01", "--batch", "4"]
        done = run("sft", str(data), "--out", str(out), *SMALL, *fast)
        assert done.exit_code == 0, done.output
        assert "from 8 examples" in done.output
        losses.append(float(done.output.rsplit("loss ", 1)[1].split(", ")[1].split()[0]))
    assert losses[1] < 0.5 * losses[0]
    weights = load_file(out / "adapter_model.safetensors")
    assert any(name.endswith("lora_B.weight") and bool(w.any()) for name, w in weights.items())
    assert {p.suffix for p in out.iterdir()} <= {".safetensors", ".json", ".md"}
    assert json.loads((out / "adapter_config.json").read_text())["r"] == 4


@pytest.mark.filterwarnings("ignore")
def test_a_merged_model_is_whole_and_writes_what_it_was_taught(tmp_path: Path) -> None:
    question = [*said("user", "Who keeps the lighthouse?")]
    rows = [{"messages": [*question, *said("assistant", "Mira Voss does.")]}] * 8
    out = tmp_path / "tuned"
    fast = ["--epochs", "30", "--learning-rate", "0.01"]
    done = run("sft", str(written(tmp_path / "data", train=rows)), "--out", str(out), *SMALL, *fast, "--merge")
    assert done.exit_code == 0, done.output
    assert not list(out.glob("adapter*"))
    tokenizer = ChatTokenizer(str(out))
    prompt = tokenizer.encode_chat((Message("user", question[0]["content"]),))
    model = AutoModelForCausalLM.from_pretrained(out)
    (ids,) = model.generate(torch.tensor([prompt]), max_new_tokens=30, do_sample=False).tolist()
    assert tokenizer.backend.decode(ids[len(prompt) :], skip_special_tokens=True).strip() == "Mira Voss does."


@pytest.mark.filterwarnings("ignore")
def test_preferences_train_an_adapter(tmp_path: Path) -> None:
    rows = [
        {"prompt": said("user", f"{i}?"), "chosen": said("assistant", "good"), "rejected": said("assistant", "bad")}
        for i in range(4)
    ]
    out = tmp_path / "out"
    done = run("dpo", str(written(tmp_path / "data", train=rows)), "--out", str(out), *SMALL, "--epochs", "4")
    assert done.exit_code == 0, done.output
    assert any(bool(w.any()) for n, w in load_file(out / "adapter_model.safetensors").items() if "lora_B" in n)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (None, "there is no train.jsonl; `ghostrouter export sft` writes one"),
        ("", "there are no examples"),
        ("{", "train.jsonl:1: this is no JSON"),
        ('{"messages": []}', "train.jsonl:1: a prompt and its answer are needed"),
        ('{"prompt": []}', "train.jsonl:1: sft needs messages"),
    ],
)
def test_wrong_data_is_told(tmp_path: Path, lines: str | None, told: str) -> None:
    if lines is not None:
        (tmp_path / "train.jsonl").write_text(lines)
    done = run("sft", str(tmp_path), *SMALL)
    assert (done.exit_code, told in done.output) == (1, True), done.output


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in sys.modules if n.split(".")[0] == "peft"]:
        monkeypatch.delitem(sys.modules, name)
    real = builtins.__import__

    def without(name: str, *more: Any) -> Any:
        if name == "peft":
            raise ModuleNotFoundError("no peft", name=name)
        return real(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    done = run("sft", str(tmp_path), *SMALL)
    assert done.exit_code != 0
    assert 'peft is not installed: pip install "ghostrouter[train]"' in done.output
