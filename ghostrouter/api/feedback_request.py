"""POST /v1/feedback: how a caller rates an answer."""

from dataclasses import dataclass
from typing import Any, Self

from pydantic import Field, model_validator

from ghostrouter.api.body import Body, parse


class _Feedback(Body):
    session: str = Field(min_length=1, max_length=128)
    rating: float | None = Field(default=None, ge=-1, le=1)
    label: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_.:-]{1,64}$")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.rating is None and self.label is None:
            raise ValueError("`rating` or `label` is needed")
        return self


@dataclass(frozen=True, slots=True)
class Feedback:
    """Valid feedback on the answer with the id `session`. `body`: a rating from -1 (bad) to 1 (good), or a label."""

    session: str
    body: dict[str, Any]


def from_wire(body: Any) -> Feedback:
    """Read a request body.

    Raises:
        InvalidRequest: the body is not valid feedback; the message names the field.
    """
    parsed = parse(_Feedback, body, (), {})
    return Feedback(parsed.session, {"rating": parsed.rating, "label": parsed.label})
