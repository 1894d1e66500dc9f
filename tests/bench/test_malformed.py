"""A share of the malformed requests: all are answered, none makes the service fail."""

from random import Random

from bench.malformed import measure


async def test_malformed_requests_are_answered_and_nothing_fails() -> None:
    found = await measure(600, Random(7))
    assert (found["server_errors"], found["unanswered"]) == (0, 0), found["by_status"]
    assert found["by_status"].get("400", 0) > 200
