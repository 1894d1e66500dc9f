import pytest
from vllm.v1.engine import FINISH_REASON_STRINGS

from deployments.engine.finish_reasons import BROKEN, WHOLE, finish_reason, is_whole
from ghostrouter.errors import SegmentFailed


@pytest.mark.parametrize(
    ("told", "finish", "failure"),
    [
        (None, None, ""),
        ("stop", "stop", ""),
        ("length", "length", ""),
        ("abort", None, "aborted"),
        ("error", None, "failed at the request"),
        ("repetition", None, "repeating itself"),
        ("a reason of a later vLLM", None, "unknown reason"),
    ],
)
def test_an_answer_that_is_not_whole_never_looks_so(told: str | None, finish: str | None, failure: str) -> None:
    assert is_whole(told) is not bool(failure)
    if failure:
        with pytest.raises(SegmentFailed, match=f"^m: .*{failure}"):
            finish_reason(told, "m")
    else:
        assert finish_reason(told, "m") == finish


def test_every_reason_of_this_vllm_has_its_meaning() -> None:
    assert {*WHOLE, *BROKEN} == set(FINISH_REASON_STRINGS)
    assert not {*WHOLE} & {*BROKEN}
