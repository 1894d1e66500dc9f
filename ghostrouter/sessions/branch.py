"""The part of an answer that a branch of it begins with."""

from dataclasses import replace

from ghostrouter.errors import InvalidRequest
from ghostrouter.sessions.segment import Segment
from ghostrouter.sessions.session import Growth, Session
from ghostrouter.sessions.stop import StopScanner
from ghostrouter.types import SegmentKey


def copied(source: Session, tokens: int, session_id: str, now_s: float) -> list[Growth]:
    """The first `tokens` tokens of an answer, as growths of the session `session_id`, one for each segment.

    If they end inside a character, the cut moves back to before it. The copies cost nothing and take no time: `now_s`
    is all their times.

    Raises:
        InvalidRequest: the answer has fewer tokens, or they have a stop string, after which nothing can come.
    """
    if tokens > source.kept_tokens:
        raise InvalidRequest(f"`at`: the answer has {source.kept_tokens} tokens so far.")
    written = [(segment, token) for segment in source.segments for token in segment.tokens][:tokens]
    while written and not written[-1][1].text and written[-1][1].aside is None:
        written.pop()
    scanner, found = StopScanner(source.ask.sampling.stop), list[Growth]()
    for segment in source.segments:
        kept = tuple(token for of, token in written if of is segment)
        if kept:
            copy = _copy(segment, SegmentKey(session_id, len(found)), len(kept), now_s)
            found.append(Growth(copy, 0, kept, scanner.push("".join(t.text for t in kept))))
    if scanner.stopped:
        raise InvalidRequest("`at`: there the answer has met a stop string. Choose an earlier token.")
    return found


def _copy(segment: Segment, key: SegmentKey, tokens: int, now_s: float) -> Segment:
    return replace(
        segment,
        key=key,
        opened_at_s=now_s,
        stalled_since_s=now_s,
        first_token_at_s=None,
        last_token_at_s=now_s,
        ended_at_s=now_s,
        tokens=[],
        settled=tokens,
        end=None,
        prompt_tokens=0,
        generated_tokens=0,
        cached_tokens=0,
        usage=None,
        cost_usd=0.0,
        lost=None,
        copied=True,
    )
