"""A grammar that goes on behind a seam: its matcher has read the kept part of the answer before the first new token.

vLLM compiles the grammar of a request in a thread, and starts its matcher at the beginning. The kept part of an answer
is in the prompt, of which vLLM's matcher sees nothing. So our scheduler classes have the matcher accept the kept tokens
right after compiling, in the same thread. What follows is then valid as a continuation. A request without a grammar is
not touched.
"""

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

from vllm.v1.core.sched.async_scheduler import AsyncScheduler
from vllm.v1.core.sched.scheduler import Scheduler

from deployments.engine.keyed_sampler import ARGUMENT


class _CreateAdvanced:
    """Replaces `_create_grammar` of vLLM's `StructuredOutputManager`."""

    def __init__(self, manager: Any) -> None:
        self._manager = manager
        self._create: Callable[[Any], Any] = manager._create_grammar
        self._lock = Lock()

    def __call__(self, request: Any) -> Any:
        """The grammar of a request, advanced over what is kept of the answer.

        Raises:
            ValueError: the kept tokens do not follow the grammar.
        """
        kept = list(self._kept(request))
        with self._lock:  # vLLM's backend keeps the grammar that it compiles in an attribute
            grammar = self._create(request)
            if _is_advanced(grammar, request, kept):
                return grammar
            # Another model may have put white space between the parts of its JSON.
            backend = self._manager.backend
            strict, backend.disable_any_whitespace = backend.disable_any_whitespace, False
            try:
                grammar = self._create(request)
            finally:
                backend.disable_any_whitespace = strict
        if _is_advanced(grammar, request, kept):
            return grammar
        raise ValueError("the kept part of the answer does not follow the grammar")

    def _kept(self, request: Any) -> Sequence[int]:
        """The kept tokens that the grammar is about: those behind the reasoning, if the model reasons."""
        how = (request.sampling_params.extra_args or {}).get(ARGUMENT)
        kept: Sequence[int] = how["kept"] if how else ()
        reasoner = self._manager._get_reasoner(request)
        if reasoner is None or not kept or self._manager.enable_in_reasoning:
            return kept
        prompt = list(request.prompt_token_ids or ())
        if not reasoner.is_reasoning_end(prompt):
            return ()
        if reasoner.is_reasoning_end(prompt[: len(prompt) - len(kept)]):
            return kept  # the prompt itself has closed the reasoning
        content: Sequence[int] = reasoner.extract_content_ids(list(kept))
        return content


def _is_advanced(grammar: Any, request: Any, kept: list[int]) -> bool:
    """Advance a grammar over the kept tokens, if it allows them. (To accept others would write them to the log.)

    Raises:
        ValueError: the grammar cannot be used. llguidance would end the answer at once, without an error.
    """
    matcher = getattr(grammar, "ll_matcher", None)
    if matcher is not None and matcher.is_error():
        raise ValueError("the grammar cannot be used with this model's tokenizer")
    if not kept:
        return True
    is_valid = len(grammar.validate_tokens(kept)) == len(kept)
    return is_valid and bool(grammar.accept_tokens(request.request_id, kept))


class AdvancedScheduler(Scheduler):  # type: ignore[misc]  # vLLM's decorator has no types
    """vLLM's scheduler, with advanced grammars."""

    def __init__(self, *args: Any, structured_output_manager: Any, **kwargs: Any) -> None:
        structured_output_manager._create_grammar = _CreateAdvanced(structured_output_manager)
        super().__init__(*args, structured_output_manager=structured_output_manager, **kwargs)


class AdvancedAsyncScheduler(AsyncScheduler):  # type: ignore[misc]
    """vLLM's asynchronous scheduler, with advanced grammars."""

    def __init__(self, *args: Any, structured_output_manager: Any, **kwargs: Any) -> None:
        structured_output_manager._create_grammar = _CreateAdvanced(structured_output_manager)
        super().__init__(*args, structured_output_manager=structured_output_manager, **kwargs)
