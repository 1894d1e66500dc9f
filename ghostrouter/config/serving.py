"""Configuration of answers: telemetry, sessions, journal, event store."""

import os
from typing import Literal

from pydantic import Field

from ghostrouter.config.section import Database, Section
from ghostrouter.errors import ConfigError


class FrameLimits(Section):
    """How tokens leave an engine replica."""

    hold_tokens: int = Field(default=32, ge=0, description="most tokens to hold while the risk is raised")
    frames_per_s: float = Field(
        default=250, gt=0, description="frames of all segments of a replica together; above it frames get larger"
    )
    most_gap_s: float = Field(
        default=0.5, gt=0, description="longest time between two frames of a segment, however many segments are running"
    )


class Logs(Section):
    """What the deployments log. No prompt, no answer and no key is ever logged."""

    format: Literal["console", "json"] = Field(
        default="console", description="json: one object a line, with `event`, `fields`, `session` and `trace`"
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="info has one line for each session that ends"
    )


class Telemetry(Section):
    """How signals travel to telemetry, and how tokens leave an engine replica."""

    shards: int = Field(default=1, ge=1, le=64)
    flush_interval_s: float = Field(
        default=0.25,
        gt=0,
        description="time between two reports of a replica, which hold the signals of all its segments",
    )
    timeout_s: float = Field(
        default=2.0, gt=0, description="a shard that takes longer counts as down, and the report is lost"
    )
    frames: FrameLimits = FrameLimits()


class Sessions(Section):
    """The limits of one answer."""

    max_handoffs: int = Field(default=12, ge=0)
    hand_back: bool = Field(default=True, description="return to the cheaper model when the risk is low")
    expected_stall_s: float = Field(
        default=0.1, ge=0, description="assumed duration of a change of model, where a second has a worth"
    )
    max_failures: int = Field(
        default=4,
        ge=0,
        description="failed engines and refused seams in one answer; with one more the answer fails",
    )
    warm_from_s: float = Field(
        default=0.05,
        ge=0,
        description="prepare the next model while the risk is raised if its prefill takes at least this time",
    )
    first_token_s: float = Field(
        default=60.0, gt=0, description="an engine without a first token after this time has failed"
    )
    headers_after_s: float = Field(
        default=5.0,
        ge=0,
        description="a stream's HTTP status waits this long for the first token or for a failure; then 200 is sent, "
        "with the session's id, and a later failure is an event",
    )
    stall_s: float = Field(
        default=20.0, gt=0, description="an engine without a token for this time in mid-answer has failed"
    )
    hard_timeout_s: float = Field(default=1200.0, gt=0, description="an answer that takes longer is stopped")
    cloud_attempts: int = Field(default=2, ge=1, description="calls of one cloud model in one answer")
    hedge_after_s: float | None = Field(
        default=None,
        gt=0,
        description="if a model has no token after this time, the next one of the plan is asked too, and the first to "
        "write continues; null: never",
    )
    retry_base_s: float = Field(
        default=0.25, ge=0, description="the first wait is random, up to this time; the limit doubles each time"
    )
    retry_most_s: float = Field(
        default=10.0, ge=0, description="longest wait; a provider that asks for a longer one is skipped"
    )
    max_body_bytes: int = Field(default=4_000_000, ge=1_000)
    body_s: float = Field(default=60.0, gt=0, description="a request body that takes longer is refused with 408")
    traces_kept: int = Field(
        default=10_000, ge=0, description="traces in the event store; the oldest are deleted first"
    )


class Journal(Section):
    """What is kept of a session, so that its stream can be resumed."""

    keep_s: float = Field(
        default=3600.0, ge=0, description="time after the last token; then resuming is answered with 410"
    )
    max_bytes: int = Field(
        default=1_000_000_000,
        ge=0,
        description="size of prompts, images and answers of all sessions; the oldest are deleted first. It bounds "
        "the `Replay` shards: a server at `url` has its own limit (`maxmemory`, best with `volatile-ttl`)",
    )
    shards: int = Field(default=1, ge=1, le=64, description="`Replay` deployments that share the sessions")
    lease_s: float = Field(
        default=3.0,
        ge=0.1,
        description="if a writer does not renew its lease for this time, another one may claim the session; it renews "
        "three times as often",
    )
    patience_s: float = Field(
        default=0.25,
        ge=0,
        description="longest time that a token waits for the journal; in an outage it waits only once",
    )
    url: str | None = Field(
        default=None,
        description="a Valkey or Redis server that keeps the sessions, such as valkey://host:6379/0, so that they "
        "outlive all GhostRouter processes; it counts against the limits of keys, too",
    )
    url_env: str | None = Field(default=None, description="environment variable that holds the URL")

    @property
    def server(self) -> str | None:
        """The URL of the server; None: sessions are kept in memory.

        Raises:
            ConfigError: the environment variable is not set, or the URL has another scheme.
        """
        url = os.environ.get(self.url_env) if self.url_env else self.url
        if self.url_env and not url:
            raise ConfigError(f"journal.url_env: the environment variable {self.url_env} is not set")
        if url and not url.startswith(("valkey://", "valkeys://", "redis://", "rediss://", "unix://")):
            raise ConfigError("journal.url: must begin with valkey://, valkeys://, redis://, rediss:// or unix://")
        return url


class Events(Database):
    """Where traces, feedback and jobs are kept, what they contain, and for how long."""

    KEY = "events"

    jobs_keep_s: float = Field(default=86_400.0, gt=0, description="time for which the result of a job is kept")
    max_jobs: int = Field(
        default=10_000, ge=1, description="jobs of all callers; the oldest finished ones are deleted first"
    )
    keep_days: float = Field(default=90.0, gt=0, description="age in days at which events are deleted")
    keep_texts: bool = Field(
        default=False,
        description="keep prompts and answers, to train on them; else only digests and lengths of them are kept",
    )
    max_spool_bytes: int = Field(
        default=256_000_000, ge=0, description="size of the spool, which keeps rows while the database is down"
    )
    retry_s: float = Field(default=5.0, gt=0, description="time between two tries while the database is down")
