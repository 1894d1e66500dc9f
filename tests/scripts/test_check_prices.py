"""What the maintainers' comparison calls a difference, on tables small enough to read."""

from datetime import date
from typing import Any

import pytest

from ghostrouter.catalog.rows import Listing, Provider
from scripts.check_prices import Difference, differences

TODAY = date(2026, 11, 21)
OURS = {"context_tokens": 100_000, "max_output_tokens": 8000, "prompt": 2, "completion": 10, "cached": 0.5}
THEIRS: dict[str, Any] = {
    "max_input_tokens": 100_000,
    "max_output_tokens": 8000,
    "input_cost_per_token": 2e-6,
    "output_cost_per_token": 1e-5,
    "cache_read_input_token_cost": 5e-7,
    "supports_function_calling": True,
}
FEE = {"search_context_cost_per_query": {"search_context_size_low": 0.006}}


def compare(ours: dict[str, Any], theirs: dict[str, Any] | None, name: str = "openai") -> list[Difference]:
    listed = {"source": "https://x.example", "checked": "x", "as_of": TODAY, "models": {"m": OURS | ours}}
    row: dict[str, Any] = {
        "name": name,
        "kind": "openai",
        "base_url": None,
        "base_url_env": ("X",),
        "continues": "none",
    }
    row |= {"stream_usage": "asked", "tools": True, "source": "https://x.example", "as_of": TODAY}
    table = {} if theirs is None else {"m": THEIRS | theirs, "xai/m": THEIRS | theirs}
    found = differences({name: Listing.model_validate(listed)}, {name: Provider.model_validate(row)}, table, TODAY)
    return list(found)


def test_the_same_is_no_difference() -> None:
    assert compare({}, {}) == []
    assert compare({}, {}, "xai") == []


@pytest.mark.parametrize(
    ("ours", "theirs", "fields"),
    [
        ({"prompt": 1.5}, {}, {"prompt"}),
        ({"completion": 12}, {}, {"completion"}),
        ({"cached": None}, {}, {"cached"}),
        ({}, {"cache_creation_input_token_cost": 2.5e-6}, {"cache_write"}),
        ({"cache_write": 2.5}, {"cache_creation_input_token_cost": 2.5e-6}, set()),
        ({"request_usd": 0.005}, FEE, {"request_usd"}),
        ({}, FEE, set()),
        ({"context_tokens": 120_000}, {}, {"context_tokens"}),
        ({}, {"input_cost_per_token_above_64k_tokens": 4e-6}, {"context_tokens"}),
        ({"context_tokens": 64_000}, {"input_cost_per_token_above_64k_tokens": 4e-6}, set()),
        ({}, {"input_cost_per_token_above_64k_tokens_priority": 8e-6}, set()),
        ({"max_output_tokens": 9000}, {}, {"max_output_tokens"}),
        ({"max_output_tokens": None}, {}, set()),
        ({}, {"deprecation_date": "2026-12-01"}, {"retires"}),
        ({}, {"deprecation_date": "2027-06-01"}, set()),
        ({}, {"supports_function_calling": False}, {"tools"}),
        ({"tools": False}, {}, {"tools"}),
        ({"tools": False}, {"supports_function_calling": None}, set()),
        ({"reasons": True}, {}, {"reasons"}),
        ({}, None, {"row"}),
    ],
)
def test_what_differs(ours: dict[str, Any], theirs: dict[str, Any] | None, fields: set[str]) -> None:
    found = compare(ours, theirs)
    assert {d.field for d in found} == fields
    assert not any(d.noted for d in found)


def test_a_note_owns_up_to_what_costs_nobody_money() -> None:
    note = {"note": "sources disagree"}
    assert [d.noted for d in compare({"completion": 12, **note}, {})] == [True]
    assert [d.noted for d in compare({"completion": 8, **note}, {})] == [False]
    assert [d.noted for d in compare({"context_tokens": 64_000, **note}, {})] == [True]
    assert [d.noted for d in compare(note, None)] == [True]
    assert [d.noted for d in compare(note, {"deprecation_date": "2026-12-01"})] == [False]


def test_what_is_written_only_when_asked_for_is_not_compared() -> None:
    assert compare({}, {"cache_creation_input_token_cost": 2.5e-6}, "anthropic") == []


def test_a_provider_that_the_table_does_not_have_is_passed_over() -> None:
    assert compare({}, None, "openrouter") == []
