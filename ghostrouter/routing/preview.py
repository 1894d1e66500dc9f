"""A routing decision as JSON: the answer of POST /v1/route and of `ghostrouter route`."""

from collections.abc import Mapping
from typing import Any

from ghostrouter.policy.option import Candidate, Option
from ghostrouter.policy.plan import Assessment
from ghostrouter.routing.decider import CallDecision


def to_wire(decided: CallDecision) -> dict[str, Any]:
    """The JSON of a decision. `learned` has the learned router's probabilities, also in shadow mode."""
    plan, candidates = decided.decision.plan, decided.candidates
    label, nearest = plan.classification, decided.label.nearest
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
        "propensity": plan.propensity,
        "candidates": [_considered(c, candidates) for c in decided.decision.assessments],
        "learned": dict(decided.learned),
        "shadow_plan": list(plan.shadow.models) if plan.shadow else None,
        "estimate": {
            "prompt_tokens": first.candidate.prompt_tokens,
            "completion_tokens": first.answer_tokens,
            "cost_usd": first.expected.price_usd,
            "latency_s": first.expected.wait_s or None,
        },
        "router_ms": {stage: 1e3 * seconds for stage, seconds in decided.stages_s.items()},
    }


def _considered(assessments: Assessment, candidates: Mapping[str, Candidate]) -> dict[str, Any]:
    found = candidates.get(assessments.name)
    return {
        "model": assessments.name,
        "eligible": not assessments.refused,
        "reason": assessments.refused or None,
        "score_usd": None if assessments.refused else assessments.score,
        "terms": {} if assessments.refused else dict(assessments.terms),
        "prompt_tokens": found.prompt_tokens if found else None,
    }
