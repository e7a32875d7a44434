"""What the scores of a classifier say: classes and their probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit, log_softmax, softmax

Array = NDArray[np.float64]


def classes_of(scores: Array) -> NDArray[np.intp]:
    """Return the codes of the predicted classes, (n,)."""
    codes = scores > 0.0 if scores.ndim == 1 else scores.argmax(axis=1)
    return codes.astype(np.intp)


def probabilities_of(scores: Array) -> Array:
    """Return the probabilities (n, C) that scores (n,) or (n, C) stand for."""
    if scores.ndim == 1:
        return np.column_stack([expit(-scores), expit(scores)])
    return np.asarray(softmax(scores, axis=1))


def log_probabilities_of(scores: Array) -> Array:
    """Return the logarithms of the probabilities (n, C)."""
    if scores.ndim == 1:
        return np.column_stack([log_expit(-scores), log_expit(scores)])
    return np.asarray(log_softmax(scores, axis=1))
