"""The calibration file of a model: what its signals mean and where its thresholds lie."""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ghostrouter.detect.hazard import Hazard, Weights
from ghostrouter.detect.remainder import Remainder
from ghostrouter.errors import ConfigError

__all__ = ["AlarmRate", "Calibration", "Remainder", "Risk", "Weights"]


class AlarmRate(BaseModel):
    """Alarms per token, true and false ones together, as they were when the model was calibrated.

    An alarm is a step in which risk reaches `handoff_risk`; the rest of that step is not counted. `spread` is the
    variance of a window's number of alarms over that of a Poisson process of the same rate: alarms of one answer come
    together.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    per_token: float = Field(ge=0)
    spread: float = Field(gt=0)


class Calibration(BaseModel):
    """Thresholds of one model, fitted from labelled traces of that model.

    Risk is the probability that a token is wrong. It is raised from `warm_risk` on and calms down after `quiet_tokens`
    tokens below `quiet_risk`; the gap between the two is the hysteresis. At `handoff_risk` the answer is handed off. A
    segment is calm enough to be handed back at a step boundary after `calm_tokens` tokens below `quiet_risk`.
    `remainder` says how likely the model is to go wrong in what it would write next, which is what a hand-back to it
    depends on, together with the `recall` of what does; `alarms` is what drift is measured against. At a handoff the
    answer is taken back to where risk rose (`rollback` is `onset`) or to the token that alarmed (`alarm`); `reasons`
    say with figures why that and the detector were chosen.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    hazard: Weights
    warm_risk: float = Field(ge=0, le=1)
    handoff_risk: float = Field(ge=0, description="above 1: never")
    quiet_risk: float = Field(ge=0, le=1)
    quiet_tokens: int = Field(ge=1)
    calm_tokens: int = Field(ge=0)
    rollback: Literal["onset", "alarm"] = "alarm"
    remainder: Remainder | None = None
    recall: float | None = Field(default=None, ge=0, le=1, description="share of onsets that raise an alarm")
    alarms: AlarmRate | None = None
    reasons: Mapping[str, str] = Field(default={}, description="of `detector` and `rollback`: in words and figures")
    fitted_on: str = Field(description="the traces behind these numbers, in words")

    @model_validator(mode="before")
    @classmethod
    def _without_screen(cls, told: Any) -> Any:
        """Older files tell a screen, which let replicas pass tokens before they were judged. Nothing needs one now."""
        return {k: v for k, v in told.items() if k != "screen"} if isinstance(told, dict) else told

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.quiet_risk <= self.warm_risk <= self.handoff_risk:
            raise ValueError("quiet_risk, warm_risk and handoff_risk must not fall")
        return self

    @classmethod
    def load(cls, path: Path) -> "Calibration":
        """Read a calibration file.

        Raises:
            ConfigError: the file is missing, is no JSON, lacks a field or contradicts itself.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise ConfigError(f"calibration file {path}: {error.strerror}") from error
        except ValidationError as error:
            raise ConfigError(f"calibration file {path}: {error}") from error

    @property
    def digest(self) -> str:
        """Tells one calibration from another."""
        return sha256(self.model_dump_json().encode()).hexdigest()[:16]

    def save(self, path: Path) -> None:
        """Write the file, a field a line."""
        fields = self.model_dump(mode="json")
        lines = (f" {json.dumps(name)}: {json.dumps(value)}" for name, value in fields.items())
        path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


class Risk(Hazard):
    """The calibrated detector of a model."""

    def __init__(self, calibration: Calibration) -> None:
        super().__init__(calibration.hazard)
