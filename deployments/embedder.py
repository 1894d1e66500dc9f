"""A sentence-transformers model of one's own: texts to vectors."""

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np

from ghostrouter.api.embeddings import Embedded
from ghostrouter.classify.encoder import bundled


class Embedder:
    """Encodes texts with one model. `source` is a folder, or the id of a hub."""

    def __init__(self, source: str) -> None:
        from sentence_transformers import SentenceTransformer  # takes seconds to import, and only this process needs it

        self._model: Any = SentenceTransformer(bundled(source) or source)

    async def ping(self) -> None:
        """Answer, if the process is alive."""

    async def embed(self, texts: Sequence[str]) -> Embedded:
        """The vectors of some texts. Other calls are answered meanwhile."""
        return await asyncio.to_thread(self._embed, list(texts))

    def _embed(self, texts: list[str]) -> Embedded:
        vectors = self._model.encode(texts, convert_to_numpy=True, show_progress_bar=False)
        most = self._model.max_seq_length or 1 << 30
        tokens = sum(min(len(ids), most) for ids in self._model.tokenizer(texts)["input_ids"])
        return Embedded(np.asarray(vectors, dtype=np.float32), tokens)
