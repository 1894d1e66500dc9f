"""Layer 3: a small language model tells the task of a prompt by the first token that it would write. One prefill.

A task stands for the first token of its name. Its probability is that of this token; what the model would write instead
of all tasks has the rest. So a model that was never taught the tasks is unsure, and the layer abstains.
"""

import math
from collections.abc import Callable, Mapping, Sequence

from ghostrouter.classify.router_prompt import router_prompt
from ghostrouter.conversation import Message
from ghostrouter.errors import ConfigError
from ghostrouter.types import Classification

Tokens = tuple[int, ...]


class ModelLayer:
    """Reads the answers of a router model. `encode` and `encode_chat` are its tokenizer's.

    Raises:
        ConfigError: the names of two tasks begin with the same token.
    """

    def __init__(
        self,
        tasks: Sequence[str],
        threshold: float,
        encode: Callable[[str], Tokens],
        encode_chat: Callable[[Sequence[Message]], Tokens],
    ) -> None:
        self._threshold = threshold
        self._encode_chat = encode_chat
        self._tasks: dict[int, str] = {}
        for task in tasks:
            first = encode(task)[0]
            if first in self._tasks:
                raise ConfigError(
                    f"classify.l3: its model cannot tell the tasks {self._tasks[first]} and {task} apart: their names "
                    "begin with the same token; rename one"
                )
            self._tasks[first] = task

    def prompt(self, question: str) -> Tokens:
        """What the model is asked, as token ids, up to where its answer begins."""
        return self._encode_chat([Message("user", router_prompt(question))])

    def classify(self, logprobs: Mapping[int, float]) -> Classification | None:
        """The task by the log-probabilities of the likeliest next tokens; None if it is below the threshold."""
        found = {task: math.exp(logprobs[token]) for token, task in self._tasks.items() if token in logprobs}
        task = max(found, key=lambda name: found[name], default="")
        if not task or found[task] < self._threshold:
            return None
        return Classification(task, "model", min(1.0, found[task]), "the router model's label")
