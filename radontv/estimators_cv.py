"""Regression with a penalty that cross-validation chooses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .penalty_choice import PenaltyChooser
from .problems.exact_fit_losses import BandLoss
from .regression import NetworkRegressor, mean_loss
from .training_data import TrainingData
from .validation_curve import ValidationCurve

Array = NDArray[np.float64]


class RadonTVRegressorCV(NetworkRegressor, PenaltyChooser):
    """`RadonTVRegressor` with `alpha` chosen by cross-validation.

    For each fold, the networks of all penalties are fitted to its training part, from the largest
    penalty down, each fit started from the one before, and judged by the mean of their loss on
    the rows left out (twice that, the mean squared error, for the squared loss). All rows are then
    fitted with the penalty chosen. Each training part is standardised by itself, so that nothing of
    the rows left out enters. One `alpha` means the same in all folds and in the final fit: it
    belongs to the mean loss and to standardised inputs.

    Parameters
    ----------
    alphas : int or array-like of shape (n_alphas,), default=20
        Penalties to try, on the scale of `RadonTVRegressor.alpha`. An int asks for that many on a
        logarithmic grid from alpha_max to eps alpha_max, with alpha_max of all rows (from there on
        their fit is affine). Through this number, and no other, a fold knows of the rows left out.
    eps : float, default=1e-3
        Smallest penalty of that grid over the largest, at most 1.
    cv : int, splitter, iterable of (train, test) or None, default=None
        Folds, as in scikit-learn: an int stands for that many consecutive ones without shuffling,
        None for 5. Rows of weight 0 are removed first; only the positions in ready-made splits
        count them.
    selection : {"min", "1se"}, default="min"
        "min": the penalty with the least mean error; if several have it up to rounding, the
        largest of these. "1se": the largest penalty whose mean error is at most one standard
        error above the least, for a smaller network that is about as good.
    loss : str or object, default="squared"
        As in `RadonTVRegressor`, without the constraints, whose optimum does not depend on alpha.
    output_norm : {"l2", "l1"}, default="l2"
        As in `RadonTVRegressor`.
    standardize : bool, default=True
        As in `RadonTVRegressor`.
    tol : float, default=1e-4
        Stop the final fit when its duality gap, divided by the objective, is at most this.
    path_tol : float, default=1e-2
        The same for the fits of the folds, of which only the validation error is used.
    scope : {"local", "global"}, default="local"
        What the gap of the final fit must be worth, as in `RadonTVRegressor`.
    time_limit : float, default=None
        Seconds for all of `fit`, except that alpha_max is found in any case. The folds share up to
        0.7 of it evenly, and the final fit has the rest. A fold whose time is up ends without the
        smaller penalties; a warning says so, and the choice is among those that all folds have
        reached, the largest penalty at least.
    max_neurons : int, default=None
        Stop, with a warning, when the network has this many neurons; this goes for folds too.
    n_jobs : int, default=None
        Folds at the same time, in threads; -1 for all processors. None stands for one fold after
        the other, and all threads for the search. Results do not depend on it.
    random_state : int, RandomState instance or None, default=0
        Seeds the starting points of the search. Folds are shuffled by `cv`, if at all.
    verbose : int, default=0
        1 prints a line for each fold, and for each round of the final fit.

    Attributes
    ----------
    alpha_ : float
        The penalty chosen.
    alphas_ : ndarray of shape (n_alphas,)
        All of them, decreasing.
    best_index_ : int
        alpha_ is alphas_[best_index_].
    error_path_ : ndarray of shape (n_alphas, n_folds)
        Mean losses on the rows left out, weighted like these, over several outputs the mean; nan
        for penalties that a fold did not reach within `time_limit`.
    mse_path_ : ndarray of shape (n_alphas, n_folds)
        The same, for the squared loss only, whose errors are mean squared errors.
    mean_error_ : ndarray of shape (n_alphas,)
        Their mean over folds, each with the total weight of the rows left out. (For folds of
        unequal weight this differs from ``mse_path_.mean(axis=1)``, which `LassoCV` uses.)
    standard_error_ : ndarray of shape (n_alphas,)
        Standard error of that mean, from the differences between folds; nan for a single one.
    network_, certificate_, mean_, scale_, status_, history_, n_neurons_, n_iter_
        Of the final fit, as in `RadonTVRegressor`.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `X` has names and all are strings.

    Notes
    -----
    The folds' fits do not stop early: the curve is complete, whatever it looks like, unless
    `time_limit` ends it.

    Ctrl-C while the folds are fitted raises `KeyboardInterrupt`, since there is no model yet; the
    final fit it ends with the best network so far, as in `RadonTVRegressor`.

    Examples
    --------
    >>> import numpy as np
    >>> from radontv import RadonTVRegressorCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, size=(60, 1))
    >>> y = np.abs(X[:, 0]) + 0.1 * rng.normal(size=60)
    >>> model = RadonTVRegressorCV(alphas=10).fit(X, y)
    >>> model.mse_path_.shape
    (10, 5)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **NetworkRegressor._parameter_constraints,
        **PenaltyChooser._parameter_constraints,
    }

    def __init__(
        self,
        alphas: Any = 20,
        eps: float = 1e-3,
        cv: Any = None,
        selection: str = "min",
        loss: Any = "squared",
        output_norm: str = "l2",
        standardize: bool = True,
        tol: float = 1e-4,
        path_tol: float = 1e-2,
        scope: str = "local",
        time_limit: float | None = None,
        max_neurons: int | None = None,
        n_jobs: int | None = None,
        random_state: Any = 0,
        verbose: int = 0,
    ) -> None:
        self.alphas = alphas
        self.eps = eps
        self.cv = cv
        self.selection = selection
        self.loss = loss
        self.output_norm = output_norm
        self.standardize = standardize
        self.tol = tol
        self.path_tol = path_tol
        self.scope = scope
        self.time_limit = time_limit
        self.max_neurons = max_neurons
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def _foresee(self, parts: Iterable[TrainingData]) -> None:
        """Refuse losses whose optimum does not depend on alpha."""
        loss = self._loss()
        if isinstance(loss, BandLoss):
            raise ValueError(
                f"loss={loss.key!r} is a constraint: its optimum does not depend on alpha, so that "
                "there is nothing to choose; use RadonTVRegressor."
            )
        super()._foresee(parts)

    def _keep_curve(self, curve: ValidationCurve, index: int) -> None:
        """Store the curve, for the squared loss under its usual name too."""
        super()._keep_curve(curve, index)
        if self._loss().quadratic:
            self.mse_path_ = self.error_path_

    def _validation_error(self, targets: Array, values: Array) -> Array:
        """Return the loss, for the squared loss (y - f)^2."""
        return mean_loss(self._loss(), targets, values)
