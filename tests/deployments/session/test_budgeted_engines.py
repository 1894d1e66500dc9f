"""Keys, limits, budgets and redaction around the whole ingress, in one process."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bench.handles import Handle
from deployments.cloud.shared_breakers import Report
from deployments.event_store import EventStore
from deployments.ingress import Deployments, Ingress
from deployments.quotas import Quotas
from deployments.replay import Replay
from deployments.store.quota_client import QuotaClient
from ghostrouter.access.keys import Caller, digest
from ghostrouter.config import GraphConfig
from ghostrouter.errors import SegmentPaused
from ghostrouter.money import Usage
from ghostrouter.types import Frame, SegmentEnd, SegmentRequest, Token
from tests.deployments.fakes import Meter
from tests.deployments.in_process import Answer, Service
from tests.make import tokens
from tests.shipped import MODELS

CHAT = "/v1/chat/completions"
PRICE = {"prompt_usd_per_mtok": 1.0, "completion_usd_per_mtok": 10.0}


class Cloud:
    """A provider that answers with what it was asked last, in pieces of three characters, and tells its usage.

    While `pauses`, it stops before the end. That costs 20 tokens of the prompt and 10 of the answer.
    """

    def __init__(self) -> None:
        self.asked: list[SegmentRequest] = []
        self.pauses = 0

    async def generate(self, request: SegmentRequest) -> AsyncGenerator[Frame, None]:
        self.asked.append(request)
        assert request.cloud
        text = request.cloud.messages[-1].content
        pieces: list[Token] = [
            t._replace(text=text[i * 3 : i * 3 + 3]) for i, t in enumerate(tokens("x" * -(-len(text) // 3)))
        ]
        if self.pauses:
            self.pauses -= 1
            yield Frame(request.key, 0, tuple(pieces[:1]), None, "cloud")
            paused = SegmentPaused("asked to stop")
            paused.usage = Usage(20, 10)
            raise paused
        end = SegmentEnd("stop", usage=Usage(100, 50))
        yield Frame(request.key, 0, tuple(pieces), end, "cloud")


class BudgetedService(Service):
    """A service with one local model, one of the cloud, keys and budgets."""

    def __init__(self, folder: Path, far: Mapping[str, Any] | None = None, **sections: Any) -> None:
        super().__init__()
        config = GraphConfig.parse(
            {
                "models": [{"name": "small", "source": str(MODELS / "ghost-small")}],
                "cloud": [
                    {
                        "name": "far", "base_url": "http://127.0.0.1:9/v1", "model": "far", "context_tokens": 8192,
                        "price": PRICE, "trust": "standard", **(far or {}),
                    }
                ],
                "providers": {"discover": False},
                "routes": {"default": {"models": ["small"]}},
                "journal": {"patience_s": 60.0},  # however slow the machine is
                **sections,
            }
        )  # fmt: skip
        self.cloud = Cloud()
        budgets = config.budgets.model_copy(update={"folder": str(folder)})
        self.quotas = Quotas(config.access, budgets, clock=lambda: 1_795_000_000.0)
        self.replay_now = replay = Replay(config.journal)
        self.events_now = events = EventStore(
            config.events.model_copy(update={"folder": str(folder), "retry_s": 0.01}), 100, "life"
        )
        nobody: Any = Handle(None)
        quotas: Any = Handle(self.quotas)
        engines, cloud = {"small": Handle(self.writer)}, Handle(self.cloud)
        self.meter = Meter()
        deployments = Deployments(engines, nobody, [Handle(replay)], Handle(events), cloud, quotas=quotas)
        self.ingress = Ingress(config, deployments, emit=self.meter)
        self.app = self.ingress.http_app()

    async def settled(self) -> None:
        """Wait until what was sent to `Quotas` has arrived."""
        await self.ingress.quotas.until_all_sent()


def ask(text: str = "Who?", model: str = "far", **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": 100, **fields}


def key(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "sha256": digest(f"key of {name}"), **fields}


def code(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json["error"]["code"]


async def test_every_answer_has_an_id_refusals_too(tmp_path: Path) -> None:
    service = BudgetedService(tmp_path, access={"keys": [key("a")]})
    mine = "Bearer key of a"
    answers = [
        await service.get("/v1/models"),
        await service.get("/v1/models", authorization=mine),
        await service.post(CHAT, {}, authorization=mine),
        await service.post(CHAT, ask(), authorization=mine),
    ]
    assert [a.status for a in answers] == [401, 200, 400, 200]
    ids = [a.headers["x-request-id"] for a in answers]
    assert len(set(ids)) == 4
    assert ids[-1] == answers[-1].json["id"]


async def test_a_project_and_an_organisation_have_budgets_and_models_of_their_own(tmp_path: Path) -> None:
    limits = [
        {"scope": "project", "name": "p", "window": "day", "usd": 0.0},
        {"scope": "organisation", "window": "day", "usd": 1.0},
    ]
    keys = [key("a", project="p", organisation="o"), key("b", project="q", organisation="o"), key("c", project="r")]
    overrides = [{"scope": "project", "name": "r", "models": ["small"]}]
    service = BudgetedService(tmp_path, access={"keys": keys}, budgets={"limits": limits}, overrides=overrides)
    answers = [await service.post(CHAT, ask(), authorization=f"Bearer key of {name}") for name in "abc"]
    assert [a.status for a in answers] == [402, 200, 403]
    assert answers[0].json["error"]["budget"]["scope"] == "project"
    await service.settled()


async def test_without_keys_it_is_open_and_the_cost_is_told(tmp_path: Path) -> None:
    service = BudgetedService(tmp_path)
    answer = await service.post(CHAT, ask())
    assert answer.status == 200
    assert answer.json["ghost"]["cost_usd"] == pytest.approx((100 * 1 + 50 * 10) / 1e6)
    assert answer.json["ghost"]["estimated"] is False


async def test_keys_models_and_tasks(tmp_path: Path) -> None:
    keys = [key("alice", models=["far"]), key("bob", tasks=["default"])]
    service = BudgetedService(tmp_path, access={"keys": keys})
    assert code(await service.post(CHAT, ask())) == (401, "invalid_api_key")
    assert code(await service.post(CHAT, ask(), authorization="Bearer no")) == (401, "invalid_api_key")
    assert (await service.get("/v1/models")).status == 401
    assert (await service.get("/v1/models", x_api_key="key of bob")).status == 200
    assert (await service.post(CHAT, ask(), authorization="Bearer key of alice")).status == 200
    refused = await service.post(CHAT, ask(model="small"), authorization="Bearer key of alice")
    assert code(refused) == (403, "permission_denied")
    refused = await service.post("/v1/responses", {"model": "small", "input": "?"}, authorization="Bearer key of alice")
    assert code(refused) == (403, "permission_denied")


async def test_rates_are_told_and_held(tmp_path: Path) -> None:
    service = BudgetedService(tmp_path, access={"keys": [key("alice", limits={"requests_per_minute": 2})]})
    answers = [await service.post(CHAT, ask(), authorization="Bearer key of alice") for _ in range(3)]
    assert [a.status for a in answers] == [200, 200, 429]
    assert [a.headers["x-ratelimit-remaining-requests"] for a in answers] == ["1", "0", "0"]
    assert answers[2].headers["retry-after"] == "30"
    assert answers[2].headers["x-ratelimit-limit-requests"] == "2"
    assert code(answers[2]) == (429, "rate_limit_exceeded")


async def test_running_requests_are_limited_until_the_client_leaves(tmp_path: Path) -> None:
    service = BudgetedService(tmp_path, access={"keys": [key("alice", limits={"concurrent_requests": 1})]})
    service.writer.pause_at = 10
    body: dict[str, Any] = ask(model="small", stream=True)
    mine: dict[str, Any] = {"authorization": "Bearer key of alice"}
    first = asyncio.create_task(service.post(CHAT, body, **mine))
    await service.writer.paused.get()
    assert code(await service.post(CHAT, body, **mine)) == (429, "rate_limit_exceeded")
    service.writer.go.set()
    assert (await first).status == 200
    await service.settled()
    assert (await service.post(CHAT, body, leave_after=2, **mine)).status == 200
    await service.settled()
    assert service.quotas._own.running("alice") == 0


async def test_a_body_that_is_too_large_for_its_key(tmp_path: Path) -> None:
    service = BudgetedService(tmp_path, access={"keys": [key("alice", limits={"max_body_bytes": 1_000})]})
    mine: dict[str, Any] = {"authorization": "Bearer key of alice"}
    assert code(await service.post(CHAT, ask("x" * 1_000), **mine)) == (413, "body_too_large")
    refused = await service.post("/call", {"prompt": "x" * 1_000}, **mine)
    assert (refused.status, refused.json["errors"][0]["code"]) == (413, "validation_error")
    assert "1000 bytes" in refused.json["errors"][0]["message"]


async def test_a_budget_is_held_and_told(tmp_path: Path) -> None:
    budgets = {"limits": [{"scope": "provider", "name": "custom", "window": "day", "usd": 0.0018}]}
    service = BudgetedService(tmp_path, budgets=budgets)
    answers = []
    for _ in range(3):  # each needs $0.00102 at most and costs $0.0006
        answers.append(await service.post(CHAT, ask()))
        await service.settled()
    assert [a.status for a in answers] == [200, 200, 402]
    numbers = answers[2].json["error"]["budget"]
    assert numbers["spent_usd"] == pytest.approx(0.0012)
    assert (numbers["limit_usd"], numbers["reserved_usd"], numbers["scope"]) == (0.0018, 0.0, "provider")
    assert numbers["window_ends"] == "2026-11-19T00:00:00Z"
    assert (await service.post(CHAT, ask(model="small"))).status == 200  # costs nothing


async def test_a_pause_is_billed_and_is_no_handoff(tmp_path: Path) -> None:
    budgets = {"limits": [{"scope": "provider", "name": "custom", "window": "day", "usd": 0.0021}]}
    service = BudgetedService(tmp_path, {"continues": "assistant"}, budgets=budgets)
    service.cloud.pauses = 1
    answer = await service.post(CHAT, ask())
    await service.settled()
    told = answer.json["ghost"]
    assert [s["reason"] for s in told["segments"]] == ["plan", "paused"]
    assert (told["handoffs"], told["cost_usd"]) == (0, pytest.approx(0.00012 + 0.0006))
    assert service.meter.sums["ghost_handoffs"] == 0
    refused = [await service.post(CHAT, ask()) for _ in range(2)][1]
    assert refused.json["error"]["budget"]["spent_usd"] == pytest.approx(0.00072 + 0.0006)


async def test_a_budget_changes_while_the_service_runs_and_what_was_spent_counts(tmp_path: Path) -> None:
    def budgets(*usd: float) -> dict[str, Any]:
        limits = [{"scope": "provider", "name": "custom", "window": "day", "usd": x} for x in usd]
        return {"folder": str(tmp_path), "limits": limits}

    service = BudgetedService(tmp_path, budgets=budgets(0.0018))

    async def change(user_config: dict[str, Any]) -> list[int]:
        """The statuses of two calls after a change. Each needs $0.00102 at most and costs $0.0006."""
        for deployment in (service.ingress, service.quotas):
            await deployment.reconfigure(user_config)
        answers = []
        for _ in range(2):
            answers.append((await service.post(CHAT, ask())).status)
            await service.settled()
        return answers

    assert await change({}) == [200, 200]
    assert await change({"budgets": budgets(0.0025)}) == [200, 402]  # of 0.0025, 0.0012 was spent
    assert await change({"budgets": budgets()}) == [200, 200]
    assert await change({"budgets": budgets(-1)}) == [200, 200]  # wrong: nothing changes
    assert "budgets.limits.0.usd" in service.ingress.planner.configuration()["refused"]
    assert await change({"budgets": budgets(1) | {"time_zone": "Europe/Berlin"}}) == [200, 200]
    assert "budgets.time_zone: this cannot change" in service.ingress.planner.configuration()["refused"]
    assert await change({}) == [402, 402]


async def test_the_first_budget_needs_another_start(tmp_path: Path) -> None:
    service = BudgetedService(tmp_path)
    await service.ingress.reconfigure({"budgets": {"limits": [{"scope": "key", "usd": 1}]}})
    assert (
        "budgets.limits: this cannot change while the service runs"
        in service.ingress.planner.configuration()["refused"]
    )


async def test_two_hundred_calls_do_not_overspend_together(tmp_path: Path) -> None:
    budgets = {"limits": [{"scope": "model", "name": "far", "window": "month", "usd": 0.01}]}
    service = BudgetedService(tmp_path, budgets=budgets)
    answers = await asyncio.gather(*(service.post(CHAT, ask()) for _ in range(200)))
    await service.settled()
    ledger: Any = service.quotas._ledger
    state = next(iter(ledger.states().values()))
    granted = sum(a.status == 200 for a in answers)
    assert granted >= 9 and {a.status for a in answers} == {200, 402}
    assert (state.spent, state.reserved) == (granted * 600_000, 0)
    assert state.spent <= 10_000_000 and ledger.open() == 0


async def test_what_leaves_is_redacted_and_put_back(tmp_path: Path) -> None:
    service = BudgetedService(tmp_path)
    text = "Write to anna@example.com, card 4111 1111 1111 1111."
    answer = await service.post(CHAT, ask(text))
    prompt = service.cloud.asked[0].cloud
    assert prompt and prompt.messages[-1].content == "Write to [EMAIL_1], card [CARD_1]."
    assert answer.json["choices"][0]["message"]["content"] == text
    streamed = await service.post(CHAT, ask(text, stream=True))
    assert "".join(c["delta"].get("content", "") for e in streamed.events() for c in e.data.get("choices", ())) == text


async def test_strict_answers_are_redacted_and_can_be_resumed(tmp_path: Path) -> None:
    service = BudgetedService(tmp_path, redaction={"mode": "strict"})
    text = "Write to anna@example.com, card 4111 1111 1111 1111."
    answer = await service.post(CHAT, ask(text))
    assert "@" not in json.dumps(answer.json)
    whole = (await service.post(CHAT, ask(text, stream=True))).events()
    assert "[EMAIL_1]" in "".join(c["delta"].get("content", "") for e in whole for c in e.data.get("choices", ()))
    for i, event in enumerate(whole):
        if event.id:
            assert (await service.post(CHAT, last_event_id=event.id)).events() == whole[i + 1 :]
    stored = await service.post("/v1/responses", {"model": "far", "input": text, "max_output_tokens": 100})
    kept = await service.get(f"/v1/responses/{stored.json['id']}")
    for told in (stored, kept):
        assert "anna" not in told.body.decode().partition('"output"')[2]
    assert (await service.post(CHAT, ask(text, logprobs=True))).status == 400


async def test_less_redaction_is_acknowledged_and_recorded(tmp_path: Path) -> None:
    service = BudgetedService(tmp_path)
    assert code(await service.post(CHAT, ask(), x_ghost_redaction="off")) == (403, "permission_denied")
    answer = await service.post(
        CHAT, ask("to anna@example.com"), x_ghost_redaction="off", x_ghost_acknowledge="NO_REDACTION_ACKNOWLEDGED"
    )
    prompt = service.cloud.asked[-1].cloud
    assert prompt and "anna@example.com" in prompt.messages[-1].content
    assert answer.json["ghost"]["redaction"]["acknowledged"] == "anyone: NO_REDACTION_ACKNOWLEDGED"


async def test_a_resumed_stream_stays_its_owner_s(tmp_path: Path) -> None:
    service = BudgetedService(tmp_path, access={"keys": [key("alice"), key("bob")]})
    event = (await service.post(CHAT, ask(stream=True), authorization="Bearer key of alice")).events()[1]
    assert (await service.post(CHAT, last_event_id=event.id, authorization="Bearer key of bob")).status == 404
    assert (await service.post(CHAT, last_event_id=event.id, authorization="Bearer key of alice")).status == 200


WORDS = ["INCLUDE_SENSITIVE_DATA", "NO_REDACTION_ACKNOWLEDGED", "I_UNDERSTAND_AND_ACCEPT_RISK"]
OFF = {"mode": "off", "override": {"enabled": True, "acknowledgements": WORDS, "reason": "a test"}}


def call(text: str, model: str = "far", **fields: Any) -> dict[str, Any]:
    options, target = fields.pop("options", {}), fields.pop("target", {})
    return {
        "caller": {"handle": "tester", "account_id": "12345678"},
        "intent": {"class": "lookup"},
        "target": {"type": "model", "alias": model, **target},
        "prompt": text,
        "options": options,
        **fields,
    }


async def test_a_call_tells_what_was_taken_out_of_it(tmp_path: Path) -> None:
    service = BudgetedService(tmp_path)
    text = "Write to anna@example.com and ben@example.com"
    told = (await service.post("/call", call(text))).json
    assert told["answer"] == text
    items = [{"kind": "email", "count": 2, "note": None}]
    assert told["redaction"] == {"performed": True, "items": items, "user_notice": None, "override_used": False}
    prompt = service.cloud.asked[-1].cloud
    assert prompt and "@" not in prompt.messages[-1].content


async def test_a_call_s_override_reaches_the_provider_and_is_recorded(tmp_path: Path) -> None:
    service = BudgetedService(tmp_path)
    text = "Write to anna@example.com"
    told = (await service.post("/call", call(text, options={"redaction": OFF}))).json
    prompt = service.cloud.asked[-1].cloud
    assert prompt and prompt.messages[-1].content == text
    assert told["redaction"]["override_used"] and not told["redaction"]["performed"]
    trace = (await service.get(f"/v1/traces/{told['provenance']['raw']['session']}")).json
    assert trace["redaction"]["mode"] == "off"
    assert trace["redaction"]["acknowledged"] == f"tester: {', '.join(sorted(WORDS))} (a test)"
    again = (await service.post("/call", call(text))).json  # the next call is redacted again
    assert again["redaction"]["performed"]


async def test_not_every_key_may_override(tmp_path: Path) -> None:
    service = BudgetedService(tmp_path, access={"keys": [key("alice"), key("bob", may_unredact=True)]})
    refused = await service.post("/call", call("x", options={"redaction": OFF}), authorization="Bearer key of alice")
    assert (refused.status, refused.json["errors"][0]["code"]) == (403, "permission_denied")
    assert not service.cloud.asked
    taken = await service.post("/call", call("x", options={"redaction": OFF}), authorization="Bearer key of bob")
    acknowledged = taken.json["provenance"]["raw"]["ghost"]["redaction"]["acknowledged"]
    assert acknowledged.startswith("bob: ")


async def test_whom_a_call_may_be_given_to_is_one_path(tmp_path: Path) -> None:
    service = BudgetedService(tmp_path, far={"tags": ["code"]})
    wrong = [
        (
            call("x", target={"trust_tier": "trusted"}),
            {"trust": "trusted"},
            "far has the trust tier standard, trusted is required",
        ),
        (call("x", target={"capability_tags": ["math"]}), {"tags": ["math"]}, "far lacks the tags math"),
    ]
    for body, ghost, words in wrong:
        refused = await service.post("/call", body)
        assert refused.status == 400 and words in refused.json["errors"][0]["message"]
        refused = await service.post(CHAT, ask(ghost=ghost))
        assert refused.status == 400 and words in refused.json["error"]["message"]
    seedless = BudgetedService(tmp_path, far={"seed_field": None})
    assert (await seedless.post("/call", call("x", params={"seed": 1}))).status == 200  # as well as it can be done
    refused = await seedless.post(CHAT, ask(seed=1))
    assert refused.status == 400 and "does not support a seed" in refused.json["error"]["message"]
    strict = call("x", options={"determinism": "strict"}, params={"seed": 1})
    assert (await service.post("/call", strict)).status == 200
    refused = await BudgetedService(tmp_path, far={"seed_field": None}).post("/call", strict)
    assert "does not support a seed" in refused.json["errors"][0]["message"]


async def test_health_shows_the_breakers_that_were_asked(tmp_path: Path) -> None:
    assert (await BudgetedService(tmp_path).get("/health")).json["breakers"] == {}
    service = BudgetedService(tmp_path)
    admission = await service.replay_now.admit("far")
    await service.replay_now.report([Report("far", admission, "bad", 30.0)])
    stands = (await service.get("/health")).json["breakers"]["far"]
    assert (stands["provider"], stands["state"]) == ("custom", "open")
    assert 0 < stands["retry_after_s"] <= 30
    assert not service.cloud.asked


@pytest.mark.parametrize(
    ("max_wait_s", "answered"),
    [(0.0, [7, 2, 1]), (60.0, [7, 3, 10])],  # as many may wait as may run, and those of high priority push others out
)
async def test_too_many_calls_are_refused_by_priority_and_those_let_in_are_answered(
    tmp_path: Path, max_wait_s: float, answered: list[int]
) -> None:
    keys = [key("anna", priority="high"), key("bob"), key("carl", priority="low")]
    service = BudgetedService(tmp_path, access={"keys": keys, "max_running": 10, "max_wait_s": max_wait_s})
    service.writer.pause_at = 10
    crowd = []
    for name, count in (("carl", 10), ("bob", 10), ("anna", 10)):  # three times as many as may run
        mine: dict[str, Any] = {"authorization": f"Bearer key of {name}"}
        crowd += [asyncio.create_task(service.post(CHAT, ask(model="small"), **mine)) for _ in range(count)]
        await asyncio.sleep(0)
    for _ in range(10):
        await service.writer.paused.get()
    service.writer.go.set()
    answers = await asyncio.gather(*crowd)
    refused = [a for a in answers if a.status == 429]
    assert [sum(a.status == 200 for a in answers[i : i + 10]) for i in (0, 10, 20)] == answered
    assert len(refused) == 30 - sum(answered)
    assert all(1 <= int(a.headers["retry-after"]) <= 60 for a in refused)
    assert code(refused[0]) == (429, "rate_limit_exceeded")
    assert (await service.post(CHAT, ask(model="small"), authorization="Bearer key of carl")).status == 200
    assert service.ingress.quotas._room._crowd.running == 0


async def test_limits_of_keys_that_are_made_later_are_counted_without_the_deployment(tmp_path: Path) -> None:
    service = BudgetedService(tmp_path)
    client = QuotaClient(None, [], 60.0, service.meter)
    caller = Caller("late", requests_per_minute=1, concurrent_requests=1)
    assert not (await client.enter(caller, "a")).refused
    assert (await client.enter(caller, "b")).refused == "concurrency"
    client.leave(caller, "a")
    assert (await client.enter(caller, "c")).refused == "rate"
