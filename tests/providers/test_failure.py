import json
import pickle

import pytest

from ghostrouter.errors import (
    ContextExceeded,
    NothingCanAnswer,
    ProviderBusy,
    ProviderRefused,
    ProviderRejected,
    RequestRejected,
    SegmentFailed,
)
from ghostrouter.providers.failure import of_content_type, of_status, retry_after_s


@pytest.mark.parametrize(
    ("status", "headers", "body", "kind", "words"),
    [
        (500, {}, b"", SegmentFailed, "HTTP 500"),
        (408, {}, b"", SegmentFailed, "HTTP 408"),
        (503, {}, b"", SegmentFailed, "HTTP 503"),
        (503, {"retry-after": "3"}, b"", ProviderBusy, "HTTP 503"),
        (529, {"retry-after": "3"}, b"", ProviderBusy, "HTTP 529"),
        (429, {}, b'{"error": {"code": "rate_limit_exceeded"}}', ProviderBusy, r"429 \(rate_limit_exceeded\)"),
        (400, {}, b'{"error": {"code": "content_filter"}}', ProviderRefused, "content_filter"),
        (400, {}, b'[{"error": {"status": "INVALID_ARGUMENT", "message": "secret"}}]', RequestRejected, "INVALID_ARG"),
        (401, {}, b'{"error": {"message": "no sk-secret"}}', ProviderRejected, "the API key was rejected"),
        (404, {}, b"<html>secret</html>", ProviderRejected, "check model and base URL"),
        (307, {"location": "https://evil.example"}, b"", ProviderRejected, "is not followed"),
        (422, {}, b'{"error": "secret"}', RequestRejected, r"422 \(unknown\)"),
        (422, {}, json.dumps({"error": {"code": "secret prompt " * 9}}).encode(), RequestRejected, "unknown"),
        (400, {}, b'{"error": {"code": "context_length_exceeded"}}', ContextExceeded, "longer than the model takes"),
        (400, {}, b'{"message": "prompt is too long: secret", "code": 400}', ContextExceeded, r"HTTP 400 \(400\)"),
        (413, {}, b"", ContextExceeded, "HTTP 413"),
        (413, {}, b'{"error": {"code": "rate_limit_exceeded", "message": "secret"}}', ContextExceeded, "413"),
        (402, {}, b"", ProviderRejected, "no credit"),
        (529, {}, b"", ProviderBusy, "HTTP 529"),
    ],
)
def test_a_status_says_what_to_do(
    status: int, headers: dict[str, str], body: bytes, kind: type[SegmentFailed], words: str
) -> None:
    failure = of_status(status, headers, body)
    assert type(failure) is kind
    with pytest.raises(kind, match=words):
        raise failure
    assert "secret" not in str(failure)
    assert "evil" not in str(failure)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e300"}, 604_800.0),
        ({"retry-after": "inf"}, 604_800.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 604_800.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:27:00 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 0.0),
        ({"retry-after": "Wed, 21 Oct 2026 09:28:30 +0200", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30.0),
        ({"retry-after": "1, 2"}, None),
    ],
)
def test_how_long_to_leave_it_alone(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers) == seconds


def test_what_is_no_stream_of_events() -> None:
    assert of_content_type("text/event-stream; charset=utf-8") is None
    failure = of_content_type("text/html")
    assert isinstance(failure, ProviderRejected)
    assert "text.html instead of events" in str(failure)


def test_errors_keep_what_they_carry_across_processes() -> None:
    for error in (ProviderBusy("busy", 3.0), NothingCanAnswer("none", 4.0)):
        again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
        assert (str(again), again.retry_after_s) == (str(error), error.retry_after_s)
