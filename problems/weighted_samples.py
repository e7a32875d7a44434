"""What all problems share: rows with weights, of which some may be 0."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from .checks import Array


class WeightedSamples:
    """Base of the problems, which are frozen dataclasses with inputs X and weights s of sum 1."""

    X: Array
    s: Array

    @property
    def n_samples(self) -> int:
        """Number of rows of X."""
        return len(self.X)

    @property
    def n_features(self) -> int:
        """Number of columns of X."""
        return int(self.X.shape[1])

    @cached_property
    def live(self) -> np.ndarray:
        """Which rows have a positive weight."""
        return self.s > 0

    @cached_property
    def live_weights(self) -> Array:
        """Weights that are positive."""
        return np.asarray(self.s[self.live])

    @cached_property
    def live_inputs(self) -> Array:
        """Inputs of rows with a positive weight."""
        return np.asarray(self.X[self.live])

    @cached_property
    def live_targets(self) -> Array:
        """Targets of rows with a positive weight."""
        own: Any = self
        return np.asarray(own.y[self.live])

    def with_alpha(self, alpha: float) -> Self:
        """Return the problem with another penalty."""
        own: Any = self
        changed: Self = replace(own, alpha=alpha)
        return changed
