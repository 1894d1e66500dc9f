"""Each token gets what it adds to the content, however a provider groups tokens into events."""

import json
from itertools import pairwise
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from ghostrouter.config import CloudModel
from ghostrouter.providers.openai_events import read_event
from ghostrouter.providers.sse import Event

MODEL = CloudModel.model_validate(
    {"name": "far", "base_url": "http://127.0.0.1:9/v1", "model": "far", "context_tokens": 8192, "logprobs": True}
)


class Piece(NamedTuple):
    """A token: what its entry says, and what it adds to the content."""

    told: str
    added: str


HALVES = [Piece("\ufffd", ""), Piece("\ufffd", "é")]
END = Piece("<|im_end|>", "")
_words = st.sampled_from([Piece(x, x) for x in ("a", " ", ". ", "So", "94", "an", "\n")])
_answers = st.lists(st.one_of(_words.map(lambda w: [w]), st.just(HALVES)), min_size=1, max_size=12).map(
    lambda parts: [piece for part in parts for piece in part] + [END]
)


def texts(pieces: list[Piece], cuts: set[int]) -> list[str]:
    """The tokens' texts, of events that end before the given tokens."""
    found, edges = list[str](), [0, *sorted(c for c in cuts if 0 < c < len(pieces)), len(pieces)]
    for begin, end in pairwise(edges):
        group = pieces[begin:end]
        entries = [{"token": p.told, "logprob": -0.1, "top_logprobs": []} for p in group]
        delta = {"content": "".join(p.added for p in group)}
        body = {"choices": [{"index": 0, "delta": delta, "logprobs": {"content": entries}, "finish_reason": None}]}
        found += [t.text for t in read_event(Event(json.dumps(body)), MODEL).tokens]
    return found


def test_the_end_of_text_in_the_event_of_the_last_words() -> None:
    pieces = [Piece("938", "938"), Piece(". ", ". "), Piece("So", "So"), END]
    assert texts(pieces, set()) == ["938", ". ", "So", ""]


def test_half_a_character_amid_others() -> None:
    pieces = [Piece("caf", "caf"), *HALVES, Piece(" au", " au"), END]
    assert texts(pieces, set()) == ["caf", "", "é", " au", ""]


@given(_answers, st.sets(st.integers(1, 30)))
def test_nothing_is_lost_however_tokens_are_grouped(pieces: list[Piece], cuts: set[int]) -> None:
    assert "".join(texts(pieces, cuts)) == "".join(p.added for p in pieces)


@given(st.lists(_words, min_size=1, max_size=12), st.sets(st.integers(1, 30)))
def test_tokens_do_not_depend_on_the_events_they_come_in(words: list[Piece], cuts: set[int]) -> None:
    pieces = [*words, END]
    assert texts(pieces, cuts) == [p.added for p in pieces]
