"""The views of a prompt for the learned router: its embedding, earlier layers of the encoder, counted features."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ghostrouter.classify.encoder import Layers
from ghostrouter.classify.features import features

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Views:
    """The views of prompts: `layers` of the encoder (prompts, depths, dimensions), and `counts` (prompts, features)."""

    layers: Layers
    counts: Matrix

    def take(self, index: npt.NDArray[np.intp]) -> "Views":
        """Some of the prompts."""
        return Views(self.layers[index], self.counts[index])


def view(prompts: Sequence[str], layers: Layers) -> Views:
    """The views of prompts whose `layers` are given."""
    return Views(layers, features(prompts).astype(np.float32))


@dataclass(frozen=True, slots=True)
class Scale:
    """Normalises views: an early layer without the mean of all prompts, a count divided by its standard deviation."""

    layer_means: Matrix
    count_mean: Matrix
    count_spread: Matrix

    @classmethod
    def fit(cls, views: Views) -> "Scale":
        """The normalisation of a training set."""
        means = views.layers.mean(0)
        means[-1] = 0  # the sentence embedding is used as it is
        return cls(means, views.counts.mean(0), views.counts.std(0) + np.float32(1e-6))

    def blocks(self, views: Views) -> list[Matrix]:
        """One matrix per layer, its rows of length 1, and the counts, clipped at four standard deviations."""
        centred = views.layers - self.layer_means
        centred /= np.maximum(np.linalg.norm(centred, axis=-1, keepdims=True), 1e-9)
        counts = np.clip((views.counts - self.count_mean) / self.count_spread, -4, 4) / 8
        return [*np.moveaxis(centred, 1, 0), counts.astype(np.float32)]


# Weight and sharpness of the kernel of each block: early layer, later layer, embedding, counts.
_KERNELS = ((0.25, 1.0), (0.30, 1.0), (0.25, 3.0), (0.20, 0.3))


def kernel(left: Sequence[Matrix], right: Sequence[Matrix], sharpness: float = 1.0) -> Matrix:
    """The similarity in [0, 1] of each pair of prompts, of shape (left, right): a weighted sum of one Gaussian
    per block. The Gaussians get narrower with `sharpness`.
    """
    total = np.zeros((len(left[0]), len(right[0])), dtype=np.float32)
    for a, b, (weight, gamma) in zip(left, right, _KERNELS, strict=True):
        distance = a @ b.T
        distance *= -2
        distance += (a * a).sum(1)[:, None] + (b * b).sum(1)[None]
        np.maximum(distance, 0, out=distance)
        distance *= -gamma * sharpness
        np.exp(distance, out=distance)
        distance *= weight
        total += distance
    return total
