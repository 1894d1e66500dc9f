"""Who may take a call: each filter says why not, or nothing. More of them are one function each."""

from collections.abc import Callable

from ghostrouter.policy.option import Option

Filter = Callable[[Option], str]


def refused(option: Option) -> str:
    """What eligibility found: trust, region, capabilities, breaker, budget."""
    return option.candidate.refused


def room(option: Option) -> str:
    """Whether the prompt fits."""
    found = option.candidate
    if found.room_tokens > 0:
        return ""
    return f"the prompt has {found.prompt_tokens} tokens, it takes at most {found.context_tokens}, answer included"


FILTERS: tuple[Filter, ...] = (refused, room)
