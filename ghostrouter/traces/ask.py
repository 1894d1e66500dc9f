"""Ask a running service for answers, with log-probabilities or for the text alone."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import httpx

from ghostrouter.errors import TraceInvalid
from ghostrouter.terms import NO_LOGPROBS, NO_SAMPLING

_PATH = "/v1/chat/completions"
_TOP = 20
_TIMEOUT_S = 300.0
_FIELDS = {NO_LOGPROBS: ("logprobs", "top_logprobs"), NO_SAMPLING: ("temperature",)}
"""Reason for which a model refuses a call -> the fields to leave out."""


class Answer(NamedTuple):
    """A whole answer.

    `entries` is OpenAI's `logprobs.content`; None without log-probabilities. Then `pieces` is the text in the pieces in
    which it came. `cut` says that the answer ended at its token limit.
    """

    entries: tuple[dict[str, Any], ...] | None
    pieces: tuple[str, ...]
    cut: bool


class Asker:
    """Asks one model of a service. A field that the model refuses is left out from then on."""

    def __init__(self, client: httpx.Client, model: str, max_tokens: int, text_only: bool = False) -> None:
        self._client = client
        self._wanted: dict[str, Any] = {"temperature": 0, "logprobs": True, "top_logprobs": _TOP}
        self._model = model
        self._max_tokens = max_tokens
        if text_only:
            self._leave_out(NO_LOGPROBS)

    def ask(self, prompt: str) -> Answer:
        """The answer to a prompt.

        Raises:
            TraceInvalid: the service gives no answer.
        """
        messages = [{"role": "user", "content": prompt}]
        while True:
            body = {"model": self._model, "messages": messages, "max_tokens": self._max_tokens, **self._wanted}
            try:
                return self._whole(body) if "logprobs" in body else self._streamed(body)
            except _Refused as refused:
                if not self._leave_out(str(refused)):
                    raise TraceInvalid(f"{self._client.base_url}: {refused}") from refused
            except (httpx.HTTPError, json.JSONDecodeError, KeyError, IndexError, TypeError) as error:
                raise TraceInvalid(f"{self._client.base_url}: {error}") from error

    def text(self, prompt: str, written: str = "") -> str:
        """The text of the answer; with `written`, of an answer that begins with it and that the model goes on with.

        Raises:
            TraceInvalid: the service gives no answer.
        """
        messages = [{"role": "user", "content": prompt}]
        body: dict[str, Any] = {"model": self._model, "max_tokens": self._max_tokens, "messages": messages}
        if "temperature" in self._wanted:
            body["temperature"] = 0
        if written:
            messages.append({"role": "assistant", "content": written})
            body["continue_final_message"] = True
        try:
            response = self._client.post(_PATH, json=body, timeout=_TIMEOUT_S)
            if response.status_code != httpx.codes.OK:
                if self._leave_out(message := str(_Refused(response))):
                    return self.text(prompt, written)
                raise TraceInvalid(f"{self._client.base_url}: {message}")
            return str(response.json()["choices"][0]["message"]["content"] or "")
        except (httpx.HTTPError, json.JSONDecodeError, KeyError, IndexError, TypeError) as error:
            raise TraceInvalid(f"{self._client.base_url}: {error}") from error

    def _leave_out(self, message: str) -> bool:
        """Leave out the fields that an error message complains of; returns whether there were any."""
        names = {name for reason, names in _FIELDS.items() if reason in message for name in names}
        asked = names & set(self._wanted)
        self._wanted = {name: value for name, value in self._wanted.items() if name not in asked}
        return bool(asked)

    def _whole(self, body: dict[str, Any]) -> Answer:
        response = self._client.post(_PATH, json=body, timeout=_TIMEOUT_S)
        if response.status_code != httpx.codes.OK:
            raise _Refused(response)
        choice = response.json()["choices"][0]
        entries = (choice.get("logprobs") or {}).get("content") or ()
        return Answer(tuple(entries), (), choice.get("finish_reason") == "length")

    def _streamed(self, body: dict[str, Any]) -> Answer:
        """The text in the pieces in which it comes, because serving sees it that way too."""
        pieces, finish = [], None
        with self._client.stream("POST", _PATH, json=body | {"stream": True}, timeout=_TIMEOUT_S) as response:
            if response.status_code != httpx.codes.OK:
                response.read()
                raise _Refused(response)
            for choice in _choices(response.iter_lines()):
                if text := choice["delta"].get("content"):
                    pieces.append(text)
                finish = choice.get("finish_reason") or finish
        if finish is None:
            raise TraceInvalid(f"{self._client.base_url}: an answer ended without a finish reason")
        return Answer(None, tuple(pieces), finish == "length")


class _Refused(Exception):
    """The service answered with an error."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__(_message(response.text) or f"HTTP {response.status_code}")


def _choices(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The choices of a stream's events.

    Raises:
        TraceInvalid: an event is an error.
    """
    for line in lines:
        if line.startswith("data: {"):
            event = json.loads(line.removeprefix("data: "))
            if "error" in event:
                raise TraceInvalid(f"the service stopped with an error: {event['error']['message']}")
            yield from event["choices"]


def _message(body: str) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (json.JSONDecodeError, KeyError, TypeError):
        return ""
