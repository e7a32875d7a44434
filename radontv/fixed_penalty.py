"""An estimator whose penalty is given, or a multiple of the least one with an affine fit."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar, Self

from numpy.typing import ArrayLike
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval

from .default_penalty import alpha_for, largest_alpha
from .fitting import NetworkEstimator, restored_on_failure
from .problems import RidgeSpline
from .solving import FitProblem
from .standardization import Standardization


class FixedPenalty(NetworkEstimator):
    """An estimator with the parameters `alpha` and `warm_start`."""

    alpha: float | None
    warm_start: bool

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "alpha": [None, Interval(Real, 0, None, closed="neither")],
        "warm_start": ["boolean"],
        **NetworkEstimator._parameter_constraints,
    }

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.
        y : array-like of shape (n_samples,), for regression also (n_samples, n_outputs)
            Numbers; for classification at least two classes of any type.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0; only their ratios matter. Weight 0 is a removed row, weight 2 a
            repeated one.

        Returns
        -------
        object
            The fitted estimator itself. A fit that fails leaves it as it was.
        """
        with restored_on_failure(self):
            data = self._checked(X, y, sample_weight, reset=True)
            self._foresee([data])
            problem, change = self._prepared(data)
            alpha = self.alpha or alpha_for(problem, largest_alpha(problem))
            before = self._start(change, problem) if self.warm_start else None
            solution = self._solve(
                problem.with_alpha(alpha), before, seed=self._seed(), time_limit=self.time_limit
            )
            self._keep(solution, change)
        return self

    def _start(self, change: Standardization, problem: FitProblem) -> RidgeSpline | None:
        """Return the network of the previous fit in new standardised inputs, if it fits them."""
        before: RidgeSpline | None = getattr(self, "_standard_network", None)
        if before is None or before.n_features != len(change.mean):
            return None
        if before.n_outputs != getattr(problem, "n_outputs", 1):
            return None
        return self._change().after(change).to_original(before)
