"""The estimator that `radontv fit` uses: with an alpha that is given, or one to be chosen."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold, StratifiedKFold

from .classifiers import RadonTVClassifier
from .classifiers_cv import RadonTVClassifierCV
from .csv_files import DataError
from .default_penalty import DEFAULT_RATIO, alpha_for
from .estimators import RadonTVRegressor
from .estimators_cv import RadonTVRegressorCV
from .folds import folds
from .loss_names import loss_of
from .options import FitOptions
from .penalty_choice import PenaltyChooser
from .solving import FitProblem
from .training_data import TrainingData
from .wording import counted

Array = NDArray[np.float64]

SMALLEST_RATIO, N_ALPHAS = 1e-3, 20
"""--cv tries this many values, from alpha_max to this multiple of it."""

RARE_CLASS = "The least populated class"
"""How a warning of scikit-learn begins; `check_folds` has a note instead."""

FileEstimator = RadonTVRegressor | RadonTVRegressorCV | RadonTVClassifier | RadonTVClassifierCV


def blank_estimator(options: FitOptions, classes: bool) -> RadonTVRegressor | RadonTVClassifier:
    """Return an estimator without alpha, which knows the problem."""
    if classes:
        return RadonTVClassifier(**_common(options, classes))
    return RadonTVRegressor(**_common(options, classes))


def estimator_for(
    options: FitOptions, problem: FitProblem, largest: float, classes: bool, notes: list[str]
) -> FileEstimator:
    """Return the estimator; what a reader has to know of its alpha becomes a note.

    Parameters
    ----------
    options : FitOptions
    problem : RadonTVProblem, MultiOutputProblem or OneVsRest
        Of the rows to be fitted; its `alpha` is not used.
    largest : float
        alpha_max of the problem.
    classes : bool
        Whether the target holds classes.
    notes : list of str
    """
    if options.cv is not None:
        return _choosing(options, problem, largest, classes)
    ratio = DEFAULT_RATIO if options.alpha_ratio is None else options.alpha_ratio
    alpha = options.alpha or alpha_for(problem, largest, ratio)
    if options.alpha is None and alpha != ratio * largest:
        notes.append(
            "The targets are an affine function of the inputs, up to rounding, so that no "
            f"--alpha-ratio makes a difference: alpha is {alpha:.3g} instead."
        )
    estimator = blank_estimator(options, classes)
    estimator.alpha = alpha
    return estimator


def check_folds(
    options: FitOptions, y: Array, classes: tuple[str, ...] | None, notes: list[str]
) -> None:
    """Raise a DataError if there are more folds than rows to fit; note classes not in each fold.

    Parameters
    ----------
    options : FitOptions
    y : ndarray of shape (n,)
        Numbers, or codes of classes, of the rows to fit that have a positive weight.
    classes : tuple of str or None
    notes : list of str
    """
    if options.cv is None:
        return
    sizes = np.bincount(y.astype(np.intp)).tolist() if classes is not None else []
    enough, what = (max(sizes), "the largest class has") if sizes else (len(y), "there are")
    if enough < options.cv:
        raise DataError(
            f"--cv {options.cv} needs at least {options.cv} rows to fit, of positive weight"
            f"{' and of one class' if sizes else ''}, but {what} {enough}; choose fewer folds, or "
            "give --alpha-ratio."
        )
    rare = [
        f"{name!r} ({counted(size, 'row')})"
        for name, size in zip(classes or (), sizes, strict=False)
        if size < options.cv
    ]
    if rare:
        notes.append(f"Classes with fewer rows than --cv has folds: {', '.join(rare)}.")


def splitter(options: FitOptions, classes: bool) -> KFold | StratifiedKFold:
    """Return the folds of --cv; rows are shuffled, since files are often sorted."""
    kind = StratifiedKFold if classes else KFold
    return kind(options.cv, shuffle=True, random_state=options.seed)


def parts_of_folds(options: FitOptions, data: TrainingData, classes: bool) -> list[TrainingData]:
    """Return the training parts of the folds of --cv, none without it."""
    if options.cv is None:
        return []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", RARE_CLASS)
        splits = folds(splitter(options, classes), data, classifier=classes)
    return [data.at(train) for train, _ in splits]


def _choosing(
    options: FitOptions, problem: FitProblem, largest: float, classes: bool
) -> RadonTVRegressorCV | RadonTVClassifierCV:
    """Return the estimator that chooses."""
    top = alpha_for(problem, largest, 1.0)
    given = {
        "alphas": top * np.logspace(0.0, np.log10(SMALLEST_RATIO), N_ALPHAS),
        "cv": splitter(options, classes),
        "selection": "1se" if options.one_se else "min",
        **_common(options, classes),
    }
    return RadonTVClassifierCV(**given) if classes else RadonTVRegressorCV(**given)


def _common(options: FitOptions, classes: bool) -> dict[str, Any]:
    return {
        "loss": ("logistic" if classes else "squared")
        if options.loss is None
        else loss_of(options.loss),
        "standardize": options.standardize,
        "tol": options.tol,
        "scope": "global" if options.prove else "local",
        "time_limit": options.time_limit,
        "max_neurons": options.max_neurons,
        "n_jobs": options.jobs,
        "random_state": options.seed,
        "verbose": int(options.progress),
    }


def announcement(estimator: FileEstimator, largest: float, options: FitOptions) -> str:
    """Return what is about to happen."""
    limit = f"the best fit is affine from alpha_max = {largest:.6g} on."
    if isinstance(estimator, PenaltyChooser):
        lines = [
            f"--cv: alpha is chosen among {N_ALPHAS} values by {options.cv}-fold cross-validation; "
            + limit
        ]
    else:
        lines = [f"alpha = {estimator.alpha:.6g}; {limit}"]
    if options.prove:
        lines.append(
            "--prove: the lower bound will hold for every network of any size, with margins for "
            "rounding. In many dimensions this can take very long; where --time-limit or Ctrl-C "
            "ends the proof, the gap that is proved by then is reported."
        )
    if options.progress and options.cv is not None:
        lines.append(
            "One line per fold, then one per round of the fit with the alpha chosen; Ctrl-C ends "
            "that fit and keeps the best network so far, but among the folds it ends everything."
        )
    elif options.progress:
        lines.append("One line per round; Ctrl-C ends the fit and keeps the best network so far.")
    return "\n".join(lines)
