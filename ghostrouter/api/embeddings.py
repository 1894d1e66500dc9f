"""POST /v1/embeddings: the request body, and the response."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BeforeValidator, Field

from ghostrouter.api.body import Body, Shape, parse
from ghostrouter.errors import InvalidRequest

_IGNORED = ("user", "safety_identifier", "metadata", "service_tier", "prompt_cache_key")
_MOST_TEXTS = 2048
_MOST_DIMENSIONS = 65_536

Vectors = npt.NDArray[np.float32]


def _as_texts(value: Any) -> Any:
    if isinstance(value, list) and value and not isinstance(value[0], str):
        raise ValueError("token ids are not supported here; send text")
    return [value] if isinstance(value, str) else value


class _Embeddings(Body):
    model: str
    input: Annotated[
        list[str],
        BeforeValidator(_as_texts, json_schema_input_type=str | list[str]),
        Field(min_length=1, max_length=_MOST_TEXTS),
    ]
    dimensions: int | None = Field(default=None, ge=1, le=_MOST_DIMENSIONS)
    encoding_format: Literal["float", "base64"] = "float"


@dataclass(frozen=True, slots=True)
class EmbeddingCall:
    """A valid request. Without `dimensions` the model's own number is wanted. `packed`: vectors go out as base64."""

    model: str
    texts: tuple[str, ...]
    dimensions: int | None
    packed: bool


@dataclass(frozen=True, slots=True)
class Embedded:
    """Vectors of shape (texts, dimensions), and how many tokens the texts have."""

    vectors: Vectors
    tokens: int


SHAPE = Shape(_Embeddings, _IGNORED)


def from_wire(body: Any) -> EmbeddingCall:
    """Read a request body.

    Raises:
        InvalidRequest: the body is not a valid request for embeddings; the message names the field.
    """
    parsed = parse(_Embeddings, body, _IGNORED, {})
    if not all(parsed.input):
        raise InvalidRequest("`input` must not have an empty text.")
    packed = parsed.encoding_format == "base64"
    return EmbeddingCall(parsed.model, tuple(parsed.input), parsed.dimensions, packed)


def to_wire(call: EmbeddingCall, embedded: Embedded) -> dict[str, Any]:
    """The response."""
    usage = {"prompt_tokens": embedded.tokens, "total_tokens": embedded.tokens}
    rows = _packed(embedded.vectors) if call.packed else embedded.vectors.tolist()
    data = [{"object": "embedding", "index": i, "embedding": row} for i, row in enumerate(rows)]
    return {"object": "list", "data": data, "model": call.model, "usage": usage}


def _packed(vectors: Vectors) -> list[str]:
    """Each vector as base64 of little-endian 32-bit floats, as OpenAI's clients ask for it."""
    return [base64.b64encode(row.astype("<f4").tobytes()).decode() for row in vectors]


def of_provider(body: Any, texts: Sequence[str]) -> Embedded:
    """Read the response of a provider to `texts`.

    Raises:
        ValueError: it is not one vector of the same length for each text.
    """
    try:
        rows = sorted(body["data"], key=lambda row: row["index"])
        vectors = np.array([_vector(row["embedding"]) for row in rows], dtype=np.float32)
        usage = body.get("usage") or {}
        tokens = int(usage.get("prompt_tokens") or usage.get("total_tokens") or 0)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("the provider sent no embeddings") from error
    if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
        raise ValueError("the provider sent no embeddings")
    return Embedded(vectors, max(0, tokens))


def _vector(told: Any) -> Vectors | Any:
    return np.frombuffer(base64.b64decode(told), dtype="<f4") if isinstance(told, str) else told
