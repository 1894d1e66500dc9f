import pytest

from ghostrouter.errors import InvalidRequest, PromptTooLong, UnknownModel
from ghostrouter.policy.plan import AUTO, Candidate, make_plan
from ghostrouter.types import Classification

ROUTES = {"default": ("small", "large"), "code": ("large",)}
ROOM = {"small": Candidate(100, 10), "large": Candidate(1000, 10)}


def label(task: str) -> Classification:
    return Classification(task, "rules", 1.0, "")


@pytest.mark.parametrize(
    ("requested", "task", "models"),
    [
        ("small", None, ("small",)),
        (AUTO, None, ("small", "large")),
        (AUTO, "code", ("large",)),
        (AUTO, "never heard of", ("small", "large")),
    ],
)
def test_the_plan_follows_name_or_task(requested: str, task: str | None, models: tuple[str, ...]) -> None:
    assert make_plan(requested, ROOM, ROUTES, label(task) if task else None).models == models


def test_models_without_room_fall_out() -> None:
    room = {"small": Candidate(100, 100), "large": Candidate(1000, 100)}
    assert make_plan(AUTO, room, ROUTES, None).models == ("large",)


def test_a_prompt_that_fits_nowhere_is_refused() -> None:
    room = {"small": Candidate(100, 2000), "large": Candidate(1000, 2000)}
    with pytest.raises(PromptTooLong, match=r"2000 tokens and large takes at most 1000"):
        make_plan(AUTO, room, ROUTES, None)


def test_a_request_about_token_ids_stays_with_one_tokenizer() -> None:
    room = {"small": Candidate(100, 1, "x"), "other": Candidate(100, 1, "y"), "large": Candidate(100, 1, "x")}
    routes = {"default": ("small", "other", "large")}
    assert make_plan(AUTO, room, routes, None, one_tokenizer=True).models == ("small", "large")
    assert make_plan(AUTO, room, routes, None).models == ("small", "other", "large")


def test_an_unknown_model_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownModel, match=r"`gpt` does not exist. Models: ghost/auto, small, large"):
        make_plan("gpt", ROOM, ROUTES, None)


def test_models_that_cannot_answer_at_all_fall_out() -> None:
    assert make_plan(AUTO, {"large": ROOM["large"]}, ROUTES, None).models == ("large",)
    with pytest.raises(InvalidRequest, match="route code"):
        make_plan(AUTO, {"small": ROOM["small"]}, ROUTES, label("code"))
