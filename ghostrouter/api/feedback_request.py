"""POST /v1/feedback: how a caller rates an answer."""

from dataclasses import dataclass
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from ghostrouter.api.body import Body, Shape, parse

_RATINGS = {"up": 1.0, "down": -1.0}


class _Feedback(Body):
    session: str = Field(min_length=1, max_length=128)
    rating: float | None = Field(default=None, ge=-1, le=1)
    thumb: Literal["up", "down"] | None = None
    label: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_.:-]{1,64}$")
    correct_model: str | None = Field(default=None, min_length=1, max_length=128)
    correct_task: str | None = Field(default=None, min_length=1, max_length=128)
    preferred: str | None = Field(default=None, min_length=1, max_length=200_000)
    comment: str | None = Field(default=None, min_length=1, max_length=4_000)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if all(getattr(self, name) is None for name in type(self).model_fields if name != "session"):
            raise ValueError(
                "`rating` or `label` is needed, or one of `thumb`, `correct_model`, `correct_task`, `preferred` and "
                "`comment`"
            )
        if self.thumb and self.rating is not None:
            raise ValueError("`thumb` and `rating` say the same; leave one of them out")
        return self


@dataclass(frozen=True, slots=True)
class Feedback:
    """Valid feedback on the answer with the id `session`.

    `body` has the rating from -1 (bad) to 1 (good), of which `thumb` is a short form, and the label. It also has those
    of `correct_model`, `correct_task`, `preferred` (a better answer) and `comment` that were sent.
    """

    session: str
    body: dict[str, Any]


SHAPE = Shape(_Feedback)


def from_wire(body: Any) -> Feedback:
    """Read a request body.

    Raises:
        InvalidRequest: the body is not valid feedback; the message names the field.
    """
    parsed = parse(_Feedback, body, (), {})
    rating = _RATINGS[parsed.thumb] if parsed.thumb else parsed.rating
    more = ("correct_model", "correct_task", "preferred", "comment")
    told = {name: value for name in more if (value := getattr(parsed, name)) is not None}
    return Feedback(parsed.session, {"rating": rating, "label": parsed.label, **told})
