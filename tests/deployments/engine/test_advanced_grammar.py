import json
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from random import Random
from types import SimpleNamespace
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
from transformers import PreTrainedTokenizerFast
from vllm.sampling_params import SamplingParams, StructuredOutputsParams
from vllm.v1.structured_output import StructuredOutputManager
from vllm.v1.structured_output.backend_guidance import GuidanceBackend, validate_guidance_grammar
from vllm.v1.structured_output.request import StructuredOutputRequest

from bench.schemas import schema
from deployments.engine import vllm_arguments
from deployments.engine.advanced_grammar import AdvancedAsyncScheduler, AdvancedScheduler, _CreateAdvanced
from deployments.engine.keyed_sampler import ARGUMENT
from deployments.engine.structured_outputs import structured_outputs
from ghostrouter.conversation import Features, Grammar, Schema, Tool
from tests.deployments.engine.json_tokenizers import tokenizer

MOST = 200


class Thinker:
    """A reasoning parser of vLLM's kind. Token 1 ends the reasoning."""

    def __init__(self, tokenizer: Any) -> None: ...

    def is_reasoning_end(self, ids: Sequence[int]) -> bool:
        return 1 in ids

    def extract_content_ids(self, ids: list[int]) -> list[int]:
        return ids[ids.index(1) + 1 :]


class Manager:
    """vLLM's manager of grammars for one tokenizer, without an engine."""

    def __init__(self, of: PreTrainedTokenizerFast, reasons: bool = False) -> None:
        options = SimpleNamespace(disable_any_whitespace=True, disable_additional_properties=False)
        config = SimpleNamespace(structured_outputs_config=options, speculative_config=None)
        self.size = len(of)
        self._manager = StructuredOutputManager.__new__(StructuredOutputManager)
        self._manager.backend = GuidanceBackend(config, tokenizer=of, vocab_size=self.size)
        self._manager.tokenizer = of
        self._manager.reasoner_cls = Thinker if reasons else None
        self._manager.enable_in_reasoning = False
        self._manager._create_grammar = _CreateAdvanced(self._manager)
        self._end = of.eos_token_id

    def grammar(self, features: Features, kept: Sequence[int] = (), prompt: Sequence[int] = ()) -> Any:
        """The grammar of a request whose answer has the tokens `kept` already."""
        form = structured_outputs(features, "hermes")
        assert isinstance(form, StructuredOutputsParams)
        params = SamplingParams(structured_outputs=form, extra_args={ARGUMENT: {"kept": tuple(kept)}})
        validate_guidance_grammar(params)
        params._all_stop_token_ids = {self._end}
        request: Any = SimpleNamespace(
            request_id="r",
            sampling_params=params,
            prompt_token_ids=[*prompt, *kept],
            structured_output_request=StructuredOutputRequest(params=form),
        )
        return self._manager._create_grammar(request)

    def allowed(self, grammar: Any) -> list[int]:
        """The tokens that may come next."""
        mask = torch.zeros((1, -(-self.size // 32)), dtype=torch.int32)
        grammar.fill_bitmask(mask, 0)
        bits = np.unpackbits(mask.numpy().view(np.uint8), bitorder="little")
        found: list[int] = np.flatnonzero(bits[: self.size]).tolist()
        return found

    def write(self, grammar: Any, rng: Random) -> Iterator[int]:
        """Random tokens that the grammar allows, to the end. The end is likelier the longer it takes."""
        for count in range(MOST):
            allowed = self.allowed(grammar)
            token = self._end if self._end in allowed and rng.random() < count / 20 else rng.choice(allowed)
            if token == self._end:
                return
            assert grammar.accept_tokens("r", [token])
            yield token
        raise AssertionError("the answer has no end")


@pytest.fixture(scope="module")
def small() -> PreTrainedTokenizerFast:
    return tokenizer(280)


@pytest.fixture(scope="module")
def large() -> PreTrainedTokenizerFast:
    return tokenizer(420)


def test_a_seam_at_every_token_of_200_answers_goes_on_as_without_it(large: PreTrainedTokenizerFast) -> None:
    manager = Manager(large)
    for seed in range(200):
        rng = Random(seed)
        features = Features(schema=Schema("s", schema(rng)))
        whole, uncut = list(manager.write(manager.grammar(features), rng)), manager.grammar(features)
        jsonschema.validate(json.loads(large.decode(whole)), features.schema.schema)  # type: ignore[union-attr]
        for cut in range(len(whole) + 1):
            assert manager.allowed(manager.grammar(features, whole[:cut])) == manager.allowed(uncut), (seed, cut)
            if cut < len(whole):
                uncut.accept_tokens("r", [whole[cut]])


def test_a_seam_between_tokenizers_at_every_character_stays_valid(
    small: PreTrainedTokenizerFast, large: PreTrainedTokenizerFast
) -> None:
    source, target = Manager(large), Manager(small)
    for seed in range(12):
        rng = Random(seed)
        features = Features(schema=Schema("s", schema(rng)))
        whole = large.decode(list(source.write(source.grammar(features), rng)))
        for cut in range(len(whole) + 1):
            kept = small.encode(whole[:cut], add_special_tokens=False)
            rest = list(target.write(target.grammar(features, kept), rng))
            jsonschema.validate(json.loads(small.decode(kept + rest)), features.schema.schema)  # type: ignore[union-attr]


def test_what_another_model_has_set_apart_with_white_space_goes_on(small: PreTrainedTokenizerFast) -> None:
    manager, features = Manager(small), Features(schema=Schema("s", {"type": "array", "items": {"enum": [1, 2]}}))
    kept = small.encode("[\n  1,\n", add_special_tokens=False)
    rest = list(manager.write(manager.grammar(features, kept), Random(1)))
    jsonschema.validate(json.loads(small.decode([*kept, *rest])), features.schema.schema)  # type: ignore[union-attr]
    assert not set(small.encode(" \n", add_special_tokens=False)) & set(manager.allowed(manager.grammar(features)))


@pytest.mark.parametrize(
    ("features", "kept", "wrong"),
    [
        (Features(json_object=True), '{"a":[1,', '{"a":]'),
        (Features(grammar=Grammar("regex", (r"[0-9]{3}-[a-z]+",))), "12", "1-"),
        (Features(grammar=Grammar("choice", ("yes", "no"))), "ye", "yo"),
        (Features(grammar=Grammar("grammar", ('root ::= "a" [0-9]+ "z"',))), "a1", "az"),
    ],
)
def test_each_form_goes_on_behind_what_is_kept_and_refuses_what_does_not_fit(
    small: PreTrainedTokenizerFast, features: Features, kept: str, wrong: str, capfd: pytest.CaptureFixture[str]
) -> None:
    manager = Manager(small)
    ids = small.encode(kept, add_special_tokens=False)
    rest = list(manager.write(manager.grammar(features, ids), Random(3)))
    again = manager.grammar(features)
    assert again.accept_tokens("r", [*ids, *rest, small.eos_token_id])
    assert again.is_terminated()
    with pytest.raises(ValueError, match="does not follow"):
        manager.grammar(features, small.encode(wrong, add_special_tokens=False))
    assert not capfd.readouterr().err


TOOLS = Features((Tool("add", "", {"type": "object", "properties": {"a": {"enum": [1, 2]}}, "required": ["a"]}),))


def test_text_is_free_until_a_call_begins_which_must_be_valid(small: PreTrainedTokenizerFast) -> None:
    manager = Manager(small)

    def allowed(text: str) -> set[str]:
        kept = small.encode(text, add_special_tokens=False)
        return {small.decode([i]) for i in manager.allowed(manager.grammar(TOOLS, kept))}

    assert {"a", "<", "{", "<end>"} < allowed("") == allowed("Well <b>") == allowed("<tool_call>")
    assert allowed("<tool_call>\n") <= {"{", '{"'}
    assert {"1", "2"} <= allowed('Yes. <tool_call>\n{"name": "add", "arguments": {"a":') <= {"1", "2", "1}", "2}"}
    after = '<tool_call>\n{"name": "add", "arguments": {"a":1}}\n</tool_call>'
    assert allowed(after) == allowed("")
    with pytest.raises(ValueError, match="does not follow"):
        allowed('<tool_call>\n{"name": "sub"')


def test_a_forced_call_is_json_of_the_tool(small: PreTrainedTokenizerFast) -> None:
    manager = Manager(small)
    for choice in ("required", "add"):
        features = replace(TOOLS, tool_choice=choice)
        for seed in range(5):
            read = json.loads(small.decode(list(manager.write(manager.grammar(features), Random(seed)))))
            calls = read if choice == "required" else [{"name": "add", "parameters": read}]
            assert calls
            assert all(c["name"] == "add" and c["parameters"]["a"] in (1, 2) for c in calls)


def test_a_grammar_that_this_tokenizer_cannot_write_fails(small: PreTrainedTokenizerFast) -> None:
    with pytest.raises(ValueError, match="cannot be used"):
        Manager(small).grammar(Features(grammar=Grammar("grammar", ("start: <unheard_of>",))))


def test_reasoning_is_no_part_of_the_grammar(small: PreTrainedTokenizerFast) -> None:
    manager, features = Manager(small, reasons=True), Features(grammar=Grammar("choice", ("yes", "no")))
    y = small.encode("y", add_special_tokens=False)
    begun = manager.allowed(manager.grammar(features))
    assert manager.allowed(manager.grammar(features, [5, 6, 7])) == begun
    assert manager.allowed(manager.grammar(features, [5, 6, 1])) == begun
    assert small.decode(manager.allowed(manager.grammar(features, [5, 1, *y]))[0])[0] == "e"
    assert small.decode(manager.allowed(manager.grammar(features, y, prompt=[9, 1]))[0])[0] == "e"


def test_a_grammar_that_cannot_be_compiled_fails_its_request_alone(small: PreTrainedTokenizerFast) -> None:
    done: Future[Any] = Future()
    done.set_exception(ValueError("the kept part of the answer does not follow the grammar"))
    form = structured_outputs(Features(json_object=True))
    assert form is not None
    request = StructuredOutputRequest(params=form, _grammar=done)
    assert request.is_grammar_ready
    assert isinstance(request.grammar, ValueError)


def test_vllm_finds_our_schedulers() -> None:
    for name, found in (
        (vllm_arguments.SCHEDULER, AdvancedScheduler),
        (vllm_arguments.ASYNC_SCHEDULER, AdvancedAsyncScheduler),
    ):
        assert name == f"{found.__module__}.{found.__qualname__}"
