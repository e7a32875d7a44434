"""What all estimators share: from checked rows to a problem, and from a solution to attributes."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from .problems import RidgeSpline
from .solvers import Solution
from .solvers.report import ProgressTable
from .solving import FitProblem, largest_alpha, solve
from .standardization import Standardization, alpha_for
from .training_data import TrainingData

Array = NDArray[np.float64]


class NetworkEstimator(BaseEstimator):
    """An estimator whose fit is a ridge spline of standardised inputs.

    Subclasses have the parameters `standardize`, `tol`, `scope`, `time_limit`, `max_neurons`,
    `n_jobs`, `random_state` and `verbose`, and say in `_checked` and `_problem` what they minimise.
    """

    standardize: bool
    tol: float
    scope: str
    time_limit: float | None
    max_neurons: int | None
    n_jobs: int | None
    random_state: Any
    verbose: int

    def _checked(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, *, reset: bool
    ) -> TrainingData:
        """Return the rows of positive weight, with targets as `_problem` wants them."""
        raise NotImplementedError

    def _problem(self, inputs: Array, data: TrainingData) -> FitProblem:
        """Return the problem of inputs (n, n_features) and the targets of data, with alpha = 1."""
        raise NotImplementedError

    def _prepared(self, data: TrainingData) -> tuple[FitProblem, Standardization]:
        """Return the problem in standardised inputs, with alpha = 1, and the change of units.

        Mean and scale are those of `data`: a fold knows nothing of the rows that it is judged by.
        """
        change = (
            Standardization.of(data.rows, data.weights)
            if self.standardize
            else Standardization.identity(data.rows.shape[1])
        )
        return self._problem(change.inputs(data.rows), data), change

    def _seed(self) -> int:
        """Return the seed of this fit; a generator is asked once."""
        seed = self.random_state
        if not isinstance(seed, Integral):
            seed = check_random_state(seed).randint(np.iinfo(np.int32).max)
        return int(seed)

    def _solve(
        self,
        problem: FitProblem,
        before: RidgeSpline | None,
        *,
        seed: int,
        time_limit: float | None,
    ) -> Solution:
        """Solve the problem, with a warning if the tolerance is not met."""
        solution = solve(
            problem,
            tol=self.tol,
            scope=self.scope,
            time_limit=time_limit,
            warm_start=before,
            max_neurons=self.max_neurons,
            n_jobs=self.n_jobs,
            random_state=seed,
            callback=ProgressTable() if self.verbose else None,
        )
        certificate = solution.certificate
        if not solution.status.solved:
            warnings.warn(
                f"{solution.status.value} The relative duality gap is "
                f"{certificate.relative_gap:.2e} ({certificate.scope.value}: "
                f"{certificate.scope.meaning}), asked for were tol={self.tol:g} and "
                f"scope={self.scope!r}.",
                ConvergenceWarning,
                stacklevel=5,  # whoever called `fit`, which a decorator wraps
            )
        return solution

    def _keep(self, solution: Solution, change: Standardization) -> None:
        """Store the results as plain attributes."""
        self.mean_, self.scale_ = change.mean, change.scale
        self._standard_network = solution.network
        self.network_ = change.to_original(solution.network)
        self.certificate_ = solution.certificate
        self.alpha_ = solution.certificate.alpha
        self.status_ = solution.status.value
        self.history_ = [event.to_dict() for event in solution.history]
        self.n_neurons_ = self.network_.n_neurons
        self.n_iter_ = max(1, solution.n_iter)

    def _change(self) -> Standardization:
        return Standardization(self.mean_, self.scale_)

    def _values(self, X: ArrayLike) -> Array:
        """Return f at the rows of X, (n_samples,) or (n_samples, n_outputs)."""
        check_is_fitted(self)
        network: RidgeSpline = self._standard_network
        rows = validate_data(self, X, dtype=np.float64, reset=False)
        return network(self._change().new_inputs(rows))

    def standardized_problem(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> FitProblem:
        """Return the problem that `certificate_` is about, from the data of `fit`.

        It goes with `standardized_network()`: ``prove(model.standardized_problem(X, y),
        model.standardized_network())`` repeats the proof. Like `fit`, it drops rows of weight 0.
        With several outputs it is a `MultiOutputProblem`; for one class against the others an
        object whose `problems` are those of the classes.
        """
        check_is_fitted(self)
        data = self._checked(X, y, sample_weight, reset=False)
        return self._problem(self._change().inputs(data.rows), data).with_alpha(self.alpha_)

    def standardized_network(self) -> RidgeSpline:
        """Return the network of `certificate_`, a function of z = (x - mean_) / scale_."""
        check_is_fitted(self)
        network: RidgeSpline = self._standard_network
        return network


class FixedPenalty(NetworkEstimator):
    """An estimator with the parameters `alpha` and `warm_start`."""

    alpha: float | None
    warm_start: bool

    def _fit(self, data: TrainingData) -> None:
        """Solve the problem of the data, and keep the solution."""
        problem, change = self._prepared(data)
        alpha = self.alpha or alpha_for(problem, largest_alpha(problem))
        before = self._start(change, problem) if self.warm_start else None
        solution = self._solve(
            problem.with_alpha(alpha), before, seed=self._seed(), time_limit=self.time_limit
        )
        self._keep(solution, change)

    def _start(self, change: Standardization, problem: FitProblem) -> RidgeSpline | None:
        """Return the network of the previous fit in new standardised inputs, if it fits them."""
        before: RidgeSpline | None = getattr(self, "_standard_network", None)
        if before is None or before.n_features != len(change.mean):
            return None
        if before.n_outputs != getattr(problem, "n_outputs", 1):
            return None
        return self._change().after(change).to_original(before)
