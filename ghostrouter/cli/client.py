"""How the commands ask the service: addresses, keys, and errors as one exception."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click
import httpx

from ghostrouter.cli import exits

URL = "http://127.0.0.1:8000"
_CONNECT_S = 5.0
_F = TypeVar("_F", bound=Callable[..., Any])


class Refused(Exception):
    """The service has answered with an error, or not at all. `body` is in the published shape."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(body["errors"][0]["message"])
        self.status = status
        self.body = body


class Service:
    """A service at a URL."""

    def __init__(self, url: str, api_key: str | None) -> None:
        self.url = url.rstrip("/")
        self._headers = {"authorization": f"Bearer {api_key}"} if api_key else {}

    def ask(self, method: str, path: str, body: Any = None, timeout_s: float = 30.0, **query: Any) -> dict[str, Any]:
        """The JSON of an answer.

        Raises:
            Refused: there is none, or it is an error.
        """
        params = {k: v for k, v in query.items() if v is not None}
        with self._client(timeout_s) as client:
            return _read(client.request(method, path, json=body, params=params))

    @contextmanager
    def stream(self, path: str, body: Any, timeout_s: float) -> Iterator[Iterator[bytes]]:
        """The parts of a streamed answer as they come. Raises Refused."""
        with self._client(timeout_s) as client, client.stream("POST", path, json=body) as response:
            if response.status_code != httpx.codes.OK:
                response.read()
                _read(response)
            yield response.iter_bytes()

    @contextmanager
    def _client(self, timeout_s: float) -> Iterator[httpx.Client]:
        timeout = httpx.Timeout(timeout_s, connect=_CONNECT_S)
        try:
            with httpx.Client(base_url=self.url, headers=self._headers, timeout=timeout) as client:
                yield client
        except httpx.TimeoutException:
            raise _unreachable(f"{self.url} does not answer.") from None
        except (httpx.ConnectError, httpx.UnsupportedProtocol, httpx.InvalidURL):
            raise _unreachable(f"No service at {self.url}. Start one: ghostrouter serve") from None
        except httpx.HTTPError as error:
            raise _unreachable(f"The connection to {self.url} broke: {type(error).__name__}.") from None


def options(command: _F) -> _F:
    """The options that every command has which asks the service."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print what the service says, as JSON."),
        click.option("--api-key", envvar="GHOSTROUTER_API_KEY", hidden=True),
        click.option(
            "--url", envvar="GHOSTROUTER_URL", default=URL, show_default=True, show_envvar=True, help="The service."
        ),
    ):
        command = option(command)
    return command


def _read(response: httpx.Response) -> dict[str, Any]:
    """The body of an answer. A failed call is a result, whatever its HTTP status."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if isinstance(body, dict) and ("status" in body or response.is_success):
        return body
    raise Refused(response.status_code, _in_shape(body, response.status_code))


def _in_shape(body: Any, status: int) -> dict[str, Any]:
    """An error body in the published shape; OpenAI's, and what is none, are translated."""
    if isinstance(body, dict) and isinstance(body.get("errors"), list) and body["errors"]:
        return body
    error = body.get("error") if isinstance(body, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    code = "validation_error" if exits.of_refusal(status) == exits.WRONG_INPUT else "unknown"
    return {
        "errors": [{"code": code, "message": message or f"The service answers with HTTP {status}.", "details": None}]
    }


def _unreachable(message: str) -> Refused:
    return Refused(503, {"errors": [{"code": "unknown", "message": message, "details": None}]})
