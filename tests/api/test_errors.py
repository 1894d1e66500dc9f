import inspect

import pytest

from ghostrouter import errors as tree
from ghostrouter.api import errors
from ghostrouter.api.query import whole_number

# These never reach a client: somebody handles them, or they end the process at its start.
_INSIDE = {"GhostRouterError", "RequestError", "ConfigError", "TraceInvalid", "SeamRefused", "SegmentFailed"}


def told_errors() -> list[type[tree.GhostRouterError]]:
    kinds = [k for _, k in inspect.getmembers(tree, inspect.isclass) if issubclass(k, tree.GhostRouterError)]
    return [k for k in kinds if k.__name__ not in _INSIDE and not issubclass(k, tree.SegmentFailed)]


@pytest.mark.parametrize("kind", told_errors())
def test_both_shapes_tell_every_error_from_one_row(kind: type[tree.GhostRouterError]) -> None:
    error = kind("why")
    status, body = errors.to_wire(error)
    call_status, call_body = errors.to_call_wire(error)
    assert status != 500
    assert status == call_status or kind is tree.UnknownModel
    assert body["error"]["message"] == call_body["errors"][0]["message"] == "why"
    assert (body["error"]["code"] is None) == (kind is tree.InvalidRequest)


def test_of_an_unexpected_error_only_its_happening_is_told() -> None:
    status, body = errors.to_wire(ValueError("a secret"))
    call_status, call_body = errors.to_call_wire(ValueError("a secret"))
    assert (status, call_status) == (500, 500)
    assert "secret" not in str(body) + str(call_body)
    assert call_body["errors"][0]["code"] == "unknown"


def test_an_error_of_no_row_has_its_parents() -> None:
    assert errors.form_of(tree.RowsRefused("x")) == errors.form_of(tree.StoreFailed("x"))


@pytest.mark.parametrize(
    ("status", "code", "http"),
    [
        ("complete", None, 200),
        ("queued", None, 202),
        ("running", None, 202),
        ("failed", "timeout", 504),
        ("failed", "adapter_error", 503),
        ("failed", "refused", 400),
        ("failed", "unknown", 500),
    ],
)
def test_a_result_is_sent_with_the_status_of_its_error(status: str, code: errors.CallCode | None, http: int) -> None:
    assert errors.result_status(status, code) == http


@pytest.mark.parametrize("text", ["", "-1", "1.0", "one", "²", "٣", "9" * 5000, "0" * 4000 + "5", "11"])
def test_what_is_no_number_in_range_is_the_clients_mistake(text: str) -> None:
    with pytest.raises(tree.InvalidRequest, match="`limit` must be a whole number from 1 to 10"):
        whole_number("limit", text, 1, 10)


def test_a_number_in_range_is_read() -> None:
    assert [whole_number("limit", text, 1, 10) for text in ("1", "010", "10")] == [1, 10, 10]
