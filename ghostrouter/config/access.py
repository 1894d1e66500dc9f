"""The part of the configuration that says who may call, what may be spent and what may leave."""

import os
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from ghostrouter.access.budget import Scope, Window
from ghostrouter.access.keys import Caller, digest
from ghostrouter.config.section import NAME, Database, Section
from ghostrouter.errors import ConfigError
from ghostrouter.redact.policy import Discretion, Mode


class Limits(Section):
    """What a key may use; what is not said is not limited."""

    requests_per_minute: int | None = Field(
        default=None, ge=1, description="spread evenly, or all at once after a rest"
    )
    concurrent_requests: int | None = Field(default=None, ge=1, description="until the last byte of the answer")
    max_body_bytes: int | None = Field(default=None, ge=1_000, description="where less than sessions.max_body_bytes")


class Key(Section):
    """A key, known by its SHA-256 in hexadecimal or by the environment variable that holds it."""

    name: str = Field(pattern=NAME, description="what budgets, metrics and the event store call it")
    sha256: str | None = Field(default=None, pattern="^[0-9a-fA-F]{64}$", description="printf %s KEY | sha256sum")
    env: str | None = Field(default=None, description="the environment variable that holds the key")
    team: str = Field(default="", description="whose budgets it shares")
    project: str = Field(default="", description="whose budgets and overrides it shares, too")
    organisation: str = Field(default="", description="likewise")
    models: tuple[str, ...] = Field(default=("*",), description="it may use; with wildcards")
    tasks: tuple[str, ...] = Field(default=("*",), description="it may be used for; with wildcards")
    limits: Limits | None = Field(default=None, description="instead of access.limits")
    may_unredact: bool = Field(default=False, description="may have less redacted than configured, if it says so")

    @model_validator(mode="after")
    def _known(self) -> Self:
        if (self.sha256 is None) == (self.env is None):
            raise ValueError("one of `sha256` and `env` is needed")
        return self


class Access(Section):
    """Who may call. Without keys everybody may, unlimited."""

    keys: tuple[Key, ...] = ()
    limits: Limits = Field(default=Limits(), description="of each key")
    lease_s: float = Field(default=1_800.0, gt=0, description="a call that nobody has ended counts as running so long")

    def callers(self) -> dict[str, Caller]:
        """Callers by the digests of their keys.

        Raises:
            ConfigError: a variable that should hold a key is not set.
        """
        return {_digest(key): self._caller(key) for key in self.keys}

    def _caller(self, key: Key) -> Caller:
        limits = key.limits or self.limits
        return Caller(
            key.name, key.team, key.models, key.tasks, limits.max_body_bytes, limits.requests_per_minute,
            limits.concurrent_requests, key.may_unredact, key.project, key.organisation,
        )  # fmt: skip


class BudgetLimit(Section):
    """No more than so much in a window of the calendar."""

    scope: Scope
    name: str = Field(
        default="*", description="of the key, team, project, organisation, model or provider; *: of each one by itself"
    )
    window: Window = "month"
    usd: float = Field(ge=0)


class Budgets(Database):
    """What may be spent. A call reserves its worst case, and settles what it has cost."""

    KEY = "budgets"

    limits: tuple[BudgetLimit, ...] = ()
    time_zone: str = Field(default="UTC", description="whose midnight ends a window, such as Europe/Berlin")
    lease_s: float = Field(default=60.0, gt=1, description="a call whose process is gone for so long is settled")

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"no such time zone: {name}") from None
        return name


class Redaction(Section):
    """What is taken out of prompts for the cloud, and of answers."""

    mode: Mode = Field(
        default="auto",
        description="off: nothing; auto: what goes to models of the cloud that are not trusted, put back in their "
        "answers; strict: all that goes to any model of the cloud, and the answers to the client",
    )
    addresses: bool = Field(
        default=False,
        description="take out postal addresses, too; they are the hardest to tell from other text, so expect some of "
        "them to be missed and some other text to be taken for one",
    )

    def discretion(self) -> Discretion:
        """How a call is redacted that asks for nothing else."""
        return Discretion(self.mode, addresses=self.addresses)


def _digest(key: Key) -> str:
    if key.sha256:
        return key.sha256.lower()
    value = os.environ.get(key.env or "")
    if not value:
        raise ConfigError(f"access.keys.{key.name}.env: the environment variable {key.env} is not set")
    return digest(value)
