import pickle
from dataclasses import replace

import pytest

from ghostrouter import errors
from ghostrouter.api import chat_response
from ghostrouter.api.errors import to_wire
from tests.make import token

HEAD = chat_response.Head("chatcmpl-1", "m", 7)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.InvalidRequest("x"), 400, None),
        (errors.PromptTooLong("x"), 400, "context_length_exceeded"),
        (errors.UnknownModel("x"), 404, "model_not_found"),
        (errors.TraceNotFound("x"), 404, "trace_not_found"),
        (errors.NothingCanAnswer("x"), 503, "nothing_can_answer"),
    ],
)
def test_errors_have_openai_s_shape_and_survive_pickling(error: Exception, status: int, code: str | None) -> None:
    error = pickle.loads(pickle.dumps(error))  # noqa: S301
    found, body = to_wire(error)
    assert found == status
    assert body["error"]["message"] == "x"
    assert body["error"]["code"] == code


def test_an_unexpected_error_tells_nothing_of_itself() -> None:
    status, body = to_wire(RuntimeError("/secret/path"))
    assert status == 500
    assert "secret" not in str(body)


def test_logprobs_carry_text_bytes_and_alternatives() -> None:
    asked = replace(HEAD, logprobs=True, top_logprobs=1)
    body = chat_response.logprobs(asked, [token("é")._replace(alternatives=(("e", -2.0), ("f", -3.0)))])
    assert body and body["content"][0]["bytes"] == [195, 169]
    assert body["content"][0]["top_logprobs"] == [{"token": "e", "logprob": -2.0, "bytes": [101]}]


def test_an_exact_entropy_is_told_and_bounds_are_not() -> None:
    exact = token("a", entropy_nats=0.5)
    body = chat_response.logprobs(
        replace(HEAD, logprobs=True), [exact, exact._replace(entropy_lower_nats=0.4), exact._replace(id=-1)]
    )
    assert body
    known, bounded, far = body["content"]
    assert known["entropy_nats"] == 0.5
    assert "entropy_nats" not in bounded and "entropy_nats" not in far
    assert chat_response.entries([exact]) == [{k: v for k, v in known.items() if k != "entropy_nats"}]


def test_only_the_chunk_with_the_usage_has_no_choices() -> None:
    used, ghost = chat_response.usage(3, 4), {"id": "s"}
    last = chat_response.finish(HEAD, "stop", ghost, 0)
    assert (last["choices"][0]["finish_reason"], last["ghost"], "usage" in last) == ("stop", ghost, False)
    asking = replace(HEAD, include_usage=True)
    finish, told = chat_response.finish(asking, "stop", None, 1), chat_response.usage_chunk(asking, used, ghost)
    assert (finish["choices"][0]["index"], finish["usage"], "ghost" in finish) == (1, None, False)
    assert (told["choices"], told["usage"]["total_tokens"], told["ghost"]) == ([], 7, ghost)
