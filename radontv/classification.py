"""A network whose values are scores of classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils import compute_class_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .fitting import NetworkEstimator
from .one_vs_rest import OneVsRest
from .problems import RadonTVProblem
from .problems.checks import refuse_overflow
from .problems.existence import check_existence
from .problems.losses import LogisticLoss
from .problems.multi_output import MultiOutputProblem
from .problems.vector.existence import check_outputs_exist
from .problems.vector.multinomial_loss import MultinomialLoss
from .solving import FitProblem
from .training_data import TrainingData, labelled_data

Array = NDArray[np.float64]

CLASSIFICATION_LOSSES = ("logistic", "hinge", "squared_hinge")
SMOOTHING = 0.01
"""What label_smoothing="auto" stands for if there is no optimum without."""


def _is_logistic(estimator: NetworkClassifier) -> bool:
    """Return True, or raise an AttributeError that says why there are no probabilities."""
    if estimator.loss != "logistic":
        raise AttributeError(
            f"loss={estimator.loss!r} gives scores but no probabilities; use loss='logistic', or "
            "decision_function."
        )
    return True


class NetworkClassifier(ClassifierMixin, NetworkEstimator):
    """A network for classes.

    Subclasses have the parameters `loss`, `label_smoothing` and `class_weight`.
    """

    loss: str
    label_smoothing: float | str
    class_weight: Mapping[Any, float] | str | None

    def _checked(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, *, reset: bool
    ) -> TrainingData:
        """Return the rows of positive weight with class codes, weighted by class too."""
        data, classes = labelled_data(self, X, y, sample_weight, reset=reset)
        if reset:
            if len(classes) < 2:
                raise ValueError(
                    f"y has one class only, {_shown(classes[0])}, among rows of positive weight; a "
                    "classifier needs at least two classes."
                )
            self.classes_ = classes
        unknown = ~np.isin(classes, self.classes_)
        if unknown.any():
            raise ValueError(
                f"y has the class {_shown(classes[unknown][0])}, which fit has not seen; it knows "
                f"{', '.join(map(_shown, self.classes_))}."
            )
        place = np.searchsorted(self.classes_, classes)
        codes = place[data.targets.astype(np.intp)].astype(np.float64)
        if self.class_weight is None:
            return TrainingData(data.rows, codes, data.weights, data.live)
        weights = data.weights * self._class_factors(codes, data.weights)
        refuse_overflow("sample_weight times class_weight", weights)
        return TrainingData(data.rows, codes, weights, data.live)

    def _class_factors(self, codes: Array, weights: Array) -> Array:
        """Return the factor of each row; "balanced" gives all classes the same total weight."""
        places, count = codes.astype(np.intp), len(self.classes_)
        if isinstance(self.class_weight, str):
            sums = np.bincount(places, weights=weights, minlength=count)
            factors = weights.sum() / (count * np.where(sums > 0.0, sums, 1.0))
        else:
            factors = compute_class_weight(
                self.class_weight, classes=self.classes_, y=self.classes_[places]
            )
        if not (np.isfinite(factors) & (factors > 0.0)).all():
            worst = int(np.argmin(np.isfinite(factors) & (factors > 0.0)))
            raise ValueError(
                f"class_weight gives the class {_shown(self.classes_[worst])} the weight "
                f"{factors[worst]:g}; weights must be finite and > 0, so leave out rows of classes "
                "that shall not count."
            )
        of_rows: Array = factors[places]
        return of_rows

    def _problem(self, inputs: Array, data: TrainingData) -> FitProblem:
        """Return the problem with alpha = 1."""
        return self._problem_with(inputs, data, self.label_smoothing_)

    def _problem_with(self, inputs: Array, data: TrainingData, smoothing: float) -> FitProblem:
        """Return the problem of class codes for these smoothed labels."""
        count, loss = len(self.classes_), self.loss
        signs, s = 2.0 * data.targets - 1.0, data.weights
        if loss == "logistic" and count == 2:
            return RadonTVProblem(inputs, signs, 1.0, LogisticLoss(smoothing), s)
        if loss == "logistic":
            many: Any = MultinomialLoss(smoothing, n_classes=count)
            return MultiOutputProblem(inputs, data.targets, 1.0, many, s)
        if count == 2:
            return RadonTVProblem(inputs, signs, 1.0, loss, s)  # type: ignore[arg-type]
        return OneVsRest.of(inputs, data.targets, count, loss, s)

    def _settle_smoothing(self, parts: list[TrainingData]) -> None:
        """Set `label_smoothing_`; "auto" smooths if one of the parts has no optimum without."""
        if self.label_smoothing != "auto":
            self.label_smoothing_ = float(self.label_smoothing)
            if self.loss != "logistic" and self.label_smoothing_ > 0.0:
                raise ValueError(
                    f"label_smoothing={self.label_smoothing!r} belongs to loss='logistic'; leave "
                    f"it out with loss={self.loss!r}, which always has an optimum."
                )
            return
        self.label_smoothing_ = 0.0
        if self.loss == "logistic" and not all(map(self._has_optimum, parts)):
            self.label_smoothing_ = SMOOTHING

    def _has_optimum(self, data: TrainingData) -> bool:
        """Return whether a minimiser exists without smoothed labels."""
        # A question of affine functions, which the units of the inputs do not change.
        try:
            problem = self._problem_with(data.rows, data, 0.0)
            if isinstance(problem, MultiOutputProblem):
                check_outputs_exist(problem)
            elif isinstance(problem, RadonTVProblem):
                check_existence(problem)
        except ValueError:
            return False
        return True

    def decision_function(self, X: ArrayLike) -> Array:
        """Return scores: of class `classes_[1]` against the other, or of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs in original units.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Scores; the class of the highest one is predicted, of two `classes_[1]` if it is > 0.
        """
        return self._values(X)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the class with the highest score.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs in original units.

        Returns
        -------
        ndarray of shape (n_samples,)
            Members of `classes_`.
        """
        check_is_fitted(self)
        classes: NDArray[Any] = self.classes_[classes_of(self.decision_function(X))]
        return classes

    @available_if(_is_logistic)
    def predict_proba(self, X: ArrayLike) -> Array:
        """Return the probabilities of the classes, for loss="logistic" only.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs in original units.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            sigma(f) for two classes, otherwise softmax(f).
        """
        return probabilities_of(self.decision_function(X))

    @available_if(_is_logistic)
    def predict_log_proba(self, X: ArrayLike) -> Array:
        """Return the logarithms of the probabilities, without underflow.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs in original units.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Logarithms of `predict_proba`.
        """
        return log_probabilities_of(self.decision_function(X))


def _shown(label: Any) -> str:
    """Return a label as its author would write it."""
    return repr(label.item() if isinstance(label, np.generic) else label)


def classes_of(scores: Array) -> NDArray[np.intp]:
    """Return the codes of the predicted classes, (n,)."""
    codes = scores > 0.0 if scores.ndim == 1 else scores.argmax(axis=1)
    return codes.astype(np.intp)


def probabilities_of(scores: Array) -> Array:
    """Return the probabilities (n, C) that scores (n,) or (n, C) stand for."""
    if scores.ndim == 1:
        return np.column_stack([expit(-scores), expit(scores)])
    return np.asarray(softmax(scores, axis=1))


def log_probabilities_of(scores: Array) -> Array:
    """Return the logarithms of the probabilities (n, C)."""
    if scores.ndim == 1:
        return np.column_stack([log_expit(-scores), log_expit(scores)])
    return np.asarray(log_softmax(scores, axis=1))
