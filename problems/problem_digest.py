"""A fingerprint of a problem, so that a certificate says what it is about."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from .checks import Array
from .neuron_cost import FreeBias

if TYPE_CHECKING:
    from .problem import RadonTVProblem


def digest_of(problem: RadonTVProblem) -> str:
    """Return SHA-256 of shapes, loss, cost, alpha, X, y, weights and measurements, as text."""
    n, d = problem.X.shape
    kind = problem.loss.key
    if problem.cost.key != FreeBias.name or problem.skip != "affine":
        kind += f" cost={problem.cost.key} skip={problem.skip}"
    arrays = [np.array([problem.alpha]), problem.X, problem.y, problem.s]
    if problem.measurements is not None:
        matrix = problem.measurements
        kind += f" measurements {len(problem.y)} {matrix.nnz}"
        parts = matrix.indptr, matrix.indices, matrix.data
        arrays += [np.asarray(part, dtype=np.float64) for part in parts]
    return sha256_of(f"radontv-problem-1 {n} {d} {kind}", arrays)


def sha256_of(kind: str, arrays: Iterable[Array]) -> str:
    """Return SHA-256 of a line of text and floats: little-endian, zeros without their sign."""
    digest = hashlib.sha256(f"{kind}\n".encode())
    for values in arrays:
        digest.update((values + 0.0).astype("<f8").tobytes())
    return digest.hexdigest()
