"""What all estimators share: from checked rows to a problem, and from a solution to attributes."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from .problems import RidgeSpline
from .solvers import Solution
from .solvers.report import ProgressTable
from .solving import FitProblem, solve
from .standardization import Standardization
from .training_data import TrainingData

Array = NDArray[np.float64]


@contextmanager
def restored_on_failure(estimator: BaseEstimator) -> Iterator[None]:
    """Give an estimator all its attributes back if a fit ends without a network.

    Checks of the data set classes and features long before there is a network for them.
    """
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:  # Ctrl-C too
        estimator.__dict__ = before
        raise


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

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "standardize": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "scope": [StrOptions({"local", "global"})],
        "time_limit": [None, Interval(Real, 0, None, closed="neither")],
        "max_neurons": [None, Interval(Integral, 1, None, closed="left")],
        "n_jobs": [
            None,
            Interval(Integral, None, -1, closed="right"),
            Interval(Integral, 1, None, closed="left"),
        ],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def _checked(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, *, reset: bool
    ) -> TrainingData:
        """Return the rows of positive weight, with targets as `_problem` wants them."""
        raise NotImplementedError

    def _problem(self, inputs: Array, data: TrainingData) -> FitProblem:
        """Return the problem of inputs (n, n_features) and the targets of data, with alpha = 1."""
        raise NotImplementedError

    def _foresee(self, parts: Iterable[TrainingData]) -> None:
        """Settle, before the first fit, what those of all rows and of all folds have in common."""

    def _standardization(self, data: TrainingData) -> Standardization:
        """Return the change of units, with mean and scale of `data`.

        A fold knows nothing of the rows that it is judged by.
        """
        if self.standardize:
            return Standardization.of(data.rows, data.weights)
        return Standardization.identity(data.rows.shape[1])

    def _prepared(self, data: TrainingData) -> tuple[FitProblem, Standardization]:
        """Return the problem in standardised inputs, with alpha = 1, and the change of units."""
        change = self._standardization(data)
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
