from dataclasses import replace
from typing import Any

import pytest

from ghostrouter.config import CloudModel, LocalModel
from ghostrouter.conversation import Features, Grammar, Image, Message, Schema, Tool, ToolCall, images_of
from ghostrouter.errors import InvalidRequest
from ghostrouter.policy.eligibility import Needs, speak_of_tools, why_not
from ghostrouter.policy.plan import Candidate, PlanRequest, Table, decide
from ghostrouter.replay.chat_format import ChatFormat
from ghostrouter.terms import Terms

LOCAL = LocalModel(name="near", source="x", regions=("eu",))
GUESSES = LOCAL.model_copy(update={"engine_kwargs": {"speculative_config": {"method": "ngram"}}})
TOOLS = Features((Tool("f", "", {}),))
PATTERN = Features(grammar=Grammar("regex", ("[0-9]+",)))
SCHEMA = Features(schema=Schema("s", {}))


def cloud(**fields: Any) -> CloudModel:
    row = {"name": "far", "base_url": "https://h.example", "model": "m", "context_tokens": 1000}
    return CloudModel.model_validate(row | fields)


FORCED = replace(TOOLS, tool_choice="required")
SERIAL = replace(TOOLS, parallel_tool_calls=False)
STRICT = replace(TOOLS, tools=(replace(TOOLS.tools[0], strict=True),))
UNREASONED = cloud(tools=True, reasons=True, tool_fields={"reasoning_effort": "none"})
ABLE = cloud(tools=True, json_schema=True, vision=True, logprobs=True, top_logprobs=5, reasons=True)


def test_what_a_local_model_can_do_depends_on_its_chat_template() -> None:
    calls = ChatFormat("hermes", "", tells_tools=True)
    assert why_not(LOCAL, Needs(TOOLS), calls) == ""
    assert why_not(LOCAL, Needs(speaks_of_tools=True), calls) == ""
    both = replace(TOOLS, json_object=True)
    assert why_not(LOCAL, Needs(both), calls) == "supports tools or a form of the answer, not both"
    assert why_not(LOCAL, Needs(replace(both, tool_choice="none")), calls) == ""
    thinks = Needs(Features(reasoning_effort="low"))
    assert why_not(LOCAL, thinks, calls) == "does not support reasoning_effort"
    assert why_not(LOCAL, thinks, replace(calls, switches=("enable_thinking",))) == ""


@pytest.mark.parametrize(
    ("model", "needs", "reason"),
    [
        (LOCAL, Needs(), ""),
        (LOCAL, Needs(temperature=0.7, logprobs=True, top_logprobs=20, min_tokens=3), ""),
        (LOCAL, Needs(TOOLS), "does not support tools"),
        (LOCAL, Needs(speaks_of_tools=True), "does not support tools"),
        (LOCAL, Needs(SCHEMA), ""),
        (LOCAL, Needs(PATTERN), ""),
        (LOCAL, Needs(engine_fields=("top_k",)), ""),
        (LOCAL, Needs(images=(Image("data:x"),)), "does not support images"),
        (LOCAL, Needs(terms=Terms("trusted", ("eu",))), ""),
        (LOCAL, Needs(terms=Terms(regions=("us", "eu"))), ""),
        (LOCAL, Needs(terms=Terms(regions=("us",))), "does not run in us"),
        (LOCAL, Needs(terms=Terms(repeatable=True)), "is repeatable only with a seed or temperature 0"),
        (LOCAL, Needs(terms=Terms(repeatable=True), seed=1), ""),
        (GUESSES, Needs(temperature=0.0, min_tokens=3, logprobs=True), ""),
        (GUESSES, Needs(), ""),
        (GUESSES, Needs(temperature=0.7), "uses speculative decoding, which allows greedy answers only"),
        (GUESSES, Needs(penalties=True), "uses speculative decoding, which allows greedy answers only"),
        (GUESSES, Needs(repetition_penalty=True), "uses speculative decoding, which allows greedy answers only"),
        (GUESSES, Needs(logit_bias=True), "uses speculative decoding, which allows greedy answers only"),
        (cloud(), Needs(), ""),
        (cloud(), Needs(terms=Terms("trusted")), "has the trust tier standard, trusted is required"),
        (
            cloud(trust="untrusted"),
            Needs(terms=Terms("standard")),
            "has the trust tier untrusted, standard is required",
        ),
        (cloud(seed_field=None), Needs(terms=Terms(repeatable=True), seed=1), "does not support a seed"),
        (cloud(seed_field=None), Needs(seed=1), "does not support a seed"),
        (cloud(seed_field=None), Needs(terms=Terms(best_effort=True), seed=1), ""),
        (
            cloud(seed_field=None),
            Needs(terms=Terms(repeatable=True, best_effort=True), seed=1),
            "does not support a seed",
        ),
        (LOCAL, Needs(terms=Terms(intent="draft", tags=("code",))), ""),
        (cloud(intents=["draft"]), Needs(terms=Terms(intent="draft")), ""),
        (cloud(intents=["draft"]), Needs(terms=Terms(intent="reason")), "does not support the intent reason"),
        (cloud(tags=["code", "math"]), Needs(terms=Terms(tags=("math", "code"))), ""),
        (cloud(tags=["code"]), Needs(terms=Terms(tags=("math", "code"))), "lacks the tags math"),
        (LOCAL, Needs(Features(json_object=True)), ""),
        (ABLE, Needs(PATTERN), "does not support regular expressions, grammars or choices"),
        (ABLE, Needs(engine_fields=("top_k", "min_p")), "does not support top_k"),
        (cloud(), Needs(Features(json_object=True)), "does not support JSON mode"),
        (cloud(json_object=True), Needs(Features(json_object=True)), ""),
        (cloud(), Needs(TOOLS), "does not support tools"),
        (cloud(), Needs(SCHEMA), "does not support JSON schemas"),
        (cloud(), Needs(images=(Image("http://x.example/"),)), "does not support images"),
        (cloud(), Needs(Features(reasoning_effort="low")), "does not support reasoning_effort"),
        (cloud(), Needs(logprobs=True), "does not return log-probabilities"),
        (cloud(temperature=False), Needs(temperature=0.0), "does not support temperature and top_p"),
        (cloud(temperature=False), Needs(temperature=1.0), ""),
        (cloud(), Needs(repetition_penalty=True), "does not support repetition_penalty"),
        (cloud(provider="vllm", model="m"), Needs(repetition_penalty=True, min_tokens=2), ""),
        (cloud(), Needs(min_tokens=1), "does not support min_tokens"),
        (ABLE, Needs(TOOLS, images=(Image("http://x.example/"),), logprobs=True, top_logprobs=5), ""),
        (ABLE, Needs(logprobs=True, top_logprobs=6), "returns at most 5 alternatives per token"),
        (cloud(tools=True), Needs(FORCED), ""),
        (cloud(tools=True, forced_tools=False), Needs(FORCED), "does not support a forced tool choice"),
        (cloud(tools=True, forced_tools=False), Needs(TOOLS), ""),
        (UNREASONED, Needs(TOOLS), ""),
        (UNREASONED, Needs(replace(TOOLS, reasoning_effort="none")), ""),
        (UNREASONED, Needs(replace(TOOLS, reasoning_effort="low")), "supports tools only without reasoning"),
        (UNREASONED, Needs(Features(reasoning_effort="low")), ""),
        (cloud(), Needs(penalties=True, logit_bias=True), ""),
        (cloud(penalties=False), Needs(penalties=True), "does not support penalties"),
        (cloud(temperature=False), Needs(penalties=True), "does not support penalties"),
        (cloud(temperature=False), Needs(logit_bias=True), "does not support logit_bias"),
        (cloud(kind="anthropic"), Needs(penalties=True), "does not support penalties"),
        (cloud(kind="anthropic"), Needs(temperature=1.2), "supports temperatures up to 1 only"),
        (cloud(kind="anthropic"), Needs(temperature=0.2, top_p=0.9), "supports temperature or top_p, not both"),
        (cloud(kind="gemini"), Needs(logit_bias=True), "does not support logit_bias"),
        (
            cloud(kind="gemini", vision=True),
            Needs(images=(Image("http://x.example/"),)),
            "supports images as data: URLs only",
        ),
        (cloud(vision=True), Needs(images=(Image("http://x.example/", "low"),)), ""),
        (cloud(kind="anthropic", vision=True), Needs(images=(Image("http://x.example/", "auto"),)), ""),
        (
            cloud(kind="anthropic", vision=True),
            Needs(images=(Image("http://x.example/", "low"),)),
            "does not support the detail of images",
        ),
        (cloud(kind="gemini", tools=True), Needs(SERIAL), "does not support parallel_tool_calls: false"),
        (cloud(kind="anthropic", tools=True), Needs(SERIAL), ""),
        (cloud(kind="gemini", tools=True), Needs(STRICT), ""),
        (cloud(kind="anthropic", tools=True), Needs(STRICT), ""),
    ],
)
def test_why_not(model: LocalModel | CloudModel, needs: Needs, reason: str) -> None:
    assert why_not(model, needs) == reason


def test_what_a_conversation_holds() -> None:
    call = Message("assistant", "", tool_calls=(ToolCall("1", "f", "{}"),))
    assert speak_of_tools((Message("user", "x"), call))
    assert speak_of_tools((Message("tool", "x", tool_call_id="1"),))
    assert images_of((Message("user", "x", ("x", Image("http://i"))),)) == (Image("http://i"),)


ROUTES = {"default": ("near", "far")}


def test_the_plan_holds_only_who_may_answer_and_says_why() -> None:
    chosen = decide(
        PlanRequest("ghost/auto"), {"far": Candidate(100, 10)}, Table(ROUTES), {"near": "does not support tools"}
    ).plan
    assert (chosen.models, chosen.ineligible) == (("far",), (("near", "does not support tools"),))


@pytest.mark.parametrize("asked", ["ghost/auto", "near"])
def test_where_nobody_may_answer_the_reasons_are_told(asked: str) -> None:
    with pytest.raises(InvalidRequest, match="near does not support tools"):
        decide(PlanRequest(asked), {}, Table({"default": ("near",)}), {"near": "does not support tools"})
