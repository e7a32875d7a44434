"""Classification with a penalty that cross-validation chooses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import StrOptions

from .classification import NetworkClassifier
from .penalty_choice import PenaltyChooser
from .scores import classes_of, log_probabilities_of
from .training_data import TrainingData

Array = NDArray[np.float64]

SCORINGS = ("neg_log_loss", "accuracy")


class RadonTVClassifierCV(NetworkClassifier, PenaltyChooser):
    """`RadonTVClassifier` with `alpha` chosen by cross-validation.

    As in `RadonTVRegressorCV`, each fold fits the networks of all penalties to its training part,
    from the largest down, and judges them on the rows left out; all rows are then fitted with the
    penalty chosen.

    Parameters
    ----------
    alphas : int or array-like of shape (n_alphas,), default=20
        Penalties to try, on the scale of `RadonTVClassifier.alpha`. An int asks for that many on a
        logarithmic grid from alpha_max to eps alpha_max, with alpha_max of all rows.
    eps : float, default=1e-3
        Smallest penalty of that grid over the largest, at most 1.
    cv : int, splitter, iterable of (train, test) or None, default=None
        Folds, as in scikit-learn: an int stands for that many stratified ones without shuffling,
        None for 5. Rows of weight 0 are removed first; only the positions in ready-made splits
        count them.
    scoring : {"neg_log_loss", "accuracy"} or None, default=None
        How fits are judged: by the mean of -log p(class), or by the share of wrong classes. None
        stands for "neg_log_loss" with loss="logistic", the only one that has probabilities, and for
        "accuracy" otherwise.
    selection : {"min", "1se"}, default="min"
        "min": the penalty with the least mean error; if several have it up to rounding, the
        largest of these. "1se": the largest penalty whose mean error is at most one standard
        error above the least.
    loss : {"logistic", "hinge", "squared_hinge"}, default="logistic"
        As in `RadonTVClassifier`.
    label_smoothing : float or "auto", default="auto"
        As in `RadonTVClassifier`; "auto" is 0.01 if the rows of some fold, or all rows, have no
        optimum without, and is the same everywhere.
    class_weight : dict, "balanced" or None, default=None
        As in `RadonTVClassifier`, for validation errors too; "balanced" looks at all rows.
    standardize : bool, default=True
        As in `RadonTVClassifier`.
    tol : float, default=1e-4
        Stop the final fit when its duality gap, divided by the objective, is at most this.
    path_tol : float, default=1e-2
        The same for the fits of the folds, of which only the validation error is used.
    scope : {"local", "global"}, default="local"
        What the gap of the final fit must be worth, as in `RadonTVClassifier`.
    time_limit : float, default=None
        Seconds for all of `fit`, as in `RadonTVRegressorCV`.
    max_neurons : int, default=None
        Stop, with a warning, when the network has this many neurons; this goes for folds too.
    n_jobs : int, default=None
        Folds at the same time, in threads; -1 for all processors. Results do not depend on it.
    random_state : int, RandomState instance or None, default=0
        Seeds the starting points of the search. Folds are shuffled by `cv`, if at all.
    verbose : int, default=0
        1 prints a line for each fold, and for each round of the final fit.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted.
    alpha_ : float
        The penalty chosen.
    alphas_ : ndarray of shape (n_alphas,)
        All of them, decreasing.
    best_index_ : int
        alpha_ is alphas_[best_index_].
    error_path_ : ndarray of shape (n_alphas, n_folds)
        Log losses, or shares of wrong classes, on the rows left out, weighted like these; nan for
        penalties that a fold did not reach within `time_limit`.
    mean_error_, standard_error_ : ndarray of shape (n_alphas,)
        Their mean over folds, each with the total weight of the rows left out, and its standard
        error, from the differences between folds; nan for a single one.
    label_smoothing_, network_, certificate_, mean_, scale_, status_, history_, n_neurons_, n_iter_
        Of the final fit, as in `RadonTVClassifier`.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `X` has names and all are strings.

    Examples
    --------
    >>> import numpy as np
    >>> from radontv import RadonTVClassifierCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, size=(60, 1))
    >>> y = np.abs(X[:, 0]) + 0.2 * rng.normal(size=60) > 0.5
    >>> model = RadonTVClassifierCV(alphas=6, cv=3).fit(X, y)
    >>> model.error_path_.shape
    (6, 3)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "scoring": [StrOptions(set(SCORINGS)), None],
        **NetworkClassifier._parameter_constraints,
        **PenaltyChooser._parameter_constraints,
    }

    def __init__(
        self,
        alphas: Any = 20,
        eps: float = 1e-3,
        cv: Any = None,
        scoring: str | None = None,
        selection: str = "min",
        loss: str = "logistic",
        label_smoothing: Any = "auto",
        class_weight: Any = None,
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
        self.scoring = scoring
        self.selection = selection
        self.loss = loss
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
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
        """Refuse a scoring that the loss has not, and settle the label smoothing of all fits."""
        if self.scoring == "neg_log_loss" and self.loss != "logistic":
            raise ValueError(
                f"scoring='neg_log_loss' needs probabilities, which loss={self.loss!r} has not; "
                "use scoring='accuracy' or loss='logistic'."
            )
        super()._foresee(parts)

    def _validation_error(self, targets: Array, values: Array) -> Array:
        """Return -log p(class), or 1 where the class is wrong."""
        codes = targets.astype(np.intp)
        if self._scoring() == "accuracy":
            wrong: Array = (classes_of(values) != codes).astype(np.float64)
            return wrong
        found: Array = -log_probabilities_of(values)[np.arange(len(codes)), codes]
        return found

    def _scoring(self) -> str:
        """Return how fits are judged."""
        return self.scoring or ("neg_log_loss" if self.loss == "logistic" else "accuracy")
