"""What a client asks for."""

from dataclasses import dataclass

from ghostrouter.conversation import NO_FEATURES, Features, Message
from ghostrouter.money import Worth
from ghostrouter.redact.policy import NOBODY, Behalf
from ghostrouter.signals.answer_text import MOST_ASKED
from ghostrouter.span_context import RootSpan
from ghostrouter.terms import NO_PREFERENCES, Preferences
from ghostrouter.types import KvMode, Sampling


@dataclass(frozen=True, slots=True)
class ScriptedHandoff:
    """Hand off to `to` after `after_tokens` tokens of the answer, whatever the signals say.

    `kv` is how the target gets its KV cache; None: the usual choice.
    """

    after_tokens: int
    to: str
    kv: KvMode | None = None


@dataclass(frozen=True, slots=True)
class Branch:
    """Where a session leaves another one: it has the first `tokens` tokens of the answer of `session`."""

    session: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: the conversation, the sampling, whether the client streams, and what the answer is worth to it.

    Without a `worth` the calibrations alone decide when to switch. `root_span` is None where nothing is traced.
    `signals`: the client wants the signals of each token, its risk among them. `branch` is set if the answer goes on
    from a part of another one.
    """

    messages: tuple[Message, ...]
    sampling: Sampling
    streaming: bool
    continue_final: bool = False
    script: tuple[ScriptedHandoff, ...] = ()
    features: Features = NO_FEATURES
    preferences: Preferences = NO_PREFERENCES
    worth: Worth | None = None
    behalf: Behalf = NOBODY
    root_span: RootSpan | None = None
    signals: bool = False
    branch: Branch | None = None

    @property
    def question(self) -> str:
        """The last thing that the user said, or its end if it is long."""
        last = next((m.content for m in reversed(self.messages) if m.role == "user"), "")
        return last[-MOST_ASKED:]
