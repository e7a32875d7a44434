"""A network whose values are scores of classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .class_weights import class_factors, shown
from .fitting import NetworkEstimator
from .one_vs_rest import OneVsRest
from .problems import RadonTVProblem
from .problems.checks import refuse_overflow
from .problems.existence import check_existence
from .problems.losses import LogisticLoss
from .problems.multi_output import MultiOutputProblem
from .problems.vector.existence import check_outputs_exist
from .problems.vector.multinomial_loss import MultinomialLoss
from .scores import classes_of, log_probabilities_of, probabilities_of
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

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "loss": [StrOptions(set(CLASSIFICATION_LOSSES))],
        "label_smoothing": [StrOptions({"auto"}), Interval(Real, 0, 0.5, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def _checked(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, *, reset: bool
    ) -> TrainingData:
        """Return the rows of positive weight with class codes, weighted by class too."""
        data, classes = labelled_data(self, X, y, sample_weight, reset=reset)
        if reset:
            if len(classes) < 2:
                raise ValueError(
                    f"y has one class only, {shown(classes[0])}, among rows of positive weight; a "
                    "classifier needs at least two classes."
                )
            self.classes_ = classes
        unknown = ~np.isin(classes, self.classes_)
        if unknown.any():
            raise ValueError(
                f"y has the class {shown(classes[unknown][0])}, which fit has not seen; it knows "
                f"{', '.join(map(shown, self.classes_))}."
            )
        place = np.searchsorted(self.classes_, classes)
        codes, weights = place[data.targets.astype(np.intp)], data.weights
        if self.class_weight is not None:
            factors = class_factors(self.class_weight, self.classes_, codes, weights)
            weights = weights * factors[codes]
            refuse_overflow("sample_weight times class_weight", weights)
        return TrainingData(data.rows, codes.astype(np.float64), weights, data.live)

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

    def _foresee(self, parts: Iterable[TrainingData]) -> None:
        """Set `label_smoothing_`; "auto" smooths if one of the parts has no optimum without."""
        given = self.label_smoothing
        self.label_smoothing_ = 0.0 if given == "auto" else float(given)
        if self.loss != "logistic":
            if self.label_smoothing_ > 0.0:
                raise ValueError(
                    f"label_smoothing={given!r} belongs to loss='logistic'; leave it out with "
                    f"loss={self.loss!r}, which always has an optimum."
                )
        elif self.label_smoothing_ == 0.0 and not all(map(self._has_optimum, parts)):
            if given != "auto":
                raise ValueError(
                    f"label_smoothing={given!r} leaves no minimiser: an affine function separates "
                    "a class (or a fold has no row of it), so that the loss falls for ever as its "
                    f"coefficients grow; use 'auto' or {SMOOTHING:g}, or loss='squared_hinge'."
                )
            self.label_smoothing_ = SMOOTHING

    def _has_optimum(self, data: TrainingData) -> bool:
        """Return whether a minimiser exists without smoothed labels."""
        if len(np.unique(data.targets)) < len(self.classes_):
            return False  # the score of a class without rows falls for ever
        inputs = self._standardization(data).inputs(data.rows)
        problem = self._problem_with(inputs, data, 0.0)
        try:
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
