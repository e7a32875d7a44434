"""How an estimator chooses its penalty: folds, paths, errors, and a start for the last fit."""

from __future__ import annotations

import sys
import time
import warnings
from dataclasses import dataclass
from itertools import chain
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import _fit_context, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import check_cv
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    _raise_for_params,
    _routing_enabled,
    process_routing,
)

from .cross_validation import FoldPath, PenaltySearch
from .default_penalty import alpha_for, largest_alpha
from .fitting import NetworkEstimator, restored_on_failure
from .folds import folds
from .problems import RidgeSpline
from .problems.checks import as_positive
from .solving import FitProblem
from .standardization import Standardization
from .time_shares import LEAST_TIME
from .validation_curve import SELECTIONS, ValidationCurve
from .wording import counted

Array = NDArray[np.float64]

FOLD_SHARE = 0.7
"""Share of the time limit that the folds may take together."""


@dataclass(frozen=True, eq=False)
class Choice:
    """What is left to be solved.

    Attributes
    ----------
    problem : RadonTVProblem, MultiOutputProblem or OneVsRest
        Of all rows, in standardised inputs, with the penalty chosen.
    change : Standardization
    before : RidgeSpline
        A network to start from, that of the first fold.
    curve : ValidationCurve
    index : int
        Of the penalty in `curve.alphas`.
    seed : int
    time_limit : float or None
        Seconds left.
    """

    problem: FitProblem
    change: Standardization
    before: RidgeSpline
    curve: ValidationCurve
    index: int
    seed: int
    time_limit: float | None


class PenaltyChooser(NetworkEstimator):
    """The part of a cross-validated estimator that does not depend on the loss.

    Subclasses have, besides those of `NetworkEstimator`, the parameters below, and say in
    `_validation_error` how the values of a network are judged.
    """

    alphas: Any
    eps: float
    cv: Any
    selection: str
    path_tol: float

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "alphas": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "eps": [Interval(Real, 0, 1, closed="right")],
        "cv": ["cv_object"],
        "selection": [StrOptions(set(SELECTIONS))],
        "path_tol": [Interval(Real, 0, None, closed="neither")],
        **NetworkEstimator._parameter_constraints,
    }

    def _validation_error(self, targets: Array, values: Array) -> Array:
        """Return the error (n,) of network values for targets, row by row."""
        raise NotImplementedError

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        **params: Any,
    ) -> Self:
        """Choose the penalty, then fit all rows with it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.
        y : array-like of shape (n_samples,), for regression also (n_samples, n_outputs)
            Numbers; for classification at least two classes of any type.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0, for fits and for validation errors; only their ratios matter. Weight 0 is
            a removed row, weight 2 a repeated one.
        **params : dict
            For the splitter, such as ``groups``, if scikit-learn's metadata routing is enabled.

        Returns
        -------
        object
            The fitted estimator itself. A fit that fails leaves it as it was.
        """
        with restored_on_failure(self):
            choice = self._choose(X, y, sample_weight, params)
            self._keep_curve(choice.curve, choice.index)
            self._warn_of_early_end(choice.curve)
            solution = self._solve(
                choice.problem, choice.before, seed=choice.seed, time_limit=choice.time_limit
            )
            self._keep(solution, choice.change)
        return self

    def _choose(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, params: dict[str, Any]
    ) -> Choice:
        """Search, choose, and return what to solve."""
        start = time.perf_counter()
        limit = np.inf if self.time_limit is None else self.time_limit
        _raise_for_params(params, self, "fit")
        data = self._checked(X, y, sample_weight, reset=True)
        routed = self._for_splitter(params)
        splits = folds(self.cv, data, classifier=is_classifier(self), params=routed)
        self._foresee(chain([data], (data.at(train) for train, _ in splits)))
        problem, change = self._prepared(data)
        alphas, seed = self._grid(problem), self._seed()
        search = PenaltySearch(
            self._prepared,
            self._validation_error,
            {"tol": self.path_tol, "max_neurons": self.max_neurons, "random_state": seed},
            n_jobs=self.n_jobs,
            watch=_print_fold if self.verbose else None,
        )
        curve, paths = search.run(
            data,
            splits,
            alphas,
            seconds=FOLD_SHARE * limit - (time.perf_counter() - start),
            # Validation errors are twice the loss at most.
            noise=2.0 * problem.resolution(problem.affine_fit()),
        )
        index = curve.choose(self.selection)
        left = max(limit - (time.perf_counter() - start), LEAST_TIME)
        return Choice(
            problem.with_alpha(float(alphas[index])),
            change,
            paths[0].change.after(change).to_original(paths[0].networks[index]),
            curve,
            index,
            seed,
            left if np.isfinite(left) else None,
        )

    def _grid(self, problem: FitProblem) -> Array:
        """Return the penalties, decreasing."""
        if isinstance(self.alphas, Integral):
            largest = alpha_for(problem, largest_alpha(problem), 1.0)
            return np.asarray(largest * np.logspace(0.0, np.log10(self.eps), int(self.alphas)))
        given = np.asarray(self.alphas)
        if given.ndim != 1 or len(given) == 0:
            raise ValueError(
                f"alphas must be an integer or a list of numbers > 0, got an array of shape "
                f"{given.shape}; one penalty is a list of one."
            )
        values = [as_positive(f"alphas[{i}]", alpha) for i, alpha in enumerate(given.tolist())]
        return np.unique(values)[::-1]

    def _keep_curve(self, curve: ValidationCurve, index: int) -> None:
        """Store the curve and the place of the penalty chosen."""
        self.alphas_, self.error_path_ = curve.alphas, curve.errors
        self.mean_error_, self.standard_error_ = curve.mean, curve.standard_error
        self.best_index_ = index

    def _warn_of_early_end(self, curve: ValidationCurve) -> None:
        """Warn if some folds have not got through."""
        count, reached = len(curve.alphas), curve.reached
        if reached < count:
            warnings.warn(
                f"time_limit={self.time_limit:g} ended some folds early: alpha was chosen among "
                f"the {reached} largest of {count} values, which all folds have reached. Allow "
                "more time, or ask for fewer alphas.",
                ConvergenceWarning,
                stacklevel=4,  # whoever called `fit`, which a decorator wraps
            )

    def _for_splitter(self, params: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments of `fit` that the splitter asks for."""
        if not _routing_enabled():
            return {}
        routed: dict[str, Any] = process_routing(self, "fit", **params).splitter.split
        return routed

    def get_metadata_routing(self) -> MetadataRouter:
        """Return which arguments of `fit` go to the splitter (see scikit-learn's user guide)."""
        router: MetadataRouter = (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(
                # `check_cv` would use up an iterator.
                splitter=self.cv if hasattr(self.cv, "split") else check_cv(),
                method_mapping=MethodMapping().add(caller="fit", callee="split"),
            )
        )
        return router


def _print_fold(fold: FoldPath) -> None:
    """Print that a fold has ended."""
    line = f"fold {fold.index}: {counted(len(fold.errors), 'alpha')} in {fold.seconds:.1f} s"
    print(line, file=sys.stdout, flush=True)
