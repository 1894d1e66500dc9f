"""POST /v1/route: what would be decided, in words and numbers."""

from collections.abc import Mapping
from typing import Any

from ghostrouter.errors import InvalidRequest
from ghostrouter.policy.option import Candidate, Option
from ghostrouter.policy.plan import AUTO, Considered, Decision


def chat_body(body: Any) -> Any:
    """The chat request that a preview is for: `{"query": ...}`, perhaps with a `model`, or a whole body.

    Raises:
        InvalidRequest: `query` is no text, or stands beside `messages`.
    """
    if not isinstance(body, dict) or "query" not in body:
        return {"model": AUTO, **body} if isinstance(body, dict) else body
    if not isinstance(body["query"], str) or not body["query"] or "messages" in body:
        raise InvalidRequest("`query` must be a text, and `messages` must not stand beside it.")
    rest = {k: v for k, v in body.items() if k != "query"}
    return {"model": AUTO, **rest, "messages": [{"role": "user", "content": body["query"]}]}


def to_wire(
    decision: Decision,
    candidates: Mapping[str, Candidate],
    nearest: tuple[tuple[str, str, float], ...],
    shadow: Mapping[str, float],
    stages_ms: Mapping[str, float],
) -> dict[str, Any]:
    """The answer. `shadow` are the learned router's probabilities, whether they counted or not."""
    plan, label = decision.plan, decision.plan.classification
    first = Option(plan.models[0], candidates[plan.models[0]])
    return {
        "object": "route",
        "classification": None
        if label is None
        else {
            "task": label.task,
            "layer": label.layer,
            "confidence": label.confidence,
            "reason": label.reason,
            "nearest": [{"task": t, "utterance": u, "similarity": s} for t, u, s in nearest],
        },
        "plan": list(plan.models),
        "plan_reason": plan.reason,
        "candidates": [_considered(c, candidates) for c in decision.considered],
        "learned": dict(shadow),
        "estimate": {
            "prompt_tokens": first.candidate.prompt_tokens,
            "completion_tokens": first.answer_tokens,
            "cost_usd": first.way.price_usd,
            "latency_s": first.way.wait_s or None,
        },
        "router_ms": dict(stages_ms),
    }


def _considered(considered: Considered, candidates: Mapping[str, Candidate]) -> dict[str, Any]:
    found = candidates.get(considered.name)
    return {
        "model": considered.name,
        "eligible": not considered.refused,
        "reason": considered.refused or None,
        "score_usd": None if considered.refused else considered.score,
        "terms": {} if considered.refused else dict(considered.terms),
        "prompt_tokens": found.prompt_tokens if found else None,
    }
