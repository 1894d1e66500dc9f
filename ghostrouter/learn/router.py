"""The learned router predicts, for each model, the probability of a good answer before a model is asked.

Three predictors are stacked: a Gaussian process (kernel ridge regression; Rasmussen & Williams 2006, section 2.2); the
same process for the kind of the question, with the success rate of each model on that kind; and the nearest neighbours.
Their leave-one-out predictions on the training rows have a closed form (ibid. 5.4.2). On these predictions, one
logistic regression per model learns the weights of the three. Its probabilities are therefore calibrated.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ghostrouter.classify.encoder import Layers
from ghostrouter.errors import ConfigError
from ghostrouter.learn.rows import Rows
from ghostrouter.learn.views import Matrix, Scale, Views, kernel, view

FORMAT = "ghostrouter-router-1"
SHARPNESS = 8.0
_PRIOR_ROWS = 20.0
_MAX_ROWS = 8_000


@dataclass(frozen=True, slots=True)
class Settings:
    """What is not learned.

    * `sharpness` narrows the Gaussians of the kernel.
    * `noise` is noise variance / prior variance of the process. It is high because one right answer tells little of a
      question.
    * `neighbours` are asked.
    """

    sharpness: float = 1.0
    noise: float = 10.0
    neighbours: int = 60


USUAL = Settings()


@dataclass(frozen=True, slots=True)
class LearnedRouter:
    """A fitted router.

    * `support`: the blocks of the training rows (`Scale.blocks`); `good`: their outcomes, of shape (rows, models).
    * `weights` (rows, models + kinds) and `means` (models + kinds) are those of the Gaussian process.
    * `rates` (kinds, models) are the success rates of the models on each kind of question.
    * `stack` (models, predictors + 1) are the weights and the intercept of the logistic regressions.
    """

    models: tuple[str, ...]
    scale: Scale
    support: list[Matrix]
    good: Matrix
    weights: Matrix
    means: Matrix
    rates: Matrix
    stack: Matrix
    settings: Settings = USUAL

    @classmethod
    def fit(cls, rows: Rows, views: Views, settings: Settings = USUAL) -> "LearnedRouter":
        """Fit a router to rows.

        An unknown outcome is replaced by the mean of the model, and left out of the calibration. Of more than 8,000
        rows a fixed sample is used, because memory grows with the square of their number.

        Raises:
            ConfigError: a model has no known outcome.
        """
        if len(rows.prompts) > _MAX_ROWS:
            chosen = np.random.default_rng(0).permutation(len(rows.prompts))[:_MAX_ROWS]
            rows, views = rows.take(chosen), views.take(chosen)
        known = ~np.isnan(rows.good)
        if not known.any(0).all():
            raise ConfigError("every model needs at least one judged answer")
        average = np.nanmean(rows.good, axis=0)
        good = np.where(known, rows.good, average).astype(np.float32)
        kinds = sorted(set(rows.groups))
        kind = np.array([kinds.index(g) for g in rows.groups])
        member = np.eye(len(kinds), dtype=np.float32)[kind]
        scale = Scale.fit(views)
        support = scale.blocks(views)
        likeness = kernel(support, support, settings.sharpness)
        targets = np.concatenate([good, member], axis=1)
        means = targets.mean(0)
        weights, left_out = _process(likeness, targets - means, settings.noise)
        counts = member.sum(0)[:, None]
        rates = (member.T @ good + _PRIOR_ROWS * good.mean(0)) / (counts + _PRIOR_ROWS)
        np.fill_diagonal(similar := support[-2] @ support[-2].T, -2.0)
        predictions = _predictions(
            left_out + means, rates, _nearest(similar, good, settings.neighbours), len(rows.models)
        )
        stack = np.stack([_logistic(predictions[:, m], rows.good[:, m]) for m in range(len(rows.models))])
        return cls(rows.models, scale, support, good, weights, means, rates, stack.astype(np.float32), settings)

    def probabilities(self, views: Views) -> npt.NDArray[np.float64]:
        """The probability of a good answer, of shape (prompts, models)."""
        blocks = self.scale.blocks(views)
        predicted = kernel(blocks, self.support, self.settings.sharpness) @ self.weights + self.means
        nearest = _nearest(blocks[-2] @ self.support[-2].T, self.good, self.settings.neighbours)
        predictions = _predictions(predicted, self.rates, nearest, len(self.models))
        logits = np.einsum("pmo,mo->pm", predictions, self.stack[:, :-1]) + self.stack[:, -1]
        return np.asarray(1 / (1 + np.exp(-logits.astype(np.float64))))

    def by_model(self, prompt: str, layers: Layers) -> dict[str, float]:
        """The probability of a good answer by model. `layers` are the prompt's vectors, (depths, dimensions)."""
        found = self.probabilities(view([prompt], layers[None]))[0]
        return dict(zip(self.models, map(float, found), strict=True))

    def save(self, path: Path) -> None:
        """Write a safetensors file. It holds numbers and names, and nothing that could be executed."""
        from safetensors.numpy import save_file

        arrays = {
            "layer_means": self.scale.layer_means,
            "count_mean": self.scale.count_mean,
            "count_spread": self.scale.count_spread,
            **{f"support.{i}": block for i, block in enumerate(self.support)},
            **{name: getattr(self, name) for name in _ARRAYS},
        }
        about = {"format": FORMAT, "models": json.dumps(self.models), "settings": json.dumps(asdict(self.settings))}
        save_file({k: np.ascontiguousarray(v, dtype=np.float32) for k, v in arrays.items()}, path, about)

    @classmethod
    def load(cls, path: Path) -> "LearnedRouter":
        """Read a file that `save` has written.

        Raises:
            ConfigError: the file is missing or is not such a file.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, "np") as file:
                about = file.metadata() or {}
                if about.get("format") != FORMAT:
                    raise ConfigError(f"{path}: the file does not have the format {FORMAT}")
                arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            scale = Scale(arrays["layer_means"], arrays["count_mean"], arrays["count_spread"])
            support = [arrays[f"support.{i}"] for i in range(sum(k.startswith("support.") for k in arrays))]
            settings = Settings(**json.loads(about.get("settings", "{}")))
            models = tuple(json.loads(about["models"]))
            fitted = {name: arrays[name] for name in _ARRAYS}
            return cls(models, scale, support, **fitted, settings=settings)
        except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
            raise ConfigError(f"{path}: this is not a learned router: {error}") from error


_ARRAYS = ("good", "weights", "means", "rates", "stack")


def _process(likeness: Matrix, targets: Matrix, noise: float) -> tuple[Matrix, Matrix]:
    """The weights of the process, and its leave-one-out predictions of the training rows."""
    from scipy.linalg import lapack

    likeness[np.diag_indices_from(likeness)] += noise
    factor, info = lapack.spotrf(likeness, lower=1, overwrite_a=1, clean=1)
    inverse, info_inverse = lapack.spotri(factor, lower=1, overwrite_c=1)
    if info or info_inverse:
        raise ConfigError("the prompts cannot be told apart numerically")
    diagonal = inverse.diagonal().copy()
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    weights = (inverse @ targets).astype(np.float32)
    return weights, targets - weights / diagonal[:, None]


def _nearest(similar: Matrix, good: Matrix, neighbours: int) -> Matrix:
    """The mean outcome of the nearest rows, of shape (prompts, models).

    For training rows the diagonal of `similar` must be below -1, so that a row is not its own neighbour.
    """
    count = min(neighbours, similar.shape[1])
    if count == similar.shape[1]:
        return np.repeat(good.mean(0, keepdims=True), len(similar), axis=0)
    nearest = np.argpartition(-similar, count, axis=1)[:, :count]
    return np.asarray(good[nearest].mean(1), dtype=np.float32)


def _predictions(process: Matrix, rates: Matrix, nearest: Matrix, models: int) -> Matrix:
    """The predictions of the three predictors, of shape (prompts, models, 3)."""
    belongs = np.exp(SHARPNESS * (process[:, models:] - process[:, models:].max(1, keepdims=True)))
    belongs /= belongs.sum(1, keepdims=True)
    return np.stack([process[:, :models], belongs @ rates, nearest], axis=2)


def _logistic(predictions: Matrix, good: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The weights of the predictors, none below zero, and the intercept. Outcomes are in [0, 1], or NaN if unknown."""
    from scipy.optimize import minimize
    from scipy.special import expit

    known = ~np.isnan(good)
    x, y = predictions[known].astype(np.float64), good[known]
    centre, spread = x.mean(0), x.std(0) + 1e-9
    z = (x - centre) / spread

    def loss(w: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        logits = z @ w[:-1] + w[-1]
        wrong = expit(logits) - y
        value = np.logaddexp(0, logits).sum() - y @ logits + 0.5 * w[:-1] @ w[:-1]
        return float(value), np.append(z.T @ wrong + w[:-1], wrong.sum())

    bounds = [(0, None)] * z.shape[1] + [(-10, 10)]
    w = minimize(loss, np.full(z.shape[1] + 1, 0.1), jac=True, bounds=bounds, method="L-BFGS-B").x
    return np.append(w[:-1] / spread, w[-1] - (w[:-1] / spread) @ centre)
