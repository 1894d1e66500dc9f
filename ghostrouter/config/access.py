"""Configuration of keys, budgets and redaction."""

import os
from collections.abc import Iterator
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from ghostrouter.access.budget import Scope, Window
from ghostrouter.access.keys import Caller, Priority, Right, digest
from ghostrouter.config.section import NAME, Database, Section
from ghostrouter.errors import ConfigError
from ghostrouter.redact.policy import Discretion, Mode


class Limits(Section):
    """The limits of a key. A limit that is not set does not apply."""

    requests_per_minute: int | None = Field(
        default=None, ge=1, description="a token bucket: it refills evenly, and a burst may use all of it"
    )
    concurrent_requests: int | None = Field(
        default=None, ge=1, description="a request counts until the last byte of its answer"
    )
    max_body_bytes: int | None = Field(
        default=None, ge=1_000, description="if it is lower than sessions.max_body_bytes"
    )


class Rights(Section):
    """What a key may be used for."""

    team: str = Field(default="", description="the team whose budgets it shares")
    project: str = Field(default="", description="the project whose budgets and overrides it shares")
    organisation: str = Field(default="", description="the organisation whose budgets and overrides it shares")
    scopes: tuple[Right, ...] = Field(
        default=("call", "feedback"),
        description="call: ask for answers and read one's own; feedback: rate them; admin: status, metrics, dashboard",
    )
    priority: Priority = Field(default="normal", description="who is refused first when the service is overloaded")
    models: tuple[str, ...] = Field(default=("*",), description="models that the key allows; may have wildcards")
    tasks: tuple[str, ...] = Field(default=("*",), description="tasks that the key allows; may have wildcards")
    limits: Limits | None = Field(default=None, description="limits of this key, instead of access.limits")
    explore: bool = Field(default=True, description="nothing is tried out on requests with this key, if false")
    may_unredact: bool = Field(default=False, description="a request may ask for less redaction than configured")


class Key(Rights):
    """An API key, given by its SHA-256 in hexadecimal or by the environment variable that holds it."""

    name: str = Field(pattern=NAME, description="the name of the key in budgets, metrics and the event store")
    sha256: str | None = Field(default=None, pattern="^[0-9a-fA-F]{64}$", description="printf %s KEY | sha256sum")
    env: str | None = Field(default=None, description="the environment variable that holds the key")

    @model_validator(mode="after")
    def _known(self) -> Self:
        if (self.sha256 is None) == (self.env is None):
            raise ValueError("exactly one of `sha256` and `env` is needed")
        return self


class Jwt(Section):
    """JSON Web Tokens that are accepted as keys, such as those of an OpenID Connect provider."""

    issuer: str = Field(min_length=1, description="the `iss` that a token must have")
    audience: str = Field(min_length=1, description="the `aud` that a token must have")
    jwks_url: str | None = Field(
        default=None,
        pattern=r"^(https://|http://(127\.0\.0\.1|localhost|\[::1\])[:/])",
        description="where the issuer's public keys are; default: as its /.well-known/openid-configuration says",
    )
    algorithms: tuple[Literal["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"], ...] = ("RS256", "ES256")
    name_claim: str = Field(
        default="sub", description="the claim that names the caller; in budgets and limits it is jwt:NAME"
    )
    scopes_claim: str | None = Field(
        default=None, description="the claim with the scopes, such as scope; null: those of `rights`"
    )
    team_claim: str | None = Field(default=None, description="the claim with the team; null: that of `rights`")
    leeway_s: float = Field(default=30.0, ge=0, description="how far the issuer's clock may be off")
    rights: Rights = Field(default=Rights(), description="what every token may be used for")

    @model_validator(mode="after")
    def _keys_can_be_found(self) -> Self:
        if self.jwks_url is None and not self.issuer.startswith("https://"):
            raise ValueError("`jwks_url` is needed if `issuer` does not begin with https://")
        return self


class Access(Database):
    """Who may call. Without keys everybody may call, without limits."""

    KEY = "access"

    keys: tuple[Key, ...] = ()
    required: bool = Field(default=False, description="nobody may call without a key, even if no key was made yet")
    jwt: Jwt | None = None
    refresh_s: float = Field(
        default=1.0, gt=0, description="how often an ingress looks for keys that were created or revoked"
    )
    limits: Limits = Field(default=Limits(), description="limits of every key")
    max_running: int | None = Field(
        default=None,
        ge=1,
        description="most requests that an ingress serves at a time; above it they wait, and 429 is answered. Requests "
        "of priority low may use 70 % of them, normal ones 90 %, high ones all",
    )
    max_wait_s: float = Field(
        default=1.0,
        ge=0,
        description="longest time that a request waits for one of `max_running` places; those of high priority come "
        "first. As many may wait as there are places",
    )
    lease_s: float = Field(default=1_800.0, gt=0, description="a call that never ends counts as running for this time")
    hosts: tuple[str, ...] = Field(
        default=(),
        description="names by which clients may call the service, such as api.example.com or *.example.com; empty: "
        "any name if keys are needed, else only IP addresses, localhost and names of a local network",
    )
    cors_origins: tuple[str, ...] = Field(
        default=(), description="of pages whose scripts may call this service, such as https://app.example; *: of any"
    )

    @property
    def is_locked(self) -> bool:
        """Whether a key is needed even if there is none yet."""
        return self.required or self.jwt is not None

    def callers(self) -> dict[str, Caller]:
        """The callers by the digests of their keys.

        Raises:
            ConfigError: an environment variable for a key is not set.
        """
        return {_digest(key): self.caller(key.name, key) for key in self.keys}

    def caller(self, name: str, rights: Rights) -> Caller:
        """The caller of that name with these rights."""
        limits = rights.limits or self.limits
        return Caller(
            name, rights.team, rights.models, rights.tasks, limits.max_body_bytes, limits.requests_per_minute,
            limits.concurrent_requests, rights.may_unredact, rights.project, rights.organisation, rights.scopes,
            rights.priority, rights.explore,
        )  # fmt: skip


class BudgetLimit(Section):
    """A budget: the highest amount in a calendar window."""

    scope: Scope
    name: str = Field(
        default="*",
        description="name of the key, team, project, organisation, model or provider; *: each one has its own budget",
    )
    window: Window = "month"
    usd: float = Field(ge=0)


class Budgets(Database):
    """Budgets. A call reserves its highest possible cost, and settles its real cost at the end."""

    KEY = "budgets"

    limits: tuple[BudgetLimit, ...] = ()
    time_zone: str = Field(default="UTC", description="time zone of the calendar windows, such as Europe/Berlin")
    lease_s: float = Field(default=60.0, gt=1, description="a call whose process is dead for this time is settled")

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"there is no time zone {name}") from None
        return name

    def fixed_changes(self, after: "Budgets") -> Iterator[tuple[str, Any, Any]]:
        """What differs of that which cannot change while the service runs: keys with their old and new values.

        Only limits can. The ledger is opened with the rest, and only if there are limits.
        """
        for key in Budgets.model_fields:
            old, new = getattr(self, key), getattr(after, key)
            if old != new and (key != "limits" or not self.limits):
                yield key, old, new


class Redaction(Section):
    """What is taken out of prompts for the cloud, and of answers."""

    mode: Mode = Field(
        default="auto",
        description="off: none; auto: prompts to cloud models whose trust is not `trusted`, and the data is put back "
        "into their answers; strict: prompts to all cloud models, and the answers to the client",
    )
    addresses: bool = Field(
        default=False,
        description="redact postal addresses too; they are hard to tell from other text, so some are missed and some "
        "other text is redacted",
    )

    def discretion(self) -> Discretion:
        """The redaction of a call that does not ask for another one."""
        return Discretion(self.mode, addresses=self.addresses)


def _digest(key: Key) -> str:
    if key.sha256:
        return key.sha256.lower()
    value = os.environ.get(key.env or "")
    if not value:
        raise ConfigError(f"access.keys.{key.name}.env: the environment variable {key.env} is not set")
    return digest(value)
