"""Do budgets hold? Thousands of calls race in three processes on one ledger; calls crash, and one process is killed.

    make bench NAME=budget [CALLS=12000] [URL=postgresql+psycopg://...]

Each call reserves its highest possible cost in the budgets of its key, team, model and provider, and settles a random
part of it. Some calls crash and give everything back, some disappear, and after a third of the time one process is
killed by SIGKILL. Then the leases expire. *Overspent* is the amount above the limit of any account at the end. *Leaked*
is the amount that is still reserved.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from zoneinfo import ZoneInfo

from ghostrouter.access.budget import Limit, Scope, lines, nano, usd
from ghostrouter.access.ledger import Ledger

CALLS = int(os.environ.get("CALLS", "10500"))
PROCESSES = 3
RESULT = Path(__file__).parent / "results" / "budget.json"
LIMITS = (
    Limit("key", "*", "day", nano(2.0)),
    Limit("team", "red", "week", nano(5.0)),
    Limit("team", "blue", "month", nano(9.0)),
    Limit("model", "*", "month", nano(8.0)),
    Limit("provider", "*", "day", nano(13.0)),
)
LEASE_S = 20.0
NOW_S = 1_795_000_000.0  # all calls in the same windows


class Crash(Exception):
    """A call fails."""


def work(url: str, calls: int, seed: int) -> None:
    """One process: its calls, one after the other."""
    rng, ledger = random.Random(seed), Ledger(url)
    for number in range(calls):
        id_ = f"{seed}-{number}"
        names: dict[Scope, str] = {
            "key": f"key{rng.randrange(6)}",
            "team": rng.choice(["red", "blue"]),
            "model": rng.choice(["m1", "m2"]),
            "provider": "p",
        }
        amount = nano(rng.uniform(0.0005, 0.02))
        began_s = time.monotonic()
        short = ledger.reserve(id_, lines(LIMITS, names, NOW_S, ZoneInfo("UTC")), amount, NOW_S + began_s, LEASE_S)
        taken_s = time.monotonic() - began_s
        print("refused" if short else "granted", f"{taken_s * 1e3:.2f}", flush=True)
        if short is None:
            call(ledger, id_, amount, rng)
    ledger.close()


def call(ledger: Ledger, id_: str, amount: int, rng: random.Random) -> None:
    """One call that the budgets admit."""
    fate, spent = rng.random(), 0
    if fate < 0.02:
        return  # never heard of again
    try:
        if fate < 0.12:
            raise Crash
        spent = rng.randrange(amount // 4)
    except Crash:
        pass
    finally:
        ledger.settle(id_, spent, NOW_S + time.monotonic())


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = os.environ.get("URL", f"sqlite:///{folder}/budget.db")
        ledger = Ledger(url)
        outs = [Path(folder) / f"{i}.txt" for i in range(PROCESSES)]
        began_s = time.monotonic()
        children = [
            subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "bench.budget", "work", url, str(CALLS // PROCESSES + CALLS // 10), str(i)],
                stdout=out.open("w"),
            )
            for i, out in enumerate(outs)
        ]
        while outs[0].read_text().count("\n") < CALLS // (3 * PROCESSES) and children[0].poll() is None:
            time.sleep(0.05)
        children[0].send_signal(signal.SIGKILL)
        codes = [child.wait() for child in children]
        seconds = time.monotonic() - began_s
        held = sum(state.reserved for state in ledger.states().values())
        ledger.expire(NOW_S + time.monotonic() + LEASE_S)
        states = ledger.states()
        limits = {f"{limit.scope}/{limit.name}": limit.nano for limit in LIMITS}

        def limit(account: str) -> int:
            scope, name = account.split("/")[:2]
            return limits.get(f"{scope}/{name}") or limits[f"{scope}/*"]

        lines_ = [line.split() for out in outs for line in out.read_text().splitlines()]
        taken = sorted(float(ms) for _, ms in lines_)
        figures = {
            "calls": len(lines_),
            "processes": PROCESSES,
            "killed": sum(code == -signal.SIGKILL for code in codes),
            "failed": sum(code not in (0, -signal.SIGKILL) for code in codes),
            "granted": sum(word == "granted" for word, _ in lines_),
            "refused": sum(word == "refused" for word, _ in lines_),
            "overspend_usd": usd(sum(max(0, s.spent - limit(a)) for a, s in states.items())),
            "leaked_reservations": ledger.open(),
            "leaked_usd": usd(sum(s.reserved for s in states.values())),
            "held_by_the_dead_usd": usd(held),
            "fullest_account": max(s.spent / limit(a) for a, s in states.items()),
            "calls_per_s": len(lines_) / seconds,
            "reserve_p50_ms": taken[len(taken) // 2],
            "reserve_p99_ms": taken[int(len(taken) * 0.99)],
            "store": url.split(":")[0],
        }
        ledger.close()
    for key, value in figures.items():
        print(f"  {key:<24} {value:.4f}" if isinstance(value, float) else f"  {key:<24} {value}")
    RESULT.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["work"]:
        work(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
