"""The validation errors of a cross-validation, and the penalty that they favour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SELECTIONS = ("min", "1se")


@dataclass(frozen=True, eq=False)
class ValidationCurve:
    """Errors e_jf of penalty alpha_j on the validation part of fold f, of weight v_f.

    Attributes
    ----------
    alphas : ndarray of shape (n_alphas,)
        Decreasing.
    errors : ndarray of shape (n_alphas, n_folds)
        Weighted means over the rows of a validation part; nan where the fold did not get there.
        Each fold has at least its first.
    weights : ndarray of shape (n_folds,)
        Total weights of the validation parts, made to sum to 1.
    noise : float
        Differences of mean errors that rounding alone explains.
    """

    alphas: Array
    errors: Array
    weights: Array
    noise: float = 0.0

    @property
    def reached(self) -> int:
        """Number of penalties, from the largest on, with an error in every fold."""
        missing = np.isnan(self.errors).any(axis=1)
        return int(np.argmax(missing)) if missing.any() else len(self.alphas)

    @property
    def mean(self) -> Array:
        """m_j = sum_f v_f e_jf, (n_alphas,): the error per unit of weight over all folds."""
        mean: Array = self.errors @ self.weights
        return mean

    @property
    def standard_error(self) -> Array:
        """sqrt(sum_f v_f (e_jf - m_j)^2 / (F - 1)), (n_alphas,), nan for a single fold.

        As in Friedman, Hastie and Tibshirani, "Regularization paths for generalized linear models
        via coordinate descent", 2010; for folds of equal weight, their deviation over sqrt(F).
        """
        n_folds = len(self.weights)
        if n_folds < 2:
            return np.full(len(self.alphas), np.nan)
        with np.errstate(invalid="ignore", over="ignore"):
            apart = self.errors - self.mean[:, None]
            top = np.abs(apart).max(axis=1, keepdims=True)  # divided out: squares may overflow
            top = np.where(top > 0, top, 1.0)
            error: Array = top[:, 0] * np.sqrt((apart / top) ** 2 @ self.weights / (n_folds - 1))
        return error

    def choose(self, selection: str = "min") -> int:
        """Return the index of the penalty to take, among those that all folds have reached.

        Parameters
        ----------
        selection : {"min", "1se"}, default="min"
            "min": the least mean error m_j; where others are as small up to rounding, the largest
            such penalty. "1se": the largest penalty whose m_j is at most the least one plus *its*
            standard error (Breiman, Friedman, Olshen and Stone, "Classification and regression
            trees", 1984, section 3.4.3).

        Raises
        ------
        ValueError
            If `selection` is neither, or "1se" is asked of a single fold.
        """
        if selection not in SELECTIONS:
            raise ValueError(f"selection must be one of {SELECTIONS}, got {selection!r}.")
        if selection == "1se" and len(self.weights) < 2:
            raise ValueError(
                "selection='1se' needs a standard error, and cv has 1 fold; let cv make at least "
                "2, or take selection='min'."
            )
        mean = self.mean[: self.reached]
        best = int(np.argmin(mean))
        if not np.isfinite(mean[best]):
            return 0
        most = mean[best] * (1.0 + 1e-12) + self.noise
        if selection == "1se":
            most += self.standard_error[best]
        return int(np.argmax(mean <= most))
