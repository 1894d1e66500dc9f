"""Do the same questions get the same answers, whatever the machine does meanwhile?

    make bench NAME=determinism [SEED=1] [N=100]

Greedy models answer held-out questions: a small one whose answers go on with a large one here (`local`) or behind an
API (`cloud`) and come back. They are asked one at a time, 4 and 16 at a time, and 4 at a time while processes of this
bench keep every core busy. An answer is the same if its text is, and its seams are if each of its parts was written by
the same model, for the same reason, from and to the same character, with as many tokens taken back. Shares are of
questions that come out the same every time.

`expired_tokens` left while risk was raised, because too many were held; `late_verdicts` gave up tokens that had left.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from bench.cloud import cloud
from bench.counters import totals
from bench.service import Answer, Client, running, write
from ghostrouter.events.metrics import EXPIRED, LATE_VERDICTS
from models import questions

SEED = int(os.environ.get("SEED", "1"))
N = int(os.environ.get("N", "100"))
ROUTES = {"local": "ghost/near", "cloud": "ghost/far"}
AT_A_TIME = {"one": 1, "four": 4, "sixteen": 16, "busy": 4}
# Ray's workers run at this niceness; at 0 they would hardly get a core at all.
_NICENESS = 15


@contextmanager
def busy_cores() -> Iterator[None]:
    """A process on each core that does nothing but run."""
    command = [sys.executable, "-c", f"import os; os.nice({_NICENESS})\nwhile True: pass"]
    spinning = [subprocess.Popen(command) for _ in range(os.cpu_count() or 1)]  # noqa: S603
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


def seams(answer: Answer) -> list[tuple[Any, ...]]:
    """What each part of an answer is known by."""
    return [(s["model"], s["reason"], *s["characters"], s["rollback_tokens"]) for s in answer.ghost["segments"]]


async def ask_all(url: str, asked: Sequence[str], model: str, at_a_time: int) -> list[Answer]:
    """One answer for each question."""
    async with Client(url, at_a_time) as client:
        return await client.ask_all(asked, model=model, temperature=0)


async def measure(url: str) -> dict[str, Any]:
    asked = [q.prompt for q in questions.sample("test", SEED, N)]
    answers: dict[str, dict[str, list[Answer]]] = {route: {} for route in ROUTES}
    seconds = {}
    for load, at_a_time in AT_A_TIME.items():
        for route, model in ROUTES.items():
            began_s = time.monotonic()
            if load == "busy":
                with busy_cores():
                    answers[route][load] = await ask_all(url, asked, model, at_a_time)
            else:
                answers[route][load] = await ask_all(url, asked, model, at_a_time)
            seconds[f"seconds_{route}_{load}"] = time.monotonic() - began_s
            print(f"  {route}, {load}: {seconds[f'seconds_{route}_{load}']:.0f} s", flush=True)
    return summarise(asked, answers, await totals(EXPIRED, LATE_VERDICTS)) | seconds


def summarise(
    asked: Sequence[str], answers: Mapping[str, Mapping[str, Sequence[Answer]]], counted: Mapping[str, float]
) -> dict[str, Any]:
    """The figures, flat; `different` has the answers that did not come out the same."""
    texts, cuts, different = {}, {}, []
    for route, by_load in answers.items():
        texts[route] = [len({by_load[load][i].text for load in by_load}) == 1 for i in range(len(asked))]
        cuts[route] = [len({tuple(seams(by_load[load][i])) for load in by_load}) == 1 for i in range(len(asked))]
        different += [
            {
                "route": route,
                "prompt": prompt,
                **{load: {"text": found[i].text, "seams": seams(found[i])} for load, found in by_load.items()},
            }
            for i, prompt in enumerate(asked)
            if not (texts[route][i] and cuts[route][i])
        ]
    handoffs = [len(a.ghost["segments"]) - 1 for by_load in answers.values() for a in by_load["one"]]
    return {
        "same_text_share": _share(texts.values()),
        "same_seams_share": _share(cuts.values()),
        "expired_tokens": counted[EXPIRED.name],
        "late_verdicts": counted[LATE_VERDICTS.name],
        **{f"same_text_share_{route}": _share([same]) for route, same in texts.items()},
        **{f"same_seams_share_{route}": _share([same]) for route, same in cuts.items()},
        "seams": sum(handoffs),
        "different": different,
        "n": len(asked),
        "seed": SEED,
    }


def _share(same: Iterable[Sequence[bool]]) -> float:
    return statistics.fmean(s for some in same for s in some)


def main() -> None:
    with cloud(), running("bench/determinism.yaml", "http://127.0.0.1:8120") as url:
        write("determinism", asyncio.run(measure(url)))


if __name__ == "__main__":
    main()
