"""Does an answer survive a provider that breaks in the middle? The conductor and the pool run in one process,
without Ray.

    make bench NAME=faults

The provider (`bench/upstream.py`) (i) cuts the connection after 40 of 60 tokens, (ii) falls silent for 30 s after 20,
(iii) sends one malformed event.
"""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bench.handles import Handle
from bench.service import write
from bench.upstream import ANSWER, Provider, serving
from deployments.cloud_pool import CloudPool, CloudSettings
from deployments.engine.engine_client import EngineClient
from deployments.session.conductor import Conductor
from deployments.session.ports import Ports
from deployments.session.settings import AnswerRules, Experience, Runtime
from ghostrouter.config import Breakers, CloudModel, Sessions
from ghostrouter.conversation import Message
from ghostrouter.errors import NothingCanAnswer
from ghostrouter.events.metrics import Metric
from ghostrouter.policy.kv_mode import KvModes
from ghostrouter.policy.retry import RetryRules
from ghostrouter.policy.switch import SwitchRules
from ghostrouter.policy.verdict_limits import Switching
from ghostrouter.replay.continuation import cloud_prompt
from ghostrouter.replay.seam import Seam, SeamRequest, plan_seam
from ghostrouter.sessions.ask import Ask
from ghostrouter.sessions.session import Session
from ghostrouter.types import Plan, Sampling

FAULTS = {
    "cut": "connection cut after 40 of 60",
    "stall": "silent for 30 s after 20",
    "malformed": "one malformed event",
}
PATIENCE_S = 5.0
FIRST_TOKEN_S = 60.0
ATTEMPTS = 2


def no_metrics(metric: Metric, value: float, **labels: str) -> None:
    """A sink that drops everything."""


class Seams:
    """Seams without the replay deployment, between models of the cloud."""

    def __init__(self, models: Mapping[str, CloudModel]) -> None:
        self._models = models

    async def plan(self, request: SeamRequest) -> Seam:
        return plan_seam(request, {}, self._models)


class Lane:
    """Asks the models of one pool, through everything but Ray. `plan` holds models by name; the first one starts."""

    def __init__(
        self,
        plan: Sequence[CloudModel],
        stall_s: float = PATIENCE_S,
        first_token_s: float = FIRST_TOKEN_S,
        hedge_after_s: float | None = None,
    ) -> None:
        self._plan = plan
        self._models = {m.name: m for m in plan}
        never = Breakers(min_calls=1_000_000)  # here every call is to fail
        self.pool = CloudPool(CloudSettings(plan, Sessions(first_token_s=first_token_s, stall_s=stall_s), never))
        engines: Any = Handle(self.pool)
        self._conductor = Conductor(
            Ports(EngineClient({}, engines, first_token_s, stall_s, no_metrics), Seams(self._models)),
            AnswerRules(
                SwitchRules(max_handoffs=5, hand_back=True),
                dict.fromkeys(self._models, RetryRules(ATTEMPTS)),
                hedge_after_s=hedge_after_s,
            ),
            Experience(Switching({}), KvModes(math.inf, ())),
            Runtime(time.monotonic, no_metrics),
        )

    async def ask(
        self, streaming: bool = True, said: str = "Tell me about clocks.", **sampling: Any
    ) -> tuple[Session, str]:
        """The session, and what was sent to a streaming client. A session that failed has no `finish`."""
        asked = (Message("user", said),)
        ask = Ask(asked, Sampling(**{"max_tokens": 100} | sampling), streaming)
        session = Session("s", ask, Plan(tuple(self._models), ""), time.monotonic())
        prompt = cloud_prompt(self._plan[0], asked, False, "")
        sent = ""
        with suppress(NothingCanAnswer):
            async for delta in self._conductor.run(session, prompt):
                sent += delta.text
        return session, sent


def row(url: str, fault: str, **fields: Any) -> CloudModel:
    """A model of the provider at `url` that breaks with `fault`."""
    known = {"name": fault, "base_url": url, "model": fault, "context_tokens": 4096, "continues": "prefix"}
    return CloudModel.model_validate(known | fields)


@dataclass(frozen=True, slots=True)
class Damage:
    """The damage to an answer."""

    completed: bool
    lost_tokens: int
    duplicated_tokens: int


def damage(session: Session, sent: str) -> Damage:
    """Compares what was sent with what the provider writes undisturbed."""
    wanted, got = Counter(ANSWER.split()), Counter(sent.split())
    return Damage(session.finish == "stop" and sent == ANSWER, (wanted - got).total(), (got - wanted).total())


async def measure(url: str) -> dict[str, Any]:
    found = []
    for fault, words in FAULTS.items():
        lane = Lane([row(url, fault)])
        began = time.perf_counter()
        session, sent = await lane.ask()
        await lane.pool.close()
        result = damage(session, sent)
        found.append(result)
        print(
            f"{words:<32} {'complete' if result.completed else 'BROKEN':<9} {len(session.segments)} segments, "
            f"{result.lost_tokens} lost, {result.duplicated_tokens} twice, {time.perf_counter() - began:.2f} s"
        )
    return {
        "completed": sum(d.completed for d in found),
        "cases": len(found),
        "lost_tokens": sum(d.lost_tokens for d in found),
        "duplicated_tokens": sum(d.duplicated_tokens for d in found),
    }


def main() -> None:
    with serving(Provider()) as url:
        write("faults", asyncio.run(measure(url)))


if __name__ == "__main__":
    main()
