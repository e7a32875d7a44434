"""A network whose values, or their exponentials, are the predictions of numbers."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.metrics import d2_tweedie_score
from sklearn.utils import Tags
from sklearn.utils._param_validation import HasMethods, StrOptions

from .fitting import NetworkEstimator
from .problems import RadonTVProblem
from .problems.classification_losses import MarginLoss
from .problems.losses import Loss, get_loss
from .problems.multi_output import MultiOutputProblem
from .problems.poisson_loss import MOST_LOG, PoissonLoss
from .solving import FitProblem
from .training_data import TrainingData, training_data

Array = NDArray[np.float64]

REGRESSION_LOSSES = (
    "squared",
    "huber",
    "absolute",
    "quantile",
    "epsilon_insensitive",
    "poisson",
    "tube",
    "interpolation",
)
OUTPUT_NORMS = ("l2", "l1")


class NetworkRegressor(RegressorMixin, NetworkEstimator):
    """A network for numbers; subclasses have the parameters `loss` and `output_norm`."""

    loss: str | Loss
    output_norm: str

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "loss": [StrOptions(set(REGRESSION_LOSSES)), HasMethods(["value", "conjugate"])],
        "output_norm": [StrOptions(set(OUTPUT_NORMS))],
    }

    def _loss(self) -> Loss:
        """Return the loss as an object."""
        found = get_loss(self.loss)
        if isinstance(found, MarginLoss):
            raise ValueError(f"loss={found.name!r} is for two classes; use RadonTVClassifier.")
        return found

    def _checked(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, *, reset: bool
    ) -> TrainingData:
        """Return the rows of positive weight; targets are (n,), or (n, D) with D > 1."""
        several = True
        if isinstance(self._loss(), PoissonLoss):
            shape = np.asarray(y).shape
            several = len(shape) == 2 and shape[1] > 1
        data = training_data(self, X, y, sample_weight, reset=reset, multi_output=several)
        one_column = data.targets.ndim == 2 and data.targets.shape[1] == 1
        if reset:
            self._one_column = one_column
        else:
            self._refuse_other_outputs(data)
        if one_column:
            return TrainingData(data.rows, data.targets[:, 0], data.weights, data.live)
        return data

    def _refuse_other_outputs(self, data: TrainingData) -> None:
        """Raise a ValueError if the targets are not those of the network."""
        count = 1 if data.targets.ndim == 1 else data.targets.shape[1]
        known = self.standardized_network().n_outputs
        if count != known:
            raise ValueError(f"y has {count} outputs, but that of fit had {known}; pass that y.")

    def _problem(self, inputs: Array, data: TrainingData) -> FitProblem:
        """Return the problem with alpha = 1: of one output, or of several that share neurons."""
        if data.targets.ndim == 1:
            return RadonTVProblem(
                inputs, data.targets, 1.0, loss=self._loss(), sample_weight=data.weights
            )
        loss: Any = self._loss()
        return MultiOutputProblem(
            inputs, data.targets, 1.0, loss=loss, sample_weight=data.weights,
            output_norm=self.output_norm,
        )  # fmt: skip

    def predict(self, X: ArrayLike) -> Array:
        """Return f at the rows of X; for loss="poisson" the mean exp(f).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs in original units.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predicted targets; with the columns of `y` if that had columns.
        """
        means = self._means(self._values(X))
        return means[:, None] if self._one_column else means

    def _means(self, values: Array) -> Array:
        """Return predictions from values of the network."""
        if isinstance(self._loss(), PoissonLoss):
            return np.exp(np.minimum(values, MOST_LOG))
        return values

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return R^2; for loss="poisson" D^2, the same with deviances for squares.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs in original units.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            1 for a perfect prediction, 0 for the mean of `y`; the mean over outputs.
        """
        if not isinstance(self._loss(), PoissonLoss):
            return float(super().score(X, y, sample_weight))
        # exp(f) may vanish, and the deviance knows only means > 0.
        means = np.maximum(self.predict(X), np.finfo(np.float64).tiny)
        true = np.asarray(y, dtype=np.float64)
        if true.size != means.size or len(true) != len(means):
            raise ValueError(
                f"y has shape {true.shape}, but predictions have shape {means.shape}; pass the "
                "targets of the rows of X, with all outputs."
            )
        true = true.reshape(means.shape)
        found = []
        for own, mean in zip(np.atleast_2d(true.T), np.atleast_2d(means.T), strict=True):
            self._loss().check_targets(own)
            found.append(d2_tweedie_score(own, mean, sample_weight=sample_weight, power=1))
        return float(np.mean(found))

    def __sklearn_tags__(self) -> Tags:
        tags: Tags = super().__sklearn_tags__()
        loss = self.loss if isinstance(self.loss, str) else getattr(self.loss, "name", "")
        # Columns of counts work too, but the tag stands for columns of any numbers.
        tags.target_tags.multi_output = loss != "poisson"
        tags.target_tags.positive_only = loss == "poisson"
        return tags


def mean_loss(loss: Loss, targets: Array, values: Array) -> Array:
    """Return l(y, f) row by row, twice that for the squared loss, the mean over outputs."""
    factor = 2.0 if loss.quadratic else 1.0
    errors = factor * loss.value(targets, values)
    mean: Array = errors if errors.ndim == 1 else errors.mean(axis=1)
    return mean
