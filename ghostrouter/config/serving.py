"""The part of the configuration that says how answers are written, watched and kept."""

import os

from pydantic import Field

from ghostrouter.config.section import Database, Section
from ghostrouter.errors import ConfigError


class FrameLimits(Section):
    """How tokens leave an engine replica."""

    hold_tokens: int = Field(default=32, ge=0, description="held at most while risk is raised")
    frames_per_s: float = Field(
        default=250, gt=0, description="of all its segments together; more go into larger frames"
    )


class Telemetry(Section):
    """How signals travel to telemetry, and how tokens leave an engine replica."""

    shards: int = Field(default=1, ge=1, le=64)
    flush_interval_s: float = Field(
        default=0.25, gt=0, description="a replica reports the signals of all its segments so often"
    )
    timeout_s: float = Field(
        default=2.0, gt=0, description="a shard that takes longer is counted as down, and that report is lost"
    )
    frames: FrameLimits = FrameLimits()


class Sessions(Section):
    """What one request may use."""

    max_handoffs: int = Field(default=12, ge=0)
    hand_back: bool = Field(default=True, description="return to the cheaper model when the answer is calm")
    expected_stall_s: float = Field(
        default=0.1, ge=0, description="a change of model is taken to last so long, where a second has a worth"
    )
    max_failures: int = Field(default=4, ge=0, description="of engines, in one answer; then it fails")
    warm_from_s: float = Field(
        default=0.05, ge=0, description="prepare the next model while risk is raised if its prefill takes so long"
    )
    first_token_s: float = Field(default=60.0, gt=0, description="an engine without a token after that has failed")
    headers_after_s: float = Field(
        default=5.0,
        ge=0,
        description="a stream's HTTP status waits so long for the first token or for a failure; then 200 is sent "
        "anyway, with the session's id, and a later failure is an event",
    )
    stall_s: float = Field(default=20.0, gt=0, description="so has one that is silent for longer in mid-answer")
    hard_timeout_s: float = Field(default=1200.0, gt=0, description="an answer that takes longer is stopped")
    cloud_attempts: int = Field(default=2, ge=1, description="of one cloud model, in one answer")
    hedge_after_s: float | None = Field(
        default=None,
        gt=0,
        description="of a model without a token after that, the next one of the plan is asked as well, and whoever "
        "writes first goes on; null: never",
    )
    retry_base_s: float = Field(default=0.25, ge=0, description="the first wait is random, up to this; then twice that")
    retry_most_s: float = Field(
        default=10.0, ge=0, description="no wait is longer; a provider that asks for more is passed over"
    )
    max_body_bytes: int = Field(default=4_000_000, ge=1_000)
    traces_kept: int = Field(default=10_000, ge=0, description="in the event store; the oldest go first")


class Journal(Section):
    """What is kept of a session, so that a stream can be resumed."""

    keep_s: float = Field(default=3600.0, ge=0, description="after the last token; then resuming is answered with 410")
    max_bytes: int = Field(
        default=1_000_000_000,
        ge=0,
        description="of prompts, pictures and answers, all sessions together; the oldest go first. This bounds "
        "the `Replay` shards: a server at `url` has its own limit (`maxmemory`, best with `volatile-ttl`)",
    )
    shards: int = Field(default=1, ge=1, le=64, description="`Replay` deployments that share the sessions")
    lease_s: float = Field(
        default=3.0,
        ge=0.1,
        description="a writer that is silent for so long has lost its session to whoever claims it; it renews three "
        "times as often",
    )
    patience_s: float = Field(
        default=0.25, ge=0, description="a token waits at most so long to be written down, and once in an outage"
    )
    url: str | None = Field(
        default=None,
        description="a Valkey or Redis server that keeps the sessions instead, such as valkey://host:6379/0: they "
        "outlive GhostRouter's own processes",
    )
    url_env: str | None = Field(default=None, description="the environment variable that holds the URL instead")

    @property
    def server(self) -> str | None:
        """The URL of the server; None: sessions are kept in memory.

        Raises:
            ConfigError: the variable that should hold it is not set, or it names no such server.
        """
        url = os.environ.get(self.url_env) if self.url_env else self.url
        if self.url_env and not url:
            raise ConfigError(f"journal.url_env: the environment variable {self.url_env} is not set")
        if url and not url.startswith(("valkey://", "valkeys://", "redis://", "rediss://", "unix://")):
            raise ConfigError("journal.url: must begin with valkey://, valkeys://, redis://, rediss:// or unix://")
        return url


class Events(Database):
    """Where traces, feedback and jobs are kept."""

    KEY = "events"

    jobs_keep_s: float = Field(default=86_400.0, gt=0, description="a job's result is kept so long")
    max_jobs: int = Field(default=10_000, ge=1, description="of all callers; the oldest finished ones go first")
    max_spool_bytes: int = Field(default=256_000_000, ge=0, description="of what waits while the database is down")
    retry_s: float = Field(default=5.0, gt=0, description="a database that is down is tried again after so long")
