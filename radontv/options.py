"""The options of a fit from the command line, and what they may be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .csv_files import DataError
from .loss_names import is_for_classes, loss_of

LARGEST_SEED = 2**32 - 1
"""What scikit-learn accepts."""


@dataclass(frozen=True)
class FitOptions:
    """The options of `radontv fit`; the command line documents them."""

    data: Path
    target: str
    out: Path
    alpha: float | None = None
    alpha_ratio: float | None = None
    classify: bool | None = None
    loss: str | None = None
    cv: int | None = None
    one_se: bool = False
    tol: float = 1e-4
    prove: bool = False
    time_limit: float | None = None
    max_neurons: int | None = None
    standardize: bool = True
    weights: str | None = None
    drop: tuple[str, ...] = ()
    drop_missing: bool = False
    test_fraction: float = 0.2
    seed: int = 0
    jobs: int | None = None
    plots: bool = True
    progress: bool = True
    as_json: bool = False

    @property
    def as_classes(self) -> bool | None:
        """Whether the target holds classes, as far as the options say."""
        if self.classify is None and self.loss is not None:
            return is_for_classes(self.loss)
        return self.classify

    def check(self) -> None:
        """Raise a DataError for values that cannot be."""
        if self.loss is not None and self.classify is not None:
            if is_for_classes(self.loss) != self.classify:
                what = "numbers" if self.classify else "classes"
                raise DataError(f"--loss {self.loss} is for {what}; change it, or leave it out.")
        if self.loss is not None:
            is_for_classes(self.loss)
            loss_of(self.loss)
        if self.alpha is not None and self.alpha_ratio is not None:
            raise DataError("--alpha and --alpha-ratio exclude each other; give one of them.")
        if self.cv is not None and (self.alpha is not None or self.alpha_ratio is not None):
            given = "--alpha" if self.alpha is not None else "--alpha-ratio"
            raise DataError(f"--cv chooses alpha, so that {given} has no use; give one of them.")
        if self.cv is not None and self.cv < 2:
            raise DataError(f"--cv is {self.cv}; it must be at least 2 folds.")
        if self.one_se and self.cv is None:
            raise DataError("--one-se is a rule for --cv; give that too.")
        for name in ("alpha", "alpha_ratio", "tol", "time_limit", "max_neurons"):
            value = getattr(self, name)
            if value is not None and not 0 < value < np.inf:
                option = "--" + name.replace("_", "-")
                raise DataError(f"{option} is {value}; it must be a positive number.")
        if not 0 <= self.test_fraction < 1:
            raise DataError(
                f"--test-fraction is {self.test_fraction}; it must be at least 0 and less than 1."
            )
        if not 0 <= self.seed <= LARGEST_SEED:
            raise DataError(f"--seed is {self.seed}; it must be from 0 to {LARGEST_SEED}.")
        if self.jobs == 0:
            raise DataError("--jobs is 0; it must be at least 1, or -1 for all processors.")
        if self.out.exists() and not self.out.is_dir():
            raise DataError(f"--out {self.out} is a file; name a folder.")
