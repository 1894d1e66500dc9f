"""Which questions need the strong model? Learned routing, compared with simpler routers on known answers.

    make bench NAME=routing [DATA=../shared/data/routellm] [FOLDS=5] [DRAWS=1000]

Cross-validation: every question is scored by routers that were fitted without it (equal questions are in one fold). For
`apgr_mmlu_unseen_subjects` whole subjects are left out; for keys with `families`, all questions that begin alike. Keys
with `nested` are of the same router, but its settings are chosen inside each training fold: no choice has seen the
questions that it is measured on. The first run encodes all questions, which takes minutes.
"""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from bench.service import write
from ghostrouter.classify.encoder import sentence_encoder
from ghostrouter.config import cache_dir
from ghostrouter.learn import offline
from ghostrouter.learn.apgr import apgr
from ghostrouter.learn.embedded import embedded
from ghostrouter.learn.peers import PEERS, nested
from ghostrouter.learn.rows import pair, read
from ghostrouter.learn.views import view

DATA = Path(os.environ.get("DATA", "../shared/data/routellm"))
FOLDS = int(os.environ.get("FOLDS", "5"))
DRAWS = int(os.environ.get("DRAWS", "1000"))
_ENCODER = "all-MiniLM-L6-v2"


def measure(name: str) -> dict[str, Any]:
    """The figures of one set of questions, its name in every key."""
    rows = pair(read(DATA / f"{name}.csv"))
    views = view(rows.prompts, embedded(rows.prompts, _ENCODER, sentence_encoder, cache_dir(), print))
    print(f"{name}: {len(rows.prompts)} questions, {FOLDS} folds", flush=True)
    scores = offline.cross_validated(rows, views, offline.questions(rows), {**PEERS, "nested": nested}, FOLDS)
    found = _named(name, offline.figures(scores, rows, DRAWS))
    apart = offline.cross_validated(rows, views, offline.families(rows), {"ours": PEERS["ours"]}, FOLDS)
    found[f"apgr_{name}_families"] = apgr(apart["ours"], *rows.good.T)
    subjects = np.unique(rows.groups, return_inverse=True)[1]
    if subjects.max() > 0:
        unseen = offline.cross_validated(rows, views, subjects, PEERS, FOLDS)
        for peer, score in unseen.items():
            tail = "" if peer == "ours" else f"_{peer}"
            found[f"apgr_{name}_unseen_subjects{tail}"] = apgr(score, *rows.good.T)
    return found


def _named(name: str, found: dict[str, Any]) -> dict[str, Any]:
    """apgr_knn_ci -> apgr_mmlu_knn_ci."""
    named: dict[str, Any] = {}
    for key, value in found.items():
        head, _, tail = key.partition("_")
        key = f"{key}_{name}" if head in ("n", "weak", "strong") else f"{head}_{name}_{tail}".rstrip("_")
        if isinstance(value, tuple | list):
            named |= {f"{key}_low": value[0], f"{key}_high": value[1]}
        else:
            named[key] = float(value)
    return named


def main() -> None:
    missing = [str(DATA / f"{n}.csv") for n in ("gsm8k", "mmlu") if not (DATA / f"{n}.csv").is_file()]
    if missing:
        sys.exit(f"missing: {', '.join(missing)}. Name the folder of the data: DATA=... make bench NAME=routing")
    write("routing", {**measure("gsm8k"), **measure("mmlu")})


if __name__ == "__main__":
    main()
