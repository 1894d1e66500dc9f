import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghostrouter.api import sse
from ghostrouter.errors import InvalidRequest


def test_an_event_has_the_fields_it_was_given() -> None:
    assert sse.event({"a": "é"}) == 'data: {"a":"é"}\n\n'
    assert sse.event([1, 2], name="n", id="s:1") == "id: s:1\nevent: n\ndata: [1,2]\n\n"


@given(st.text())
def test_json_is_on_one_line_however_a_client_splits_lines(text: str) -> None:
    dumped = sse.dumps({"text": text})
    assert dumped.splitlines() == [dumped]
    assert json.loads(dumped) == {"text": text}


def test_json_keeps_what_is_not_ascii() -> None:
    assert sse.dumps("é\u2028🙂\x85") == '"é\\u2028🙂\\u0085"'


@given(st.uuids(), st.integers(0, 10**15 - 1))
def test_an_id_is_read_as_it_was_written(uuid: object, number: int) -> None:
    session = f"chatcmpl-{uuid}"
    assert sse.parse_id(sse.format_id(session, number)) == (session, number)


@pytest.mark.parametrize(
    "header",
    "|:|:1|s|s:|s:-1|s:+1|s:1.5|s:x|s:1 | s:1|s:1\n|a b:1|a:b:1|s:١|s:²|s:9999999999999999|../s:1".split("|"),
)
def test_nonsense_for_an_id_is_refused_in_words(header: str) -> None:
    with pytest.raises(InvalidRequest, match=r"`Last-Event-ID` must be .* `<session>:<number>`") as refusal:
        sse.parse_id(header)
    assert "9999" not in str(refusal.value)
