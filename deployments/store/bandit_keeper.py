"""The learning side of the bandit, in the process of the event store: it learns from traces and feedback."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np

from ghostrouter.config import GraphConfig
from ghostrouter.config.routing import Bandit
from ghostrouter.events.records import Event
from ghostrouter.learn.bandit import Arm, Beliefs, Choice, Estimate
from ghostrouter.learn.context import FEATURES_BESIDES_MODELS
from ghostrouter.learn.learner import Learner, Prior
from ghostrouter.learn.pacing import Pacer

_DAY_S = 86_400.0
_MOST_SAVED_S = _DAY_S / 4
_FIRST_GAP_S = 60.0
_RATED_KEPT = 5_000


class BanditKeeper:
    """Learns from events in the order in which they come. Times are Unix seconds.

    `models` are all configured models, in their order. What it has learned is JSON (`to_json`). After
    `restore`, feed it all events newer than `until_s`.
    """

    def __init__(self, settings: Bandit, models: tuple[str, ...], now_s: float) -> None:
        usd = settings.usd_per_day
        pacer = None if usd is None else Pacer(usd / _DAY_S, _MOST_SAVED_S, _FIRST_GAP_S, now_s)
        prior = Prior(half_life=settings.half_life)
        self._learner = Learner(models, len(models) + FEATURES_BESIDES_MODELS, prior, pacer, settings.regret_per_day)
        self._rated: OrderedDict[str, None] = OrderedDict()
        self._until_s = 0.0

    @property
    def until_s(self) -> float:
        """The time of the newest event that it has learned from."""
        return self._until_s

    def beliefs(self, now_s: float) -> Beliefs:
        """What is believed now."""
        return self._learner.beliefs(now_s)

    def saw(self, event: Event) -> None:
        """Learn from the trace of a session: what its first model has cost, and what the bandit had expected."""
        record = event.body.get("bandit")
        if event.kind != "trace" or not record:
            return
        self._until_s = max(self._until_s, event.at_s)
        if record["decides"]:
            self._learner.decided(_choice(record), event.at_s)
        if event.body["outcome"] == "complete" and event.body["plan"]:
            arm = _arm(record, event.body["plan"][0])
            if arm:
                self._learner.cost(arm, event.body["cost_usd"], paid=record["decides"])

    def rated(self, trace: Mapping[str, Any], event: Event) -> None:
        """Learn from the feedback on a session with this trace. The first rating of a session counts."""
        record, rating = trace.get("bandit"), event.body.get("rating")
        if not record or rating is None or event.id in self._rated:
            return
        self._until_s = max(self._until_s, event.at_s)
        self._rated[event.id] = None
        while len(self._rated) > _RATED_KEPT:
            self._rated.popitem(last=False)
        if arm := _arm(record, trace["plan"][0]):
            self._learner.reward(arm, (rating + 1) / 2)

    def to_json(self) -> dict[str, Any]:
        """What it has learned."""
        return {"learner": self._learner.to_json(), "rated": list(self._rated), "until_s": self._until_s}

    def restore(self, body: Mapping[str, Any]) -> bool:
        """Take over what `to_json` wrote. Returns whether it could be used."""
        try:
            if not self._learner.restore(body["learner"]):
                return False
            self._rated = OrderedDict.fromkeys(map(str, body["rated"]))
            self._until_s = float(body["until_s"])
        except (KeyError, TypeError, ValueError):
            return False
        return True


def bandit(config: GraphConfig, now_s: float) -> BanditKeeper | None:
    """The bandit of a configuration; None: it is off."""
    settings = config.router.bandit
    names = (*(m.name for m in config.models), *(m.name for m in config.cloud))
    return None if settings.stage == "off" else BanditKeeper(settings, names, now_s)


def _arm(record: Mapping[str, Any], model: str) -> Arm | None:
    """A model as it was offered."""
    for name, quality, usd in record["offers"]:
        if name == model:
            return Arm(name, quality, usd, np.array(record["features"]))
    return None


def _choice(record: Mapping[str, Any]) -> Choice:
    expected = {n: Estimate(quality, 0.0, usd, usd) for n, quality, usd in record["expected"]}
    return Choice(record["model"], record["model"], dict(record["propensities"]), expected, record["regret"])
