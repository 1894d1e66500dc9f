from pathlib import Path

import numpy as np
import pytest

from ghostrouter.classify.features import NAMES, features
from ghostrouter.errors import ConfigError
from ghostrouter.learn import apgr, offline, rows
from ghostrouter.learn.peers import PEERS, nested
from ghostrouter.learn.router import LearnedRouter, Settings
from ghostrouter.learn.views import view

CSV = "subject,prompt,weak_correct,strong_correct\n"


def questions(count: int, seed: int) -> rows.Rows:
    """Long questions are too much for the weak model, short ones are not."""
    rng = np.random.default_rng(seed)
    long = rng.random(count) < 0.5
    noise = rng.random(count) < 0.1
    prompts = tuple(f"Question {i}: {'why is it so that ' * 20 if hard else 'hm'}" for i, hard in enumerate(long))
    weak = (~long ^ noise).astype(float)
    return rows.Rows(prompts, tuple("xy"[int(h)] for h in long), ("weak", "strong"), np.c_[weak, np.ones(count)])


def layers(count: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, 3, 8)).astype(np.float32)
    normed: np.ndarray = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return normed


def test_what_can_be_counted_is_finite_for_any_text() -> None:
    found = features(["", "A. 1\nB. 2\nC. 3.5.6", "1" * 5000, "你好 $x$ ```\n" * 100])
    assert found.shape == (4, len(NAMES))
    assert np.isfinite(found).all()


def test_the_router_learns_who_fails_where_and_survives_its_file(tmp_path: Path) -> None:
    train, test = questions(200, 1), questions(100, 2)
    learned = LearnedRouter.fit(train, view(train.prompts, layers(200, 3)))
    asked = view(test.prompts, layers(100, 4))
    probabilities = learned.probabilities(asked)
    weak, strong = test.good.T
    assert apgr.apgr(probabilities[:, 1] - probabilities[:, 0], weak, strong) > 0.65
    assert abs(probabilities[:, 0].mean() - weak.mean()) < 0.15
    learned.save(tmp_path / "r.safetensors")
    again = LearnedRouter.load(tmp_path / "r.safetensors")
    assert again.models == ("weak", "strong")
    assert np.array_equal(again.probabilities(asked), probabilities)


def test_settings_change_the_router_and_are_in_its_file(tmp_path: Path) -> None:
    train = questions(200, 1)
    views, asked = view(train.prompts, layers(200, 3)), view(train.prompts[:20], layers(20, 4))
    sharp = LearnedRouter.fit(train, views, Settings(sharpness=4.0, noise=1.0, neighbours=5))
    usual = LearnedRouter.fit(train, views).probabilities(asked)
    assert not np.allclose(sharp.probabilities(asked), usual)
    sharp.save(tmp_path / "r.safetensors")
    again = LearnedRouter.load(tmp_path / "r.safetensors")
    assert np.array_equal(again.probabilities(asked), sharp.probabilities(asked))


def test_settings_chosen_inside_the_training_rows_find_who_fails() -> None:
    train, test = questions(150, 1), questions(100, 2)
    scores = nested(train, view(train.prompts, layers(150, 3)), view(test.prompts, layers(100, 4)))
    assert apgr.apgr(scores, *test.good.T) > 0.65


def test_a_file_that_is_no_router_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.safetensors"
    path.write_bytes(b"\x80\x04pickle?")
    with pytest.raises(ConfigError, match="not a learned router"):
        LearnedRouter.load(path)
    with pytest.raises(ConfigError):
        LearnedRouter.load(tmp_path / "none")


def test_a_perfect_router_needs_as_few_strong_calls_as_there_are_gains() -> None:
    weak, strong = np.array([0.0, 1, 1, 0]), np.ones(4)
    assert apgr.cpt(strong - weak, weak, strong, 0.5) == 0.25
    assert apgr.cpt(strong - weak, weak, strong, 0.8) == 0.5
    assert apgr.apgr(strong - weak, weak, strong) == 0.75
    assert apgr.apgr(np.zeros(4), weak, strong) == 0.5  # equal scores: every order is as likely


def test_equal_questions_are_in_one_fold_and_every_peer_scores_every_row() -> None:
    some = questions(60, 5)
    twice = rows.join([some, some])
    groups = offline.questions(twice)
    assert (groups[:60] == groups[60:]).all()
    for train, test in offline.folds(groups, 3):
        assert not set(groups[train]) & set(groups[test])
    peers = {name: PEERS[name] for name in ("ours", "random", "best_single", "knn")}
    scores = offline.cross_validated(twice, view(twice.prompts, layers(120, 6)), groups, peers, 3)
    found = offline.figures(scores, twice, draws=20)
    assert found["apgr"] > found["apgr_random"]
    assert found["apgr_best_single"] == pytest.approx(0.5)
    assert {"apgr_ci", "cpt50", "cpt80", "apgr_over_knn_ci"} <= set(found)


def test_rows_come_from_tables_and_from_events(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text(CSV + 's,"1 + 1?",1,1\n')
    events = tmp_path / "b.jsonl"
    events.write_text(
        '{"prompt": "Hm?", "model": "strong", "good": true}\n{"prompt": "Hm?", "model": "x", "good": 0}\n'
    )
    joined = rows.join([rows.read(table), rows.read(events)])
    assert joined.models == ("weak", "strong", "x")
    assert np.array_equal(joined.good, [[1, 1, np.nan], [np.nan, 1, 0]], equal_nan=True)
    with pytest.raises(ConfigError, match="every row"):
        rows.pair(joined)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "q,a\n1,2\n", "the columns `prompt`"),
        ("a.csv", CSV, "no rows"),
        ("a.csv", CSV + "s,p,yes,1\n", "a.csv:2: 'yes'"),
        ("a.jsonl", '{"prompt": "p"}\n', "a.jsonl:1"),
        ("a.jsonl", "{\n", "a.jsonl:1"),
    ],
)
def test_wrong_rows_are_told_with_their_line(tmp_path: Path, name: str, text: str, words: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ConfigError) as refusal:
        rows.read(path)
    assert words in str(refusal.value)


def test_questions_that_begin_alike_are_one_family() -> None:
    passage = "The following passage is from a speech of 1863, held after the battle at a cemetery. "
    prompts = (passage + "Who spoke?", passage.upper() + "Why?", "Who spoke?", "who spoke")
    table = rows.Rows(prompts, ("",) * 4, ("weak", "strong"), np.zeros((4, 2)))
    families, questions = offline.families(table), offline.questions(table)
    assert families[0] == families[1] != families[2] == families[3]
    assert len(set(questions)) == 3
