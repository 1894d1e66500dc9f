"""Every cell of the table in docs/compatibility.md, computed from the code."""

from collections.abc import Iterable

import pytest

from ghostrouter.config import CloudModel, LocalModel
from ghostrouter.conversation import Features, Grammar, Image, Message, Schema, Tool
from ghostrouter.errors import SeamRefused
from ghostrouter.policy.eligibility import Needs, why_not
from ghostrouter.replay import tokenizers
from ghostrouter.replay.chat_format import ChatFormat
from ghostrouter.replay.seam import Piece, SeamRequest, plan_seam
from tests.shipped import MODELS, ROOT

TOOLS = Features((Tool("f", "", {"type": "object"}),))
NEEDS = {
    "text": Needs(),
    "JSON schema": Needs(Features(schema=Schema("s", {}))),
    "JSON mode": Needs(Features(json_object=True)),
    "regular expression, grammar, choice": Needs(Features(grammar=Grammar("regex", ("a",)))),
    "tools: a call that has begun": Needs(TOOLS),
    "tools: before the first call": Needs(TOOLS),
    "reasoning effort": Needs(Features(reasoning_effort="low")),
    "pictures": Needs(images=(Image("data:image/png;base64,aa"),)),
    "top_k, min_p, stop_token_ids, ignore_eos": Needs(engine_fields=("top_k",)),
    "log-probabilities": Needs(logprobs=True, top_logprobs=5),
    "penalties, logit_bias": Needs(penalties=True, logit_bias=True),
}
LOCAL = LocalModel(name="m", source="x")
GUESSES = LOCAL.model_copy(update={"engine_kwargs": {"speculative_config": {"method": "ngram"}}})
SEES = LOCAL.model_copy(update={"vision": True})
PLAIN, ABLE = ChatFormat("", "", tells_tools=False), ChatFormat("hermes", "qwen3", True, ("enable_thinking",))
FAR = {"name": "far", "base_url": "http://h", "model": "m", "context_tokens": 1000}
BARE = CloudModel.model_validate({**FAR, "penalties": False})
RICH = CloudModel.model_validate(
    {**FAR, "continues": "assistant", "tools": True, "json_schema": True, "json_object": True, "vision": True}
    | {"reasons": True, "logprobs": True}
)
ONE = LocalModel(name="one", source=str(MODELS / "ghost-small"), tool_parser="hermes")
ALIKE = LocalModel(name="alike", source=str(MODELS / "ghost-cloud"), tool_parser="hermes")
OTHER = LocalModel(name="other", source=str(MODELS / "ghost-large"), tool_parser="llama3_json")
TOKENIZERS = tokenizers.load([ONE, ALIKE, OTHER])


def word(possible: Iterable[bool]) -> str:
    found = set(possible)
    return "yes" if found == {True} else "no" if found == {False} else "some"


def goes_on(feature: str, features: Features, target: str, cloud: CloudModel | None = None) -> bool:
    """Whether an answer of which the client has ten tokens goes on with another model."""
    called = feature.endswith("has begun")
    ids = TOKENIZERS["one"].encode("Well, this is it.")[:10]
    texts = ("",) * 10 if called else TOKENIZERS["one"].pieces(ids)
    pieces = (Piece("one", ids, texts, parsed=called),)
    asked = SeamRequest("s", (Message("user", "Go"),), False, pieces, 10, None, target, features, called)
    try:
        plan_seam(asked, TOKENIZERS, {target: cloud} if cloud else {})
    except SeamRefused:
        return False
    return True


def row(feature: str) -> list[str]:
    needs = NEEDS[feature]
    near = [not why_not(m, needs, f) for m, f in ((LOCAL, PLAIN), (LOCAL, ABLE), (GUESSES, PLAIN), (SEES, PLAIN))]
    far = [not why_not(m, needs) for m in (BARE, RICH)]
    local, cloud = word(near), word(far)
    to_local = word(goes_on(feature, needs.features, t) for t in ("alike", "other")) if any(near) else "no"
    clouds = (RICH, RICH.model_copy(update={"continues": "none"}))
    to_cloud = word(goes_on(feature, needs.features, "far", c) for c in clouds) if any(far) else "no"
    return [feature, local, cloud, to_local, to_cloud]


def table() -> list[list[str]]:
    lines = (ROOT / "docs/compatibility.md").read_text().splitlines()
    rows = [[c.strip() for c in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return rows[1:]


@pytest.mark.parametrize("told", table(), ids=lambda told: told[0])
def test_the_table_tells_what_the_code_does(told: list[str]) -> None:
    assert told == row(told[0])


def test_no_feature_is_left_out() -> None:
    assert [told[0] for told in table()] == list(NEEDS)


def test_a_cloud_model_that_has_not_begun_takes_over_what_it_could_not_continue() -> None:
    empty = SeamRequest("s", (Message("user", "Go"),), False, (Piece("one", (), ()),), 0, None, "far", TOOLS)
    assert plan_seam(empty, TOKENIZERS, {"far": RICH}).continuation == "restart"
