"""The HTTP client of the commands. All errors become one exception."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click
import httpx

from ghostrouter.cli import exits

URL = "http://127.0.0.1:8000"
_CONNECT_S = 5.0
_F = TypeVar("_F", bound=Callable[..., Any])


class Refused(Exception):
    """The service answered with an error, or did not answer. `body` is an error body of the call API."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(body["errors"][0]["message"])
        self.status = status
        self.body = body


# What a body of the call API has in any case.
RESULT = ("status", "job_id", "partial", "answer", "errors", "provenance")
JOBS = ("jobs", "count")
STATUS = ("models", "breakers", "routes")
HEALTH = ("status", "version", "started_at", "jobs")


class Service:
    """A service at a URL.

    Raises:
        click.UsageError: no header may carry that key.
    """

    def __init__(self, url: str, api_key: str | None) -> None:
        self.url = url.rstrip("/")
        self._headers = headers(api_key)

    def ask(
        self,
        method: str,
        path: str,
        has: Collection[str],
        body: Any = None,
        timeout_s: float = 30.0,
        **query: Any,
    ) -> dict[str, Any]:
        """The JSON body of an answer, which must have these keys.

        Raises:
            Refused: there is none, or it is an error.
        """
        params = {k: v for k, v in query.items() if v is not None}
        with self._client(timeout_s) as client:
            return self._read(client.request(method, path, json=body, params=params), has)

    @contextmanager
    def stream(self, path: str, body: Any, timeout_s: float) -> Iterator[Iterator[bytes]]:
        """The events of a streamed answer as they come. Raises Refused."""
        with self._client(timeout_s) as client, client.stream("POST", path, json=body) as response:
            if response.status_code != httpx.codes.OK:
                response.read()
                raise Refused(response.status_code, _in_shape(_json(response), response.status_code))
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                raise self.stranger()
            yield response.iter_bytes()

    def stranger(self) -> Refused:
        """Turn an answer that is not GhostRouter's into an exception."""
        return _unreachable(f"The server at {self.url} is not GhostRouter.")

    def _read(self, response: httpx.Response, has: Collection[str]) -> dict[str, Any]:
        """The body of an answer. A failed call is a result, whatever its HTTP status is."""
        body = _json(response)
        if isinstance(body, dict) and all(key in body for key in has):
            return body
        if response.is_success:
            raise self.stranger()
        raise Refused(response.status_code, _in_shape(body, response.status_code))

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


def headers(api_key: str | None) -> dict[str, str]:
    """The headers of a request to the service.

    Raises:
        click.UsageError: no header may carry that key.
    """
    if api_key and not (api_key.isascii() and api_key.isprintable()):
        raise click.UsageError("The API key contains characters that are not allowed in a header.")
    return {"authorization": f"Bearer {api_key}"} if api_key else {}


def options(command: _F) -> _F:
    """Add the options of all commands that print an answer of the service."""
    return address(
        click.option("--json", "as_json", is_flag=True, help="Print the answer of the service as JSON.")(command)
    )


def address(command: _F) -> _F:
    """Add the options of all commands that call the service: its URL, and the key."""
    for option in (
        click.option("--api-key", envvar="GHOSTROUTER_API_KEY", hidden=True),
        click.option(
            "--url",
            envvar="GHOSTROUTER_URL",
            default=URL,
            show_default=True,
            show_envvar=True,
            help="URL of the service.",
        ),
    ):
        command = option(command)
    return command


def _json(response: httpx.Response) -> Any:
    """The body as JSON; None if it is not JSON."""
    try:
        return response.json()
    except (ValueError, RecursionError):
        return None


def _in_shape(body: Any, status: int) -> dict[str, Any]:
    """An error body of the call API. Bodies of OpenAI's API, and those that are no JSON, are translated."""
    told = body.get("errors") if isinstance(body, dict) else None
    if isinstance(told, list) and told and all(isinstance(e, dict) and {"code", "message"} <= e.keys() for e in told):
        return {"errors": told}
    error = body.get("error") if isinstance(body, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    code = "validation_error" if exits.of_refusal(status) == exits.WRONG_INPUT else "unknown"
    return {
        "errors": [{"code": code, "message": message or f"The service answers with HTTP {status}.", "details": None}]
    }


def _unreachable(message: str) -> Refused:
    return Refused(503, {"errors": [{"code": "unknown", "message": message, "details": None}]})
