"""Encode many prompts, and keep the vectors in a file, because encoding takes minutes."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ghostrouter.classify.encoder import Encode, Layers

_BLOCK = 256


def embedded(
    prompts: Sequence[str],
    encoder: str,
    load: Callable[[str], Encode],
    folder: Path,
    tell: Callable[[str], None] = lambda line: None,
) -> Layers:
    """The vectors of prompts, of shape (prompts, depths, dimensions), from a file in `folder` if there is one.

    `load` makes the encoder of that name, only if it is needed. `tell` gets a line of progress after each block.
    """
    digest = hashlib.sha256("\0".join([encoder, *prompts]).encode()).hexdigest()[:20]
    path = folder / f"layers-{digest}.npy"
    if path.is_file():
        kept: Layers = np.load(path, allow_pickle=False).astype(np.float32)
        return kept
    encode = load(encoder)
    blocks = []
    for start in range(0, len(prompts), _BLOCK):
        blocks.append(encode(prompts[start : start + _BLOCK]))
        tell(f"encoded {min(start + _BLOCK, len(prompts))} of {len(prompts)} prompts")
    layers = np.concatenate(blocks)
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part.npy")
    np.save(unfinished, layers.astype(np.float16))
    unfinished.replace(path)
    return layers.astype(np.float16).astype(np.float32)
