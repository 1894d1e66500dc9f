"""A local vision model on the real service: it sees what transformers sees, and a handoff changes nothing of it."""

import base64
from io import BytesIO
from typing import Any

import httpx
import pytest
import torch
from PIL import Image
from transformers import AutoProcessor, Idefics3ForConditionalGeneration

from tests.service.conftest import Service

pytestmark = pytest.mark.service

MODEL = "ghost-seeing"
MOST = 12
QUESTION = "What is shown?"


def picture(colour: str) -> Image.Image:
    shown = Image.new("RGB", (40, 30), colour)
    shown.paste("white", (0, 0, 12, 30))
    return shown


def url(colour: str) -> str:
    data = BytesIO()
    picture(colour).save(data, "PNG")
    return f"data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}"


def body(*urls: str, **fields: Any) -> dict[str, Any]:
    shown = [{"type": "image_url", "image_url": {"url": u}} for u in urls]
    content = [*shown, {"type": "text", "text": QUESTION}]
    asked = {"model": MODEL, "messages": [{"role": "user", "content": content}], "max_tokens": MOST, "temperature": 0}
    return asked | {"ignore_eos": True} | fields


def ask(http: httpx.Client, *urls: str, **fields: Any) -> dict[str, Any]:
    response = http.post("/v1/chat/completions", json=body(*urls, **fields))
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def said(answer: dict[str, Any]) -> str:
    text: str = answer["choices"][0]["message"]["content"]
    return text


def test_it_says_of_an_image_what_transformers_says(http: httpx.Client, service: Service) -> None:
    folder = service.config.with_name("seeing")
    processor = AutoProcessor.from_pretrained(folder)
    reference = Idefics3ForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    expected, taken = {}, {}
    for colour in ("red", "blue"):
        shown = processor(text=f"<|user|><image>{QUESTION}<|assistant|>", images=[picture(colour)], return_tensors="pt")
        made = reference.generate(**shown, max_new_tokens=MOST, min_new_tokens=MOST, do_sample=False)
        taken[colour] = shown["input_ids"].shape[1]
        text = processor.tokenizer.decode(made[0, taken[colour] :], skip_special_tokens=True)
        expected[colour] = text.rstrip("\ufffd")  # a character whose last byte is not written
    assert expected["red"] != expected["blue"]
    answers = {colour: ask(http, url(colour)) for colour in expected}
    assert {colour: said(answer) for colour, answer in answers.items()} == expected
    assert {colour: answer["usage"]["prompt_tokens"] for colour, answer in answers.items()} == taken


def test_a_handoff_goes_on_with_the_images(http: httpx.Client) -> None:
    shown = (url("red"), url("green"))
    alone = ask(http, *shown)
    moved = ask(http, *shown, ghost={"handoffs": [{"after_tokens": 5, "to": MODEL}]})
    assert [s["model"] for s in moved["ghost"]["segments"]] == [MODEL, MODEL]
    assert said(moved) == said(alone)
    assert said(ask(http, url("green"), url("red"))) != said(alone)


def test_other_apis_show_it_images_too(http: httpx.Client) -> None:
    data = url("red").partition(",")[2]
    source = {"type": "base64", "media_type": "image/png", "data": data}
    content = [{"type": "image", "source": source}, {"type": "text", "text": QUESTION}]
    messages = [{"role": "user", "content": content}]
    asked = {"model": MODEL, "messages": messages, "max_tokens": MOST, "temperature": 0}
    response = http.post("/v1/messages", json=asked)
    assert response.status_code == 200, response.text
    expected = said(ask(http, url("red"), ignore_eos=False))
    assert response.json()["content"][0]["text"] == expected
    content = [{"type": "input_image", "image_url": url("red")}, {"type": "input_text", "text": QUESTION}]
    asked = {"model": MODEL, "input": [{"role": "user", "content": content}], "max_output_tokens": MOST}
    response = http.post("/v1/responses", json=asked | {"temperature": 0})
    assert response.status_code == 200, response.text
    assert response.json()["output"][-1]["content"][0]["text"] == expected


@pytest.mark.parametrize(
    ("urls", "told"),
    [
        (["https://example.com/a.png"], "supports images as data: URLs only"),
        (["http://169.254.169.254/a.png"], "supports images as data: URLs only"),
        (["data:image/png;base64,aGVsbG8="], "Image 1 cannot be read"),
        ([url("red"), f"{url('red')[:60]}"], "Image 2 cannot be read"),
        ([url("red")] * 3, "At most 2 image(s)"),
    ],
)
def test_what_it_cannot_see_is_the_clients_error(http: httpx.Client, urls: list[str], told: str) -> None:
    for stream in (False, True):
        response = http.post("/v1/chat/completions", json=body(*urls, stream=stream))
        assert response.status_code == 400, response.text
        assert told in response.json()["error"]["message"]


def test_a_model_without_eyes_is_not_asked(http: httpx.Client) -> None:
    response = http.post("/v1/chat/completions", json=body(url("red"), model="ghost-small"))
    assert response.status_code == 400
    assert "does not support images" in response.json()["error"]["message"]
