from collections.abc import Callable
from typing import Any

import httpx
import pytest

from deployments.cloud.own_servers import with_discovered
from ghostrouter.config import GraphConfig

LOCAL: dict[str, Any] = {"models": [{"name": "m", "source": "x"}], "routes": {"default": {"models": ["m"]}}}


def says(answer: httpx.Response) -> Callable[..., httpx.Response]:
    """A server with this answer."""

    def get(url: str, timeout: float) -> httpx.Response:
        assert url == "http://box:11434/v1/models"
        answer.request = httpx.Request("GET", url)
        return answer

    return get


@pytest.fixture(autouse=True)
def address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "box:11434")


def test_the_models_of_a_server_appear() -> None:
    listed = httpx.Response(
        200, json={"data": [{"id": "llama3.2:3b"}, {"id": "no name\n"}, {"id": "q", "max_model_len": 77}]}
    )
    config = GraphConfig.parse(with_discovered(LOCAL, says(listed)))
    assert [(m.name, m.context_tokens) for m in config.cloud] == [("ollama/llama3.2:3b", 8192), ("ollama/q", 77)]


@pytest.mark.parametrize(
    "answer", [httpx.Response(500), httpx.Response(200, text="<html>"), httpx.Response(200, json={"data": [3]})]
)
def test_one_that_does_not_answer_has_none(answer: httpx.Response) -> None:
    assert with_discovered(LOCAL, says(answer)) == LOCAL


def test_none_is_asked_where_nothing_is_to_be_discovered() -> None:
    args = {**LOCAL, "providers": {"discover": False}}
    assert with_discovered(args, says(httpx.Response(500))) is args
