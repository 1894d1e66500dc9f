"""What each policy comes to on held-out questions, from the recorded answers and continuations."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression

from bench.curves import Floats
from bench.real_curves import COLUMNS, Sums, swept, switched
from bench.real_handoffs import Kept
from bench.real_pair import LARGE_PRICE, SMALL_PRICE, Pair
from bench.real_recorder import Recorder
from bench.real_recording import Answered, going_on
from bench.real_store import Recorded
from ghostrouter.classify.encoder import sentence_encoder
from ghostrouter.money import Price
from ghostrouter.policy.cost import price_usd

Settings = Mapping[str, Sequence[Kept]]
"""The handoffs of each switching policy at each of its settings."""


class Scores(NamedTuple):
    """Scores that whole answers, or questions, are sent on by; each of shape (questions,)."""

    answers: Mapping[str, Floats]
    questions: Floats


async def continuations(
    recorder: Recorder, pair: Pair, answered: Sequence[Answered], settings: Settings
) -> dict[tuple[int, int], Recorded]:
    """The large model's continuation from every place that a policy chose: (question, tokens kept) -> answer."""
    places = sorted({(i, at) for of in settings.values() for kept in of for i, at in enumerate(kept) if at is not None})
    askings = [going_on(answered[i], pair.large, at) for i, at in places]
    return dict(zip(places, await recorder.all("continuations", askings), strict=True))


class Pace(NamedTuple):
    """The seconds that a token of each model takes, from answers of the models alone.

    The recorded seconds of single answers would not do: they depend on what else the machine had to do at that moment.
    """

    small: float
    large: float


def pace(answered: Sequence[Answered]) -> Pace:
    """The pace in some answers."""

    def of(recorded: Sequence[Recorded]) -> float:
        return sum(r.seconds for r in recorded) / sum(len(r.tokens) for r in recorded)

    return Pace(of([a.small for a in answered]), of([a.large for a in answered]))


def spent(recorded: Recorded, price: Price, token_s: float, *, small: bool) -> list[float]:
    """A row of COLUMNS for an answer, right or not: nobody knows here."""
    tokens = float(len(recorded.tokens))
    usd = price_usd(price, recorded.prompt_tokens, tokens)
    return [tokens * small, tokens * (not small), usd, tokens * token_s, 0.0]


def alone(answered: Sequence[Answered], token_s: Pace) -> tuple[Floats, Floats]:
    """What the two models alone come to, each of shape (questions, COLUMNS)."""
    small = np.array([spent(a.small, SMALL_PRICE, token_s.small, small=True) for a in answered])
    large = np.array([spent(a.large, LARGE_PRICE, token_s.large, small=False) for a in answered])
    right = COLUMNS.index("right")
    small[:, right] = [a.small_right for a in answered]
    large[:, right] = [a.large_right for a in answered]
    return small, large


def switching(
    answered: Sequence[Answered], kept: Kept, known: Mapping[tuple[int, int], Recorded], token_s: Pace
) -> Floats:
    """What a policy comes to that hands over in mid-answer, of shape (questions, COLUMNS)."""
    rows = []
    for i, (one, at) in enumerate(zip(answered, kept, strict=True)):
        if at is None:
            row = spent(one.small, SMALL_PRICE, token_s.small, small=True)
            row[-1] = float(one.small_right)
        else:
            rest = known[i, at]
            row = spent(rest, LARGE_PRICE, token_s.large, small=False)
            # The token that alarms has been written too.
            written = min(at + 1, len(one.small.tokens))
            row[COLUMNS.index("small")] = written
            row[COLUMNS.index("usd")] += price_usd(SMALL_PRICE, one.small.prompt_tokens, written)
            row[COLUMNS.index("seconds")] += written * token_s.small
            row[-1] = float(one.asked.is_right(one.kept(at) + rest.text))
        rows.append(row)
    return np.array(rows)


def policies(
    answered: Sequence[Answered],
    settings: Settings,
    known: Mapping[tuple[int, int], Recorded],
    scores: Scores,
    token_s: Pace,
) -> dict[str, Sums]:
    """The sums of every policy. Policies that judge whole answers or questions get their best threshold afterwards."""
    small, large = alone(answered, token_s)
    twice = small + large
    twice[:, -1] = large[:, -1]
    return {
        **{name: switched([switching(answered, kept, known, token_s) for kept in of]) for name, of in settings.items()},
        **{f"cascade_{name}": swept(of, small, twice) for name, of in scores.answers.items()},
        "query": swept(scores.questions, small, large),
    }


def query_scores(train: Sequence[Answered], held_out: Sequence[Answered]) -> Floats:
    """P(small is wrong and large is right) from the question alone: a regression on sentence embeddings."""
    pays = np.array([a.large_right and not a.small_right for a in train])
    if pays.all() or not pays.any():
        return np.zeros(len(held_out))
    encode = sentence_encoder("all-MiniLM-L6-v2")
    x, new = (encode([a.asked.prompt for a in part])[:, -1] for part in (train, held_out))
    model = LogisticRegression(max_iter=1000).fit(x, pays)
    return np.asarray(model.predict_proba(new)[:, 1])
