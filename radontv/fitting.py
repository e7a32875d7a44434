"""What all estimators share: from checked rows to a problem, and from a solution to attributes."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from .problems import RadonTVProblem, RidgeSpline
from .problems.losses import Loss
from .solvers import Solution, solve
from .solvers.report import ProgressTable
from .standardization import Standardization
from .training_data import TrainingData, training_data

Array = NDArray[np.float64]


class NetworkEstimator(BaseEstimator):
    """An estimator whose fit is a ridge spline of standardised inputs.

    Subclasses have the parameters `standardize`, `tol`, `scope`, `time_limit`, `max_neurons`,
    `n_jobs`, `random_state` and `verbose`, and say in `_loss` what they minimise.
    """

    standardize: bool
    tol: float
    scope: str
    time_limit: float | None
    max_neurons: int | None
    n_jobs: int | None
    random_state: Any
    verbose: int

    def _loss(self) -> str | Loss:
        """Return the loss of the problem."""
        return "squared"

    def _checked(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, *, reset: bool
    ) -> TrainingData:
        """Return the rows of positive weight, with targets as the loss wants them."""
        return training_data(self, X, y, sample_weight, reset=reset)

    def _prepared(self, data: TrainingData) -> tuple[RadonTVProblem, Standardization]:
        """Return the problem in standardised inputs, with alpha = 1, and the change of units.

        Mean and scale are those of `data`: a fold knows nothing of the rows that it is judged by.
        """
        change = (
            Standardization.of(data.rows, data.weights)
            if self.standardize
            else Standardization.identity(data.rows.shape[1])
        )
        problem = RadonTVProblem(
            change.inputs(data.rows),
            data.targets,
            alpha=1.0,
            loss=self._loss(),  # type: ignore[arg-type]
            sample_weight=data.weights,
        )
        return problem, change

    def _seed(self) -> int:
        """Return the seed of this fit; a generator is asked once."""
        seed = self.random_state
        if not isinstance(seed, Integral):
            seed = check_random_state(seed).randint(np.iinfo(np.int32).max)
        return int(seed)

    def _solve(
        self,
        problem: RadonTVProblem,
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
                stacklevel=4,  # whoever called `fit`, which a decorator wraps
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
        """Return f at the rows of X, (n_samples,)."""
        check_is_fitted(self)
        network: RidgeSpline = self._standard_network
        rows = validate_data(self, X, dtype=np.float64, reset=False)
        return network(self._change().new_inputs(rows))

    def standardized_problem(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> RadonTVProblem:
        """Return the problem that `certificate_` is about, from the data of `fit`.

        It goes with `standardized_network()`: ``prove(model.standardized_problem(X, y),
        model.standardized_network())`` repeats the proof. Like `fit`, it drops rows of weight 0.
        """
        check_is_fitted(self)
        data = self._checked(X, y, sample_weight, reset=False)
        return RadonTVProblem(
            self._change().inputs(data.rows),
            data.targets,
            alpha=self.alpha_,
            loss=self._loss(),  # type: ignore[arg-type]
            sample_weight=data.weights,
        )

    def standardized_network(self) -> RidgeSpline:
        """Return the network of `certificate_`, a function of z = (x - mean_) / scale_."""
        check_is_fitted(self)
        network: RidgeSpline = self._standard_network
        return network


class NetworkRegressor(RegressorMixin, NetworkEstimator):
    """A network whose values are the predictions."""

    def predict(self, X: ArrayLike) -> Array:
        """Return f at the rows of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs in original units.

        Returns
        -------
        ndarray of shape (n_samples,)
            Predicted targets.
        """
        return self._values(X)
