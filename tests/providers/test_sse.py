import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghostrouter.providers.sse import Event, SseParser


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\ndata: b\n\n", ["a", "b"]),
        (b"data: a\r\n\r\ndata:b\r\n\r\n", ["a", "b"]),
        (b"data: a\r\rdata: b\r\r\n", ["a", "b"]),
        (b": keep-alive\n\nevent: error\ndata: a\nid: 7\n\n", ["a"]),
        (b"data: a\ndata: b\n\n", ["a\nb"]),
        (b"data:  two spaces\n\n", [" two spaces"]),
        (b"data: unfinished", []),
        (b"data: unfinished\n", []),
        (b"\n\n\n", []),
        ("data: \u2028é\x85\x0b\n\n".encode(), ["\u2028é\x85\x0b"]),
        (b"\xef\xbb\xbfdata: a\n\n", ["a"]),
        (b"data:\n\ndata\n\ndata: \ndata:\n\ndata: a\n\n", ["a"]),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_events(stream: bytes, events: list[str], size: int) -> None:
    parser = SseParser()
    parts = [stream[i : i + size] for i in range(0, len(stream), size)]
    assert [e.data for part in parts for e in parser.push(part)] == events


@pytest.mark.parametrize(
    ("stream", "last"),
    [
        (b"data: a\n\n", None),
        (b"data: a\n", Event("a")),
        (b"event: error\ndata: a", Event("a", "error")),
        (b"data: a\ndata: b", Event("a\nb")),
        (b"data:\n", None),
        (b": bye", None),
        (b"", None),
    ],
)
def test_what_the_stream_ends_in(stream: bytes, last: Event | None) -> None:
    parser = SseParser()
    parser.push(stream)
    assert parser.close() == last


def test_names_belong_to_their_events() -> None:
    stream = b"event: error\ndata: a\n\nevent: ping\n\ndata: b\n\n"
    assert SseParser().push(stream) == [Event("a", "error"), Event("b")]


def test_lines_of_json_are_events_where_they_may_be() -> None:
    stream = b'{"a": 1}\ndata: {"b": 2}\n\n'
    assert [e.data for e in SseParser(bare=True).push(stream)] == ['{"a": 1}', '{"b": 2}']
    assert [e.data for e in SseParser().push(stream)] == ['{"b": 2}']


def test_what_is_not_utf8_costs_a_character() -> None:
    stream = b"data: a\xffb\n\ndata: \xed\xa0\xbd\n\n"
    assert SseParser().push(stream) == [Event("a\ufffdb"), Event("\ud83d")]


@given(
    st.lists(st.text(), max_size=5), st.lists(st.integers(1, 7), min_size=1), st.sampled_from([b"\n", b"\r\n", b"\r"])
)
def test_what_is_sent_arrives_however_it_is_cut(texts: list[str], sizes: list[int], line_end: bytes) -> None:
    events = [json.dumps(t, ensure_ascii=False) for t in texts]
    stream = b"".join(b"data: " + e.encode() + 2 * line_end for e in events) + b": end\n"
    parser, arrived, at = SseParser(), list[str](), 0
    while at < len(stream):
        size = sizes[at % len(sizes)]
        arrived += [e.data for e in parser.push(stream[at : at + size])]
        at += size
    assert arrived == events
