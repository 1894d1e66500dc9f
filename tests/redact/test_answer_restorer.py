"""What was taken out of a prompt comes back into text, reasoning and tool calls, and no token is lost."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghostrouter.redact.answer_restorer import AnswerRestorer
from ghostrouter.redact.vault import Vault
from ghostrouter.types import EndReason, Frame, ReasoningPart, SegmentEnd, SegmentKey, Token, ToolCallPart
from tests.make import token

KEY = SegmentKey("s", 0)
MAIL, PASSWORD = "anna@example.com", 'pa"ss\\w0rd'


def vault() -> Vault:
    vault = Vault()
    vault.placeholder("EMAIL", MAIL.encode())
    vault.placeholder("PASSWORD", PASSWORD.encode())
    return vault


def text_token(text: str) -> Token:
    return token(text)


def tool_token(number: int, arguments: str) -> Token:
    return token("")._replace(aside=ToolCallPart(number, arguments=arguments))


def reasoning_token(text: str) -> Token:
    return token("")._replace(aside=ReasoningPart(text))


def through(restorer: AnswerRestorer, tokens: list[Token], size: int = 1, end: SegmentEnd | None = None) -> list[Frame]:
    """Frames of `size` tokens, and a last one without any."""
    frames = [
        Frame(KEY, i, tuple(tokens[i : i + size]), replica="r" if i == 0 else "") for i in range(0, len(tokens), size)
    ]
    return [restorer.push(f) for f in (*frames, Frame(KEY, len(tokens), (), end or SegmentEnd("stop")))]


def tokens_of(frames: list[Frame]) -> list[Token]:
    assert [f.start for f in frames] == [sum(len(f.tokens) for f in frames[:i]) for i in range(len(frames))]
    return [t for f in frames for t in f.tokens]


def written(tokens: list[Token], which: str | int) -> str:
    if which == "text":
        return "".join(t.text for t in tokens)
    if which == "reasoning":
        return "".join(t.aside.text for t in tokens if isinstance(t.aside, ReasoningPart))
    return "".join(t.aside.arguments for t in tokens if isinstance(t.aside, ToolCallPart) and t.aside.number == which)


@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_a_tool_gets_what_was_taken_out_escaped_as_json_wants_it(size: int) -> None:
    arguments = '{"to": "[EMAIL_1]", "password": "[PASSWORD_1]", "levels": ["INFO", "[NOTE_9]"]}'
    tokens = tokens_of(through(AnswerRestorer(vault()), [tool_token(0, c) for c in arguments], size))
    assert len(tokens) == len(arguments)
    assert json.loads(written(tokens, 0)) == {"to": MAIL, "password": PASSWORD, "levels": ["INFO", "[NOTE_9]"]}


def test_calls_that_are_written_at_the_same_time_are_kept_apart() -> None:
    one, two = '{"to": "[EMAIL_1]"}', '{"to":  "[EMAIL_1]"}'
    tokens = [tool_token(n, c) for pair in zip(one, two, strict=False) for n, c in enumerate(pair)] + [
        tool_token(1, "}")
    ]
    restored = tokens_of(through(AnswerRestorer(vault()), tokens))
    assert [json.loads(written(restored, n)) for n in (0, 1)] == [{"to": MAIL}] * 2


def test_reasoning_gets_it_too_and_ends_before_the_text() -> None:
    tokens = [reasoning_token(c) for c in "to [EMAIL_1], [EMA"] + [text_token(c) for c in "Dear [EMAIL_1]"]
    frames = through(AnswerRestorer(vault()), tokens)
    restored = tokens_of(frames)
    assert (written(restored, "reasoning"), written(restored, "text")) == (f"to {MAIL}, [EMA", f"Dear {MAIL}")
    assert written([t for f in frames[:20] for t in f.tokens], "reasoning").endswith("[EMA")  # not only at the end


def test_text_that_is_json_is_escaped() -> None:
    tokens = tokens_of(
        through(AnswerRestorer(vault(), json_text=True), [text_token(c) for c in '{"p": "[PASSWORD_1]"}'])
    )
    assert json.loads(written(tokens, "text")) == {"p": PASSWORD}
    plain = tokens_of(through(AnswerRestorer(vault()), [text_token(c) for c in "[PASSWORD_1]"]))
    assert written(plain, "text") == PASSWORD


@pytest.mark.parametrize("reason", ["stop", "length", "tool_calls", "handoff", "hand_back"])
@pytest.mark.parametrize("make", [text_token, reasoning_token, lambda text: tool_token(3, text)])
def test_nothing_is_lost_when_the_last_frame_has_no_tokens(reason: EndReason, make: object) -> None:
    tokens = [make(c) for c in "levels are [INFO"]  # type: ignore[operator]
    restored = tokens_of(through(AnswerRestorer(vault()), tokens, end=SegmentEnd(reason)))
    assert len(restored) == len(tokens)
    assert "levels are [INFO" in (written(restored, "text"), written(restored, "reasoning"), written(restored, 3))


def test_nothing_is_lost_when_the_engine_fails() -> None:
    restorer = AnswerRestorer(vault())
    frames = [restorer.push(Frame(KEY, i, (text_token(c),))) for i, c in enumerate("levels are [INFO")]
    rest = restorer.flush()
    assert rest is not None
    assert written(tokens_of([*frames, rest]), "text") == "levels are [INFO"
    assert restorer.flush() is None


def test_what_a_seam_may_drop_stays_apart() -> None:
    held = tuple(text_token(c) for c in "IL_1] and")
    frames = through(AnswerRestorer(vault()), [text_token(c) for c in "to [EMA"], end=SegmentEnd("handoff", held))
    end = frames[-1].end
    assert end is not None and len(end.held) == len(held)
    assert written(tokens_of(frames), "text") == "to "
    assert written(list(end.held), "text") == f"{MAIL} and"


def test_the_frame_that_starts_the_segment_says_where_it_runs() -> None:
    frames = through(AnswerRestorer(vault()), [text_token(c) for c in "[EMAIL_1] it is"])
    assert frames[0].tokens == ()
    assert all(f.replica == "r" for f in frames if f.start == 0)


_PIECES = st.sampled_from(["[EMAIL_1]", "[PASSWORD_1]", "[INFO", "[", "_1]", "x", "EMAIL_1", "[NOTE_1]", " "])


@given(st.lists(_PIECES, max_size=8), st.integers(1, 4), st.integers(1, 3))
def test_no_cut_changes_anything(pieces: list[str], size: int, characters: int) -> None:
    text = "".join(pieces)
    tokens = [text_token(text[i : i + characters]) for i in range(0, len(text), characters)]
    restored = tokens_of(through(AnswerRestorer(vault()), tokens, size))
    assert written(restored, "text") == text.replace("[EMAIL_1]", MAIL).replace("[PASSWORD_1]", PASSWORD)
    assert len(restored) == len(tokens)
