"""In the middle of an answer: who takes over."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SwitchRules:
    """What an operator allows: how many changes of engine, whether to return to a cheaper model, how many failures."""

    max_handoffs: int
    hand_back: bool
    max_failures: int = 4


def stronger(models: Sequence[str], current: str) -> str | None:
    """The next model of the plan after `current`."""
    following = models[models.index(current) + 1 :] if current in models else ()
    return following[0] if following else None


def cheaper(models: Sequence[str], current: str) -> str | None:
    """The model of the plan just before `current`."""
    preceding = models[: models.index(current)] if current in models else ()
    return preceding[-1] if preceding else None


def may_hand_off(models: Sequence[str], current: str, handoffs: int, rules: SwitchRules) -> bool:
    """Whether a verdict may move the answer to a stronger model."""
    return handoffs < rules.max_handoffs and stronger(models, current) is not None


def may_hand_back(models: Sequence[str], current: str, handoffs: int, rules: SwitchRules) -> bool:
    """Whether a verdict may return the answer to a cheaper model; the way forth must still be allowed after it."""
    return rules.hand_back and handoffs + 1 < rules.max_handoffs and cheaper(models, current) is not None


def after_failure(models: Sequence[str], current: str, failed: Sequence[str], attempts: int) -> str | None:
    """Who goes on when an engine of `current` has failed; `failed` are the models of the failures before.

    The same model while it has attempts left, on another replica if it can be; else the first
    model of the plan that has not failed, a stronger one if possible.
    """
    if failed.count(current) + 1 < attempts:
        return current
    position = models.index(current) if current in models else 0
    order = [*models[position + 1 :], *reversed(models[:position])]
    return next((m for m in order if m not in failed), None)
