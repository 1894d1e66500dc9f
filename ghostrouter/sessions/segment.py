"""The part of an answer that one engine wrote."""

from dataclasses import dataclass, field, replace
from typing import Literal

from ghostrouter.money import Usage
from ghostrouter.types import Continuation, KvMode, SegmentEnd, SegmentKey, Token

OpenReason = Literal[
    "plan", "handoff", "hand_back", "failure", "shed", "drain", "paused", "resumed", "refused", "scripted", "hedge",
    "branch",
]  # fmt: skip


@dataclass(slots=True)
class Segment:
    """What one engine wrote, and why it was asked. Times are on the conductor's clock.

    `lost` is the segment of the slower model, if two models were asked at the same time. `failure` is the type of the
    error that has ended the segment. `abandoned` is the text that the seam at its end has dropped.
    `pressure` is what its replica has said last of its load.
    `copied`: it is part of another session, which this one is a branch of. It costs nothing here.
    """

    key: SegmentKey
    model: str
    reason: OpenReason
    opened_at_s: float
    stalled_since_s: float
    continuation: Continuation | None = None
    detail: str = ""
    rollback_tokens: int = 0
    instruction_tokens: int = 0
    replica: str = ""
    prepared: KvMode | None = None
    cached_tokens: int = 0
    first_token_at_s: float | None = None
    last_token_at_s: float | None = None
    ended_at_s: float | None = None
    failure: str = ""
    tokens: list[Token] = field(default_factory=list)
    settled: int = 0
    end: SegmentEnd | None = None
    prompt_tokens: int = 0
    generated_tokens: int = 0
    is_cloud: bool = False
    usage: Usage | None = None
    cost_usd: float | None = None
    pressure: float | None = None
    lost: "Segment | None" = None
    abandoned: str = ""
    copied: bool = False

    @property
    def used(self) -> Usage:
        """The usage: from the provider, or counted here. What is counted here for a cloud model is an estimate."""
        if self.usage is not None:
            return self.usage
        cached = min(self.cached_tokens, self.prompt_tokens)
        return Usage(self.prompt_tokens, self.generated_tokens, cached, estimated=self.is_cloud)

    @property
    def text(self) -> str:
        return "".join(t.text for t in self.tokens)

    @property
    def took_over(self) -> bool:
        """Whether an engine took over with it, for any reason. After a pause the same one goes on."""
        return self.reason not in ("plan", "paused")

    @property
    def kv_mode(self) -> KvMode:
        """How the KV cache was filled: as prepared, if the engine found something there."""
        if not self.cached_tokens:
            return "recompute"
        return self.prepared or "prefix_cache"

    @property
    def ttft_s(self) -> float | None:
        """Time from opening the segment to its first token."""
        return None if self.first_token_at_s is None else self.first_token_at_s - self.opened_at_s

    @property
    def stall_s(self) -> float | None:
        """Time from the last kept token before the segment to its first token; None for the first segment."""
        if self.first_token_at_s is None or self.reason == "plan":
            return None
        return self.first_token_at_s - self.stalled_since_s

    def moved(self, tokens: list[Token], later_s: float) -> "Segment":
        """A copy with these tokens, and with times on a clock that is `later_s` ahead."""
        first, last, ended = self.first_token_at_s, self.last_token_at_s, self.ended_at_s
        return replace(
            self,
            tokens=tokens,
            opened_at_s=self.opened_at_s + later_s,
            stalled_since_s=self.stalled_since_s + later_s,
            first_token_at_s=None if first is None else first + later_s,
            last_token_at_s=None if last is None else last + later_s,
            ended_at_s=None if ended is None else ended + later_s,
            lost=self.lost and self.lost.moved(self.lost.tokens, later_s),
        )
