"""POST /call: the request body, in the format of the published package of the same name."""

import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from ghostrouter.api.body import Body, Ghost, SampledBody, Shape, parse
from ghostrouter.api.call_words import Determinism, IntentClass, TrustTier, Verbosity
from ghostrouter.api.chat_request import ChatCall, to_call
from ghostrouter.conversation import Message
from ghostrouter.errors import CallNotPermitted, InvalidRequest
from ghostrouter.redact.policy import ACKNOWLEDGEMENTS

SCHEMA_VERSION = "1.0.0"
_Text = Annotated[str, StringConstraints(min_length=1, max_length=2_000_000)]


class _Caller(Body):
    handle: str = Field(pattern=r"^[A-Za-z0-9 _.-]{3,64}$")
    account_id: str
    key_id: str | None = None
    fingerprint_ref: str | None = None

    @field_validator("account_id")
    @classmethod
    def _is_an_id(cls, value: str) -> str:
        if len("".join(value.split())) < 8:
            raise ValueError("must be a UUID or have at least 8 characters that are not blank")
        return value


class _Intent(Body):
    name: IntentClass = Field(alias="class")
    detail: str | None = Field(default=None, max_length=512)


class _Target(Body):
    type: Literal["model", "tool"]
    alias: str = Field(min_length=1, max_length=128)
    trust_tier: TrustTier = "standard"
    capability_tags: list[Annotated[str, StringConstraints(max_length=64)]] = Field(default_factory=list, max_length=64)


class _Part(Body):
    part_id: str = Field(min_length=1, max_length=64)
    content: _Text
    sha256: str | None = None

    @model_validator(mode="after")
    def _sha256_matches(self) -> "_Part":
        if self.sha256 is not None and self.sha256.lower() != hashlib.sha256(self.content.encode()).hexdigest():
            raise ValueError("`sha256` does not match `content`")
        return self


class _Params(Body):
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    seed: int | None = Field(default=None, ge=0, lt=2**31)


class _Timeouts(Body):
    soft_ms: int = Field(default=15_000, ge=1_000, le=600_000)
    hard_ms: int = Field(default=60_000, ge=1_000, le=1_200_000)

    @model_validator(mode="after")
    def _are_in_order(self) -> "_Timeouts":
        if self.soft_ms > self.hard_ms:
            raise ValueError("`soft_ms` must not be more than `hard_ms`")
        return self


class _Override(Body):
    enabled: bool = False
    acknowledgements: list[str] = Field(default_factory=list, max_length=16)
    reason: str | None = Field(default=None, max_length=256)


class _Redaction(Body):
    mode: Literal["auto", "off"] = "auto"
    override: _Override | None = None


class _Options(Body):
    verbosity: Verbosity = "standard"
    determinism: Determinism = "best_effort"
    timeouts: _Timeouts = _Timeouts()
    redaction: _Redaction = _Redaction()
    allow_variants: bool = True
    max_variants: int = Field(default=5, ge=1, le=5)


# Fields that are accepted and change nothing. Clients of the published package send them.
_WITHOUT_EFFECT = {
    "caller.key_id": "the API key says who calls",
    "caller.fingerprint_ref": "the API key says who calls",
    "intent.detail": "the prompt says what is wanted",
    "options.max_variants": "no variants are made",
    "entrypoint": "there is one way in",
}


class _Call(Body):
    schema_version: str = Field(default=SCHEMA_VERSION, pattern=r"^\d+\.\d+\.\d+$")
    call_id: str | None = Field(default=None, min_length=1, max_length=128)
    created_at: str | None = None
    caller: _Caller
    intent: _Intent
    target: _Target
    prompt: _Text
    context: list[_Part] = Field(default_factory=list)
    params: _Params = _Params()
    options: _Options = _Options()
    signature: str | None = None
    entrypoint: str | None = None

    @field_validator("created_at")
    @classmethod
    def _is_a_date(cls, value: str | None) -> str | None:
        if value is not None:
            datetime.fromisoformat(value)
        return value


@dataclass(frozen=True, slots=True)
class Call:
    """A valid call: its chat call, and the fields that only this API has.

    Two calls with the same `request_hash` are the same call; it covers all fields except `created_at` and `signature`.
    `payload_hash` covers all fields. `unredacted`: the caller has switched redaction off, and has acknowledged the
    consequences. `ignored` names the fields that were sent but change nothing.
    """

    chat: ChatCall
    call_id: str
    request_hash: str
    handle: str
    trust_tier: TrustTier
    verbosity: Verbosity
    soft_s: float
    hard_s: float
    unredacted: bool
    reason: str | None
    created_at: str | None
    ignored: tuple[str, ...]
    payload_hash: str


SHAPE = Shape(_Call)


def from_wire(body: Any) -> Call:
    """Read a request body. A call without an id gets one.

    Raises:
        InvalidRequest: the body is not a valid call; the message names the field.
        CallNotPermitted: the call switches redaction off, but an acknowledgement is missing.
    """
    parsed = parse(_Call, body, (), {})
    options, target = parsed.options, parsed.target
    if parsed.schema_version.partition(".")[0] != SCHEMA_VERSION.partition(".")[0]:
        raise InvalidRequest(f"`schema_version`: this service speaks {SCHEMA_VERSION}.")
    if target.type == "tool":
        raise InvalidRequest("`target.type`: this service has no tools to call, only models.")
    if parsed.signature is not None:
        raise InvalidRequest("`signature`: this service verifies no signatures. Leave it out, or send null.")
    if options.determinism == "strict" and parsed.params.seed is None:
        raise InvalidRequest("`params.seed`: `determinism` strict needs a seed.")
    return Call(
        chat=_chat(parsed),
        call_id=parsed.call_id or str(uuid.uuid4()),
        request_hash=digest({k: v for k, v in body.items() if k not in ("created_at", "signature")}),
        handle=parsed.caller.handle,
        trust_tier=target.trust_tier,
        verbosity=options.verbosity,
        soft_s=options.timeouts.soft_ms / 1000,
        hard_s=options.timeouts.hard_ms / 1000,
        unredacted=_unredacted(options.redaction),
        reason=options.redaction.override.reason if options.redaction.override else None,
        created_at=parsed.created_at,
        ignored=tuple(_ignored(body)),
        payload_hash=digest(body),
    )


def _ignored(body: Mapping[str, Any]) -> Iterator[str]:
    """The fields of a valid body that change nothing, each with the reason. A field that is null does not count."""
    for path, why in _WITHOUT_EFFECT.items():
        section, _, name = path.rpartition(".")
        if ((body.get(section) or {}) if section else body).get(name) is not None:
            yield f"`{path}` is ignored: {why}"
    options = body.get("options") or {}
    if options.get("allow_variants"):
        yield "`options.allow_variants` is ignored: no variants are made"
    redaction = options.get("redaction") or {}
    if redaction.get("override") is not None and redaction.get("mode") != "off":
        yield "`options.redaction.override` is ignored: `mode` is not off"
    if options.get("verbosity") == "full":
        yield "`options.verbosity` full is ignored: standard tells everything already"


def digest(body: Any) -> str:
    """A digest of JSON or text. The order of keys does not matter."""
    told = body if isinstance(body, str) else json.dumps(body, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(told.encode(errors='surrogatepass')).hexdigest()}"


def _chat(parsed: _Call) -> ChatCall:
    """The chat call. Context and prompt are one user message, because many chat templates refuse two in a row.

    The rules about who may get the prompt are translated into those of the chat API.
    """
    params, target, intent = parsed.params, parsed.target, parsed.intent.name
    ghost = Ghost(
        trust=target.trust_tier,
        repeatable=parsed.options.determinism == "strict",
        intent="" if intent == "unknown" else intent,
        tags=target.capability_tags,
    )
    sampled = SampledBody(
        model=parsed.target.alias,
        # A `top_p` of 0 leaves only the likeliest token. Temperature 0 means the same.
        temperature=0 if params.top_p == 0 else params.temperature,
        top_p=params.top_p or None,
        seed=params.seed,
        ghost=ghost,
    )
    said = "\n\n".join([*(part.content for part in parsed.context), parsed.prompt])
    call = to_call(sampled, [Message("user", said)], None, logprobs=False)
    return replace(call, terms=replace(call.terms, best_effort=not ghost.repeatable))


def _unredacted(redaction: _Redaction) -> bool:
    if redaction.mode != "off":
        return False
    if redaction.override is None or not redaction.override.enabled:
        raise InvalidRequest("`options.redaction`: mode off needs `override.enabled`.")
    # The published package needs all acknowledgements. The header `x-ghost-acknowledge` needs one (`redact/policy.py`).
    missing = [a for a in sorted(ACKNOWLEDGEMENTS) if a not in redaction.override.acknowledgements]
    if missing:
        raise CallNotPermitted("To switch redaction off, acknowledge what that means.", {"missing": missing})
    return True
