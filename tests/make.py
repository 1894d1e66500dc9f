"""Small makers that many tests need."""

from collections.abc import Iterator, Sequence

from ghostrouter.detect.calibration import Calibration, Weights
from ghostrouter.types import Frame, SegmentEnd, SegmentKey, Token

KEY = SegmentKey("s", 0)


def token(text: str = "a", entropy_nats: float = 0.0, id: int = 0, step_start: bool = False) -> Token:
    """A token of which only what matters is said."""
    return Token(id, text, -0.1, 1, 1.0, entropy_nats, entropy_nats, entropy_nats, 0.01, 0, step_start)


def tokens(text: str) -> tuple[Token, ...]:
    """One token for each character; the id is the character's code."""
    return tuple(token(c, id=ord(c)) for c in text)


def frames(key: SegmentKey, text: str, end: SegmentEnd, size: int = 3) -> Iterator[Frame]:
    """`text` in frames of `size` tokens, the last with the end."""
    parts: Sequence[str] = [text[i : i + size] for i in range(0, len(text), size)] or [""]
    for i, part in enumerate(parts):
        last = i == len(parts) - 1
        yield Frame(key, i * size, tokens(part), end if last else None, replica="r1" if i == 0 else "")


def calibration(model: str = "m", **changes: object) -> Calibration:
    """Risk follows the entropy alone: 0.5 at 1 nat, 0.98 at 2, 0.02 at 0."""
    return Calibration(
        model=model,
        hazard=Weights(feature="entropy", slope=4.0, bias=-4.0),
        warm_risk=0.4,
        handoff_risk=0.9,
        quiet_risk=0.1,
        quiet_tokens=2,
        calm_tokens=2,
        rollback="onset",
        fitted_on="nothing, for tests",
    ).model_copy(update=changes)
