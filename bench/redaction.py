"""Is everything private found, nothing else, however the text is cut, and how fast?

    make bench NAME=redaction [SEED=1]

Recall counts a private text as found if no part of it leaves. Precision counts placeholders that stand for anything
private. Each sample goes through whole, cut in two at every place, and character by character: what comes out must be
the same. Times are the thread's CPU time, the best of several runs. Hostile texts are repeated to 100 kB as they are
(`worst_case`) and with other digits and letters each time (`worst_varied`). The corpus is made by the project
(`redaction_corpus.py`), and the patterns were written with it in view: expect less of texts of another kind.

How much less, `redaction_held_out.yaml` says only in part: its samples were written before their author had looked at
the patterns, in the forms of today's keys, logs, settings and letters (`more_...`: by somebody who knew them), but then
the patterns were mended, by general rules, by what they had missed of these. So `recall_held_out` and
`precision_held_out` are of samples that have been seen, and much better than they were before that.

Postal addresses are looked for only where the configuration asks for it. Here that is so for the samples that hold an
address; `..._with_addresses` is of all samples with that option, and the times are without it, but for
`worst_with_addresses_ms_per_100kB`. `redact_files` and `redact_lines` count the code of `ghostrouter/redact`.
"""

import json
import os
import random
import re
import string
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench.redaction_corpus import Sample, corpus
from bench.redaction_held_out import held_out
from ghostrouter import redact as redact_room
from ghostrouter.redact.scan import Scanner, scanner
from ghostrouter.redact.stream import Redactor, redact

SEED = int(os.environ.get("SEED", "1"))
VERBOSE = bool(os.environ.get("VERBOSE"))
_PLACEHOLDER = re.compile(r"\[[A-Z_]+_\d+\]")
RESULT = Path(__file__).parent / "results" / "redaction.json"
PIECE = 100_000
# Repeated to 100 kB: half begun, almost right, right, and what makes backtracking matchers slow.
HOSTILE = (
    "a", "1", "@", "a@", "a@b.co ", "a.b@", "-", "sk-", "sk-a1 ", "sk-aaaaaaaaaaaaaa1 ", "eyJ", "eyJaaaaaaaa.", "-----BEGIN A-----\n", "token:", "token=aaaaaaaaaaa1 ",
    "password=x1y2z ", "pwd:a1b2 ", "password='", "1.1.1.1.", "sk-a1b2c3d4e5f6g7h8 ", "2001:", "::", "+1 ", "+14155552671 ", "(1", "4111 ", "4111 1111 1111 1111 ", "4111111111111112 ",
    "DE89 ", "DE89370400440532013000 ", "123-45-6789 ", "12345678Z ", "12345678901 ", "123 456 789 ", "0 ", "12 34 56 78 90 ", "1 Main ", "12 Main Street, ", "rue de la ", "Via Roma ",
    "a://b:", "a://b:c@", "curl -u a:", "tel 1", "call 1234567 ", "é", "京", "京路", "\\\"", "A", "aA1-", "bearer aaaaaaaaaaaaaaa1 ",
    "@b.co,", "1.1.1.1 ", "1.2.3.4, ", "256.1.1.1 ", "::ffff:1.1.1.1 ", "2001:db8::1 ", "1:2:3:4:5:6:7:8 ", "+", "+1(", "00111111111 ", "(415) 555-2671 ", "415-555-2671 ", "01-11-11-11-11 ",
    "R. A ", "1 C/ ", "C/ Ab 1 ", "ul. Ab 1, ", "1 A St ", "Astr. 1 ", "PO Box 1 ", "\u3012", "\u3012123-4567", "京路1号", "1234567A ", "123456/1234 ", "A123456(1) ", "ABCPA1234A ", "AB12C1234 ",
    "12.34.56-789.01 ", "123.456.789-01 ", "12.345.678/9012-34 ", "12.345.678-9 ", "20-12345678-9 ", "756.1234.5678.90 ", "1234567890123 ", "123456-1234567 ", "sin 123456789 ", "id 1", "cpf 12345678901 ",
    "1111 111 111 ", "4242424242424242 ", "378282246310005 ", "SK00000000000000000000000000000000", "AKIAAAAAAAAAAAAAAAAA ", "aaa8Q~", "12345678:AA", "Maaaaaaaaaaaaaaaaaaaaaaa.", "eyJ-", "eyJa.eyJ",
    "eyJaaaaaaaa.a1a1a1 ", "sk-aaaaaaaaaaaaaaaaaaaa ", "key-key-", "gl", "re_", "pa-", "EAA", "-----BEGIN ", "https://hooks.slack.com/services/", "a://", "://a:a", "://a:b@ ", "curl ", "http -u a:bcde ",
    "passphrase='a b c", "--password a1b2 ", "--token aaaaaaaaaaa1 ", "secret", "key=", "password is x1y2z3 ", "密码:a1b2c", "pwd", "sig=aaaaaaaaaaaa1,", "\u0301", "\xff", "\t", "_", "a.", "a1", "1a", "A1 ", "é1 ",
    "password for x is a1b2c3 ", "password x is ", "api key a: ", "login a password ", "user a pass b1c2 ", "mysql -pa ", "docker login -p ", "net use a b ", "identified by '", "_pass: a1b2 ", "password\" value=",
    "phone a ", "tel. a 1 ", "ring 0 ", "08-12 39 51 ", "0151/19692532 ", "8 (912) 833-34-69 ", "612 85 77 88 ", "a%40b.co ", "Im Aa 1, 12345 ", "12 Aa, Aa AA 1", "Flat 1, 12 ", "市区町1", "市区町1丁", "京京1号", "서울시 구 ",
    "passport A1 ", "егн 1", "инн 12345678901 ", "123456-12-1234 ", "12345-1234567-1 ", "1-1234-12345-12-1 ", "123-456-789 12 ", "12 123456 A 123 ", "aJQQJ99", "Private-Lines: 1\n", "fm2_", "authorization: a ", "_key: a1",
    "4111-1111-", "secret key ", "password ", "mysql ", "?password=a&", "+1 4111111111111:", ":eyJaaaaaaaa.a-a1a1.", "10.0.0.1\n", "\u200ba@b.co\u200b", "fe80::1 ", "3111 ",
)  # fmt: skip

# Of these, what addresses are made of.
ADDRESSES = tuple(
    h
    for h in HOSTILE
    if re.search("[Mm]ain|rue|Via|^R\\.|C/|ul\\.|Ast|A St|PO Box|Flat|Im Aa|Aa, Aa|[京市区町서〒]", h)
)


def vary(text: str, rng: random.Random) -> str:
    """The text with other digits, and with other single small letters after a digit, a sign or a space."""
    text = re.sub("[1-9]", lambda _: rng.choice("123456789"), text)
    return re.sub(r"(?<![A-Za-z])[a-z](?![A-Z])", lambda _: rng.choice(string.ascii_lowercase), text)


def varied(unit: str, rng: random.Random) -> str:
    """A hostile text that never repeats itself."""
    parts, size = [], 0
    while size < PIECE:
        parts.append(vary(unit, rng))
        size += len(unit.encode())
    return "".join(parts)[:PIECE]


def cpu_ms(work: Callable[[], object], runs: int = 3) -> float:
    """CPU time of this thread, the best of some runs."""
    best = float("inf")
    for _ in range(runs):
        began = time.thread_time()
        work()
        best = min(best, time.thread_time() - began)
    return best * 1000


def in_parts(parts: list[str], scan: Scanner) -> str:
    redactor = Redactor(scan=scan)
    return "".join(redactor.feed(part) for part in parts) + redactor.close()


def ordinary(samples: list[Sample]) -> str:
    """A megabyte of the project's own code and prose, with something private in every fortieth line."""
    root = Path(__file__).parents[1]
    files = sorted(
        [
            *root.glob("ghostrouter/**/*.py"),
            *root.glob("deployments/**/*.py"),
            *root.glob("*.md"),
            *root.glob("docs/*.md"),
        ]
    )
    lines = [line for f in files if "redact" not in f.parts for line in f.read_text().splitlines()]
    private = [s.text for s in samples if s.spans and s.kind != "pem"]
    text, size, i = [], 0, 0
    while size < 1_000_000:
        line = private[(i // 40) % len(private)] if i % 40 == 39 else lines[i % len(lines)]
        text.append(line)
        size += len(line) + 1
        i += 1
    return "\n".join(text)


@dataclass(slots=True)
class Measured:
    """What was found in some samples, by kind.

    `right` and `wrong` count placeholders. `leaks` counts cuts that change the output.
    """

    found: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    right: int = 0
    wrong: int = 0
    leaks: int = 0

    @property
    def recall(self) -> float:
        return self.found.total() / (self.found.total() + self.missed.total())

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.wrong)


def measured(samples: list[Sample], addresses: bool = False) -> Measured:
    """Every sample, whole and cut at every place. `addresses`: with that option for all samples."""
    m = Measured()
    for sample in samples:
        scan = scanner(addresses or "address" in sample.kind)
        redactor = Redactor(scan=scan)
        out = redactor.feed(sample.text) + redactor.close()
        hidden = [sample.text[b:e] for b, e in sample.spans]
        lost = [h for h in hidden if _shows(h, out)]
        hits, total = len(hidden) - len(lost), redactor.counts.total()
        m.found[sample.kind] += hits
        m.missed[sample.kind] += len(lost)
        m.right += min(total, hits)
        m.wrong += max(0, total - hits)
        if VERBOSE and (lost or total > len(hidden)):
            print(f"  {sample.kind}: {sample.text!r}\n     -> {out!r}")
        cuts = [[sample.text[:i], sample.text[i:]] for i in range(1, len(sample.text))] + [list(sample.text)]
        m.leaks += sum(in_parts(parts, scan) != out for parts in cuts)
    return m


def main() -> None:
    samples, unseen = list(corpus(SEED)), list(held_out(SEED))
    seen, held, everything = measured(samples), measured(unseen), measured([*samples, *unseen], addresses=True)
    found, missed = seen.found, seen.missed
    text = ordinary(samples)
    near = "\n".join(s.text for s in samples if not s.spans) * 10
    raw = len(text.encode())
    ms = cpu_ms(lambda: redact(text))
    pieces = [text[i : i + 4] for i in range(0, 40_000, 4)]
    token_us = cpu_ms(lambda: in_parts(pieces, scanner()), 2) * 1000 / len(pieces)
    hostile = {h: cpu_ms(partial(redact, (h * (PIECE // len(h.encode()) + 1))[:PIECE])) for h in HOSTILE}
    rng = random.Random(SEED)
    restless = {h: cpu_ms(partial(redact, varied(h, rng)), 2) for h in HOSTILE if vary(h, rng) != h}
    long = {h: varied(h, rng) for h in ADDRESSES}
    addresses = {h: cpu_ms(partial(redact, text, scan=scanner(True)), 1) for h, text in long.items()}
    worst_address = max(addresses, key=addresses.__getitem__)
    worst_repeated, worst_varied = (max(times, key=times.__getitem__) for times in (hostile, restless))
    worst = max((hostile[worst_repeated], worst_repeated), (restless[worst_varied], f"{worst_varied}, varied"))
    private = found.total() + missed.total()
    files = sorted(Path(redact_room.__path__[0]).rglob("*.py"))
    figures = {
        "samples": len(samples),
        "private_texts": private,
        "harmless_samples": sum(not s.spans for s in samples),
        "recall": seen.recall,
        "precision": seen.precision,
        "leaks_across_chunks": seen.leaks + held.leaks + everything.leaks,
        "samples_held_out": len(unseen),
        "private_texts_held_out": held.found.total() + held.missed.total(),
        "recall_held_out": held.recall,
        "precision_held_out": held.precision,
        "recall_with_addresses": everything.recall,
        "precision_with_addresses": everything.precision,
        "mb_per_s": raw / 1e6 / (ms / 1000),
        "mb_per_s_of_near_misses": len(near.encode()) / 1e3 / cpu_ms(lambda: redact(near)),
        "us_per_streamed_token": token_us,
        "worst_case_ms_per_100kB": worst[0],
        "worst_case": worst[1],
        "worst_repeated_ms_per_100kB": hostile[worst_repeated],
        "worst_repeated": worst_repeated,
        "worst_with_addresses_ms_per_100kB": addresses[worst_address],
        "worst_with_addresses": worst_address,
        "redact_files": len(files),
        "redact_lines": sum(len(file.read_text().splitlines()) for file in files),
        **{f"recall_{k}": found[k] / (found[k] + missed[k]) for k in found if found[k] + missed[k]},
        **{f"recall_held_out_{k}": n / (n + held.missed[k]) for k, n in held.found.items() if n + held.missed[k]},
    }
    for key, value in figures.items():
        print(f"  {key:<28} {value:.4f}" if isinstance(value, float) else f"  {key:<28} {value!r}")
    for title, times in (("as they are", hostile), ("never the same", restless)):
        print(f"  hostile texts, {title}")
        for h, slow in sorted(times.items(), key=lambda item: -item[1])[:8]:
            print(f"    {h!r:<32} {slow:6.1f} ms")
    RESULT.write_text(json.dumps(figures, indent=2) + "\n")


def _shows(private: str, out: str) -> bool:
    """Whether most of a private text can be read."""
    out = _PLACEHOLDER.sub("", out)
    return private in out or (len(private) >= 6 and any(private[i : i + 6] in out for i in range(len(private) - 5)))


if __name__ == "__main__":
    main()
