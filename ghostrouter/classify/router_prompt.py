"""What a router model is asked. It is trained with this prompt, and asked with it."""

from typing import Literal

Label = Literal["task", "model"]
_PROMPT = "Which {label} is this request for? Answer with one word.\n\n{question}"
_MOST_CHARACTERS = 2000
"""Of a question. What it is for is seen at its beginning and its end, and the time of a prefill is limited."""


def router_prompt(question: str, label: Label = "task") -> str:
    """The prompt for a question. The middle of a long question is left out."""
    if len(question) > _MOST_CHARACTERS:
        half = _MOST_CHARACTERS // 2
        question = f"{question[:half]}\n...\n{question[-half:]}"
    return _PROMPT.format(label=label, question=question)
