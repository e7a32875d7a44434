"""The search for a penalty: one warm-started path for each fold, judged on the rows left out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import NDArray
from sklearn.utils.parallel import Parallel, delayed

from .folds import Split
from .problems import RidgeSpline
from .solvers import Event, Status
from .solvers.blas_threads import BlasThreads
from .solvers.interrupts import InterruptNote
from .solving import FitProblem, solve
from .standardization import Standardization
from .time_shares import FoldClock
from .training_data import TrainingData
from .validation_curve import ValidationCurve

Array = NDArray[np.float64]
Prepare = Callable[[TrainingData], tuple[FitProblem, Standardization]]
Error = Callable[[Array, Array], Array]
"""Returns the error (n,) of values f for targets y, row by row."""


@dataclass(frozen=True, eq=False)
class FoldPath:
    """What one fold has to say.

    Attributes
    ----------
    index : int
    errors : list of float
        Validation errors, from the largest penalty on.
    networks : list of RidgeSpline
        In the standardised inputs of the fold.
    change : Standardization
        Of the fold's training part.
    seconds : float
    """

    index: int
    errors: list[float]
    networks: list[RidgeSpline]
    change: Standardization
    seconds: float


@dataclass(frozen=True, eq=False)
class PenaltySearch:
    """Cross-validation over penalties.

    On the training part of each fold, with its own standardisation, the problems of all penalties
    are solved one after the other, from the largest down, each from the solution before. A penalty
    means the same in all folds: the loss is a mean, so that it does not grow with their size, and
    RTV is measured in standardised inputs.

    Parameters
    ----------
    prepare : callable (TrainingData) -> (problem, Standardization)
        The problem of a training part in standardised inputs; its alpha is not used.
    error : callable (y, f) -> ndarray
        Error (n,) of values f for targets y, row by row.
    options : dict
        For `solve`: tol, max_neurons, random_state.
    n_jobs : int or None
        Folds at the same time, in threads; if more than one, the solver uses one thread in each.
    watch : callable (FoldPath) or None
        Told of each fold that has ended.
    """

    prepare: Prepare
    error: Error
    options: dict[str, Any]
    n_jobs: int | None = None
    watch: Callable[[FoldPath], None] | None = None

    def run(
        self,
        data: TrainingData,
        splits: Sequence[Split],
        alphas: Array,
        *,
        seconds: float = np.inf,
        noise: float = 0.0,
    ) -> tuple[ValidationCurve, list[FoldPath]]:
        """Return the curve of validation errors, and the paths.

        Parameters
        ----------
        data : TrainingData
        splits : sequence of (train, test)
            Rows of `data`, at least one each.
        alphas : ndarray of shape (n_alphas,)
            Decreasing.
        seconds : float
            When they have passed, each fold still running ends with the round it is in. Time is
            shared evenly, so that all folds get about equally far; each has its first penalty.
        noise : float
            As for `ValidationCurve`.

        Raises
        ------
        KeyboardInterrupt
            After Ctrl-C, when all threads have ended.
        """
        workers = min(effective_n_jobs(self.n_jobs), len(splits))
        clock = FoldClock(len(splits), workers, time.perf_counter() + seconds)
        one_thread = BlasThreads(1) if workers > 1 else nullcontext()
        with one_thread, InterruptNote() as note:
            try:
                paths = Parallel(n_jobs=workers, require="sharedmem")(
                    delayed(self._fold)(data, split, alphas, index, clock, note)
                    for index, split in enumerate(splits)
                )
            except BaseException:
                clock.stop()
                raise
        if note.pressed:  # the solver has swallowed it
            raise KeyboardInterrupt
        errors = np.full((len(alphas), len(splits)), np.nan)
        for k, fold in enumerate(paths):
            errors[: len(fold.errors), k] = fold.errors
        weights = np.array([data.weights[test].sum() for _, test in splits])
        return ValidationCurve(alphas, errors, weights / weights.sum(), noise), paths

    def _fold(
        self,
        data: TrainingData,
        split: Split,
        alphas: Array,
        index: int,
        clock: FoldClock,
        note: InterruptNote,
    ) -> FoldPath:
        """Return the path of one fold with its validation errors."""
        done = threading.Event()
        clock.running.append(done)
        try:
            start, deadline = time.perf_counter(), clock.deadline(index)

            def over(event: Event | None) -> bool:
                late = time.perf_counter() >= deadline
                return late or note.pressed or clock.stopped.is_set()

            train, test = data.at(split[0]), data.at(split[1])
            problem, change = self.prepare(train)
            threads = 1 if clock.n_workers > 1 else self.n_jobs
            networks = self._path(problem, alphas, over, threads)
            inputs = _inputs(train, test, change)
            errors = [self._mean_error(network, inputs, test) for network in networks]
            fold = FoldPath(index, errors, networks, change, time.perf_counter() - start)
            if self.watch is not None and not note.pressed and not clock.stopped.is_set():
                self.watch(fold)
            return fold
        except ValueError as error:
            raise ValueError(f"Fold {index} of cv: {error}") from error
        finally:
            done.set()

    def _path(
        self,
        problem: FitProblem,
        alphas: Array,
        over: Callable[[Event | None], bool],
        threads: int | None,
    ) -> list[RidgeSpline]:
        """Return networks for the largest penalties: those solved in time, and always the first.

        `solvers.path` would not do: a solver that is stopped but within its tolerance counts as
        solved, and the next penalty would begin however late it is.
        """
        networks: list[RidgeSpline] = []
        for alpha in alphas:
            if networks and over(None):
                break
            solution = solve(
                problem.with_alpha(float(alpha)),
                warm_start=networks[-1] if networks else None,
                callback=over,
                n_jobs=threads,
                **self.options,
            )
            if networks and solution.status is Status.INTERRUPTED:
                break
            networks.append(solution.network)
        return networks

    def _mean_error(self, network: RidgeSpline, inputs: Array, test: TrainingData) -> float:
        """Return sum_i s_i e(y_i, f(z_i)) / sum_i s_i over the rows of a validation part."""
        with np.errstate(over="ignore", invalid="ignore"):
            errors = self.error(test.targets, network(inputs))
            mean = float(test.weights / test.weights.sum() @ errors)
        return np.inf if np.isnan(mean) else mean  # nan means: not reached


def _inputs(train: TrainingData, test: TrainingData, change: Standardization) -> Array:
    """Return standardised validation rows, without the features that are constant in training.

    Nothing is known about these. The network does not use them, but for rounding, which the
    distance of a row could magnify.
    """
    constant = np.ptp(train.rows, axis=0) == 0.0
    return change.new_inputs(np.where(constant, change.mean, test.rows))
