"""The bench of real models: what is recorded, where policies hand over, and what they come to."""

import asyncio
import json
from itertools import pairwise
from pathlib import Path

import httpx
import numpy as np
import pytest
import yaml

from bench import real_questions
from bench.real_curves import Judge, swept, switched
from bench.real_handoffs import at_random, ours, rival
from bench.real_outcomes import alone, pace, switching
from bench.real_pair import Pair, configuration
from bench.real_questions import Asked
from bench.real_recorder import Recorder
from bench.real_recording import Answered, answers, going_on, lines
from bench.real_store import Asking, Recorded, Store, to_recorded
from ghostrouter.config import ServeFile
from ghostrouter.detect.fit import fit_answers
from ghostrouter.traces import checks
from ghostrouter.traces.read import as_trace
from tests.detect.test_prefix_model import answers as traces

PAIR = Pair("small", "large")
NOWHERE = {"small": "http://127.0.0.1:9", "large": "http://127.0.0.1:9"}
EVERY = np.arange(4)


def recorded(asking: Asking, *tokens: str, seconds: float = 1.0) -> Recorded:
    tops = tuple((-0.5, -1.0) for _ in tokens)
    return Recorded(
        key=asking.key,
        tokens=tokens,
        logprobs=(-0.5,) * len(tokens),
        top_logprobs=tops,
        prompt_tokens=10,
        seconds=seconds,
        cut=False,
    )


def asked(prompt: str, answer: str) -> Asked:
    return Asked(prompt, answer, checks.number)


def answered(question: Asked, small: tuple[str, ...], large: tuple[str, ...]) -> Answered:
    one, other = (
        recorded(Asking(model=model, prompt=question.prompt, max_tokens=256), *tokens)
        for model, tokens in (("small", small), ("large", large))
    )
    return Answered(question, one, other, question.is_right(one.text), question.is_right(other.text))


HALF = [
    answered(asked("2+2?", "4"), ("2+2", " =", " 4"), ("4",)),
    answered(asked("3+3?", "6"), ("3+3", " =", " 5"), ("6",)),
    answered(asked("4+4?", "8"), ("4+4", " =", " 9"), ("8",)),
    answered(asked("5+5?", "10"), ("5+5", " =", " 9"), ("9",)),
]


def test_what_was_recorded_is_found_again_and_a_line_cut_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "recorded.jsonl"
    askings = [Asking(model="small", prompt=p, max_tokens=5) for p in "ab"]
    for asking in askings:
        Store(path).add(recorded(asking, "x", asking.prompt))
    path.write_text(path.read_text() + '{"key": "unfinis')
    again = Store(path)
    assert len(again) == len(Store(path)) == 2
    assert [(f := again.get(a)) and f.text for a in askings] == ["xa", "xb"]


def test_an_answer_without_signals_is_asked_again_where_they_are_needed(tmp_path: Path) -> None:
    asking = Asking(model="small", prompt="a", max_tokens=5)
    entry = {"token": "x", "logprob": -0.1234567, "top_logprobs": [{"logprob": -3.0}, {"logprob": 1e-9}]}
    response = {
        "choices": [{"logprobs": {"content": [entry]}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7},
    }
    store = Store(tmp_path / "recorded.jsonl")
    store.add(to_recorded(asking, response, 1.0))
    wanted = asking.model_copy(update={"signals": True})
    assert store.get(asking)
    assert store.get(wanted) is None
    store.add(to_recorded(wanted, response, 1.0))
    assert (found := Store(tmp_path / "recorded.jsonl").get(wanted))
    assert found.logprobs == (-0.12346,)
    assert found.top_logprobs == ((0.0, -3.0),)


@pytest.mark.parametrize("change", [{"model": "large"}, {"prompt": "b"}, {"kept": "x"}, {"seed": 1}, {"max_tokens": 6}])
def test_another_question_is_another_recording(change: dict[str, object]) -> None:
    asking = Asking(model="small", prompt="a", max_tokens=5)
    assert asking.key != asking.model_copy(update=change).key


def test_only_what_is_missing_is_asked(tmp_path: Path) -> None:
    store = Store(tmp_path / "recorded.jsonl")
    for one in HALF:
        store.add(one.small)
        store.add(one.large)

    async def ask(questions: list[Asked]) -> list[Answered]:
        async with Recorder(store, NOWHERE, 2) as recorder:
            return await answers(recorder, PAIR, questions, "held out")

    assert asyncio.run(ask([h.asked for h in HALF])) == HALF
    with pytest.raises(httpx.ConnectError):
        asyncio.run(ask([asked("new?", "1")]))


def test_rescue_points_come_from_recorded_continuations(tmp_path: Path) -> None:
    """The large model says the right number unless ' 5' is there already."""
    store = Store(tmp_path / "recorded.jsonl")
    long = answered(asked("3+3?", "6"), ("3", "+3", " =", " 5", ".", " So", " 5"), ("6",))
    for at in range(len(long.small.tokens) + 1):
        store.add(recorded(going_on(long, "large", at), " 6" if at <= 3 else "."))

    async def label() -> list[int | None]:
        async with Recorder(store, NOWHERE, 2) as recorder:
            return [line.rescue for line in await lines(recorder, PAIR, [long, HALF[0], HALF[3]])]

    assert asyncio.run(label()) == [3, None, None]


def test_a_right_answer_has_no_rescue_label_and_a_hopeless_one_has(tmp_path: Path) -> None:
    async def label() -> list[bool]:
        async with Recorder(Store(tmp_path / "recorded.jsonl"), NOWHERE, 2) as recorder:
            return [as_trace(line).has_rescue for line in await lines(recorder, PAIR, [HALF[0], HALF[3]])]

    assert asyncio.run(label()) == [False, True]


def test_a_switch_keeps_the_prefix_and_pays_for_both() -> None:
    rest = {(1, 2): recorded(going_on(HALF[1], "large", 2), " 6", "!", seconds=99.0)}
    found = switching(HALF[:2], [None, 2], rest, pace(HALF))
    stays, goes = found
    assert stays.tolist() == alone(HALF, pace(HALF))[0][0].tolist()
    small, large, usd, seconds, right = goes
    assert (small, large, right) == (3, 2, 1), "the token that alarmed has been written"
    assert seconds == pytest.approx(3 / 3 + 2 * 1.0), "three tokens a second by small, one by large"
    assert usd == pytest.approx((0.025 * 10 + 0.1 * 3 + 0.075 * 10 + 0.3 * 2) / 1e6)
    wrong = switching(HALF[1:2], [3], {(0, 3): recorded(going_on(HALF[1], "large", 3), ".")}, pace(HALF))
    assert wrong[0, -1] == 0, "the prefix counts"


def test_axes_begin_with_small_alone_and_end_with_large_alone() -> None:
    small, large = alone(HALF, pace(HALF))
    judge = Judge(small, large)
    routed = swept(np.array([0.0, 2.0, 1.0, 3.0]), small, large)
    for axis in ("share", "cost"):
        points = judge.points(routed, EVERY, axis)
        assert [p.accuracy for p in points] == [0.25, 0.25, 0.5, 0.75, 0.75]
        assert points[0].share == pytest.approx(0)
        assert points[-1].share == pytest.approx(1)
    twice = small + large
    twice[:, -1] = large[:, -1]
    assert judge.points(swept(np.zeros(4), small, twice), EVERY, "cost")[-1].share > 1, "a cascade pays twice"


def test_a_lead_is_zero_over_itself_and_clear_where_it_is_clear() -> None:
    small, large = (np.repeat(part[:3], 20, axis=0) for part in alone(HALF, pace(HALF)))
    judge = Judge(small, large)
    best = swept(1 - small[:, -1], small, large)
    worst = swept(small[:, -1], small, large)
    assert tuple(judge.lead(best, best, "share")) == (0, 0, 0)
    lead = judge.lead(best, worst, "share")
    assert 0 < lead.low <= lead.value <= lead.high
    assert judge.area(switched([large]), np.arange(60), "share") == pytest.approx((1 / 3 + 1) / 2)


def test_the_worth_of_an_answer_decides_how_early_it_is_handed_over() -> None:
    calibration = fit_answers("small", traces(count=120), 5, "made up").calibration
    new = traces(seed=5, count=30)
    at = [
        [
            len(t.signals) if k is None else k
            for k, t in zip(ours(PAIR, calibration, new, [50] * 30, w), new, strict=True)
        ]
        for w in (10, 20, 30, 100)
    ]
    for poorer, dearer in pairwise(at):
        assert all(a >= b for a, b in zip(poorer, dearer, strict=True))
    assert sum(at[0]) > sum(at[-1])


def test_a_rival_alarms_on_the_share_of_training_answers_it_was_set_to() -> None:
    some = traces(count=100)
    found = rival("least_confidence", some, some, 0.25)
    assert 20 <= sum(k is not None for k in found) <= 30
    assert at_random(some, 0.5, 1) == at_random(some, 0.5, 1) != at_random(some, 0.5, 2)
    assert all(k is None or k < len(t.signals) for k, t in zip(at_random(some, 0.5, 1), some, strict=True))


def test_questions_of_ones_own_are_split_by_their_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text("".join(f'{{"prompt": "{i}+0?", "answer": "{i}"}}\n' for i in range(60)))
    monkeypatch.setenv("QUESTIONS", str(path))
    train, held_out = real_questions.from_environment()
    assert len(train) + len(held_out) == 60
    assert not {q.prompt for q in train} & {q.prompt for q in held_out}
    assert held_out[0].is_right(f"It is {held_out[0].answer}.")


def test_questions_of_gsm8k_come_from_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QUESTIONS", raising=False)
    for name, value in (("DATA", tmp_path), ("TRAIN", 3), ("N", 2)):
        monkeypatch.setattr(real_questions, name, value)
    for part in ("train", "test"):
        rows = [{"prompt": f"What is {i} + 1? ({part})", "answer": str(i + 1)} for i in range(5)]
        (tmp_path / f"gsm8k_{part}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    train, held_out = real_questions.from_environment()
    assert [("(train)" in q.prompt, "(test)" in q.prompt) for q in train] == [(True, False)] * 3
    assert ["(test)" in q.prompt for q in held_out] == [True] * 2
    assert all(q.is_right(f"Answer: {q.answer}") and not q.is_right("Answer: 99") for q in train + held_out)


def test_the_service_is_configured_with_both_models(tmp_path: Path) -> None:
    path = tmp_path / "serve.yaml"
    path.write_text(yaml.safe_dump(configuration(PAIR, ["some/hub-id", "/models/large"])))
    (graph,) = ServeFile.load(path).graphs
    assert [(m.name, m.source) for m in graph.models] == [("small", "some/hub-id"), ("large", "/models/large")]
    assert graph.routes["default"].models == ("small", "large")
