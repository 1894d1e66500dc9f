"""The calibration file of a model: its detector and its thresholds."""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ghostrouter.detect.answer_risk import AnswerRisk
from ghostrouter.detect.hazard import Hazard, Weights
from ghostrouter.detect.remainder import Remainder
from ghostrouter.errors import ConfigError

__all__ = ["AlarmRate", "AnswerRisk", "Calibration", "Remainder", "Risk", "Weights"]


class AlarmRate(BaseModel):
    """The rate of alarms, true and false, at calibration. Drift is measured against it.

    A step raises one alarm at most; its tokens after the alarm do not count. `spread` is the variance of the number of
    alarms divided by that of a Poisson process with the same rate. It is above 1 if alarms come in clusters.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    per_token: float = Field(ge=0)
    spread: float = Field(gt=0)


class Calibration(BaseModel):
    """The detector and the thresholds of one model, fitted to labelled traces of that model.

    Risk is the probability that a token is wrong. It counts as raised from the first token at `warm_risk` or above,
    until `quiet_tokens` tokens in a row are below `quiet_risk` (hysteresis). At `handoff_risk` or above, the answer is
    handed off. The answer is then cut where risk rose (`rollback` is `onset`) or at the token that raised the alarm
    (`alarm`). A segment may be handed back at a step boundary after `calm_tokens` tokens in a row below `quiet_risk`.
    The value of a hand-back to this model follows from `remainder`, how likely it is to go wrong in the rest of the
    answer, and from `recall`, the share of those errors that raise an alarm. `answer` judges whole answers beside it.
    `reasons` gives the figures behind the choice of detector and rollback.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    hazard: Weights
    warm_risk: float = Field(ge=0, le=1)
    handoff_risk: float | None = Field(ge=0, le=1, description="null: the model never hands off by itself")
    quiet_risk: float = Field(ge=0, le=1)
    quiet_tokens: int = Field(ge=1)
    calm_tokens: int = Field(ge=0)
    rollback: Literal["onset", "alarm"] = "alarm"
    remainder: Remainder | None = None
    recall: float | None = Field(default=None, ge=0, le=1, description="share of onsets that raise an alarm, 0 to 1")
    alarms: AlarmRate | None = None
    answer: AnswerRisk | None = Field(default=None, description="what judges whole answers; null: nothing does")
    reasons: Mapping[str, str] = Field(default={}, description="why this `detector` and this `rollback` were chosen")
    fitted_on: str = Field(description="which traces the numbers come from")

    @model_validator(mode="before")
    @classmethod
    def _of_older_files(cls, fields: Any) -> Any:
        """Older files have a `screen`, which is ignored. Their `handoff_risk` is above 1 if no risk hands off."""
        if not isinstance(fields, dict):
            return fields
        found = {k: v for k, v in fields.items() if k != "screen"}
        risk = found.get("handoff_risk")
        return found | {"handoff_risk": None} if isinstance(risk, int | float) and risk > 1 else found

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.quiet_risk <= self.warm_risk <= (1.0 if self.handoff_risk is None else self.handoff_risk):
            raise ValueError("quiet_risk must not exceed warm_risk, and warm_risk must not exceed handoff_risk")
        return self

    @classmethod
    def load(cls, path: Path) -> "Calibration":
        """Read a calibration file.

        Raises:
            ConfigError: the file is missing, is not JSON, lacks a field or contradicts itself.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise ConfigError(f"calibration file {path}: {error.strerror}") from error
        except ValidationError as error:
            raise ConfigError(f"calibration file {path}: {error}") from error

    @property
    def digest(self) -> str:
        """A digest that differs between calibrations."""
        return sha256(self.model_dump_json().encode()).hexdigest()[:16]

    def save(self, path: Path) -> None:
        """Write the file, one field per line."""
        fields = self.model_dump(mode="json")
        lines = (f" {json.dumps(name)}: {json.dumps(value)}" for name, value in fields.items())
        path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


class Risk(Hazard):
    """The detector of a calibration, as serving uses it."""

    def __init__(self, calibration: Calibration) -> None:
        super().__init__(calibration.hazard)
