"""The group lasso: amplitudes of given planes, in R^D each, for a quadratic loss.

    min over A (K, D) of  1/2 <A, H A> - <L, A> + alpha sum_k ||A_k||_2

Directions A_k / ||A_k|| and lengths take turns: for fixed directions the lengths are a
non-negative quadratic program, solved exactly, which decides which groups vanish; then one
Newton step for the groups that are left, where the norm is smooth (the semismooth Newton method:
Yuan and Lin, "Model selection and estimation in regression with grouped variables", 2006, for the
problem; Qi and Sun, "A nonsmooth version of Newton's method", 1993).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from ...problems.checks import Array
from .._circle_kernels import OPTIONS
from ..amplitudes import nonnegative_quadratic
from ..cholesky import factorise, solve

MOST_TURNS = 100
"""Turns of the two steps."""
MOST_VARIABLES = 3000
"""Active amplitudes times outputs up to which Newton steps are taken; else coordinate descent."""
RIDGES = (1e-14, 1e-10, 1e-7, 1e-4, 1e-1)
"""Ridges of a Newton step, relative to the mean diagonal, until it lowers the objective."""
SWEEPS = 500
"""Sweeps of block coordinate descent."""


@dataclass(frozen=True, eq=False)
class GroupQuadratic:
    """The quadratic form H and the linear form L.

    Parameters
    ----------
    gram : ndarray of shape (K, K) or (K, D, K, D)
        H; a matrix G stands for G x I.
    linear : ndarray of shape (K, D)
        L.
    """

    gram: Array
    linear: Array

    def apply(self, A: Array) -> Array:
        """Return H A, shape (K, D)."""
        if self.gram.ndim == 2:
            return np.asarray(self.gram @ A)
        size = self.linear.size
        image: Array = self.gram.reshape(size, size) @ A.ravel()
        return image.reshape(A.shape)

    def along(self, U: Array, which: np.ndarray) -> Array:
        """Return the matrix of the form in the lengths along the directions U_k, k in `which`."""
        V = U[which]
        if self.gram.ndim == 2:
            return np.asarray(self.gram[np.ix_(which, which)] * (V @ V.T))
        block = self.gram[which][:, :, which]
        return np.asarray(np.einsum("ka,kalb,lb->kl", V, block, V, optimize=True))

    def block(self, which: np.ndarray) -> Array:
        """Return H of the groups `which` as a matrix."""
        D = self.linear.shape[1]
        if self.gram.ndim == 2:
            return np.kron(self.gram[np.ix_(which, which)], np.eye(D))
        size = len(which) * D
        return np.asarray(self.gram[which][:, :, which].reshape(size, size))


def group_lasso(form: GroupQuadratic, alpha: float, start: Array, accuracy: float = 0.0) -> Array:
    """Return the minimiser A (K, D), from a first guess.

    Parameters
    ----------
    form : GroupQuadratic
    alpha : float
    start : ndarray of shape (K, D)
    accuracy : float, default=0.0
        Stop once sum_k (alpha ||A_k|| - A_k.eta_k) + max_k (||eta_k|| - alpha)+ sum_k ||A_k||,
        eta = L - H A, is below this, or where rounding ends progress.
    """
    A = np.array(start)
    if A.size == 0:
        return A
    scale = float(np.abs(form.linear).max(initial=0.0))
    best = np.inf
    idle = 0
    for _ in range(MOST_TURNS):
        A = _lengths(form, alpha, A)
        active = np.flatnonzero(A.any(axis=1))
        if len(active) == 0:
            if float(np.linalg.norm(form.linear, axis=1).max()) <= alpha:
                break
            continue
        if len(active) * A.shape[1] <= MOST_VARIABLES:
            A = _newton(form, alpha, A, active)
        elif form.gram.ndim == 2:
            _coordinate_descent(form.gram, form.linear, alpha, A, accuracy, SWEEPS)
        gap = _gap(form, alpha, A)
        floor = 1e-16 * scale * float(np.linalg.norm(A, axis=1).sum())
        idle = 0 if gap < 0.9 * best else idle + 1
        best = min(best, gap)
        # Far from rounding progress may pause while groups come and go.
        if gap <= max(accuracy, floor) or idle >= (2 if gap <= 100.0 * floor else 10):
            break
    return A


def _gap(form: GroupQuadratic, alpha: float, A: Array) -> float:
    """Return the bound of what is left to gain; see `group_lasso`."""
    eta = form.linear - form.apply(A)
    size = np.linalg.norm(A, axis=1)
    left = float(np.abs(alpha * size - (A * eta).sum(axis=1)).sum())
    over = float((np.linalg.norm(eta, axis=1) - alpha).max(initial=0.0))
    return left + over * float(size.sum())


def _lengths(form: GroupQuadratic, alpha: float, A: Array) -> Array:
    """Return the best amplitudes in the directions of A, or of eta for groups that should enter."""
    eta = form.linear - form.apply(A)
    size = np.linalg.norm(A, axis=1)
    slope = np.linalg.norm(eta, axis=1)
    enters = (size == 0.0) & (slope > alpha * (1.0 + 1e-14))
    which = np.flatnonzero((size > 0.0) | enters)
    if len(which) == 0:
        return np.zeros_like(A)
    U = (
        np.where(enters[:, None], eta, A)
        / np.where(enters, slope, np.maximum(size, 1e-300))[:, None]
    )
    linear = (U[which] * form.linear[which]).sum(axis=1) - alpha
    length = nonnegative_quadratic(form.along(U, which), linear, size[which])
    found = np.zeros_like(A)
    found[which] = length[:, None] * U[which]
    # The program is solved up to rounding and a ridge: what was there may still be better.
    return found if _change(form, alpha, A, found - A) <= 0.0 else A


def _newton(form: GroupQuadratic, alpha: float, A: Array, active: np.ndarray) -> Array:
    """Return A after a Newton step of the active groups that lowers the objective, else A."""
    D = A.shape[1]
    own = A[active]
    size = np.linalg.norm(own, axis=1)
    U = own / size[:, None]
    slope = form.apply(A)[active] - form.linear[active] + alpha * U
    hessian = form.block(active).copy()
    bend = (alpha / size)[:, None, None] * (np.eye(D) - U[:, :, None] * U[:, None, :])
    for k in range(len(active)):
        part = slice(k * D, (k + 1) * D)
        hessian[part, part] += bend[k]
    mean = float(np.trace(hessian)) / len(hessian)
    # Nearly equal columns leave directions without curvature: then shorter, steeper steps.
    for ridge in RIDGES:
        factor = factorise(hessian, ridge * mean)
        step = -solve(factor, slope.ravel())
        if ridge == RIDGES[0]:
            step -= solve(factor, hessian @ step + slope.ravel())
        move = step.reshape(own.shape)
        for t in (1.0, 0.5, 0.25):
            delta = np.zeros_like(A)
            trial = own + t * move
            # A group that would turn around vanishes instead.
            trial[(trial * own).sum(axis=1) <= 0.0] = 0.0
            delta[active] = trial - own
            if _change(form, alpha, A, delta) < 0.0:
                return A + delta
    return A


def _change(form: GroupQuadratic, alpha: float, A: Array, delta: Array) -> float:
    """Return the change of the objective from A to A + delta, without cancellation."""
    slope = form.apply(A) - form.linear
    before = np.linalg.norm(A, axis=1)
    after = np.linalg.norm(A + delta, axis=1)
    total = np.where(after + before > 0.0, after + before, 1.0)
    longer = (delta * (2.0 * A + delta)).sum(axis=1) / total
    smooth = float((delta * (slope + 0.5 * form.apply(delta))).sum())
    return smooth + alpha * float(longer.sum())


@njit(**OPTIONS)
def _coordinate_descent(
    gram: Array, linear: Array, alpha: float, A: Array, accuracy: float, sweeps: int
) -> None:
    """Minimise over one group after the other, in place, until moves gain less than accuracy.

    A_k = max(0, 1 - alpha / |r|) r / G_kk, r = L_k - sum_{j != k} G_kj A_j.
    """
    K, D = A.shape
    eta = linear - gram @ A
    r = np.empty(D)
    for _ in range(sweeps):
        moved = 0.0
        for k in range(K):
            if gram[k, k] <= 0.0:
                continue
            norm = 0.0
            for c in range(D):
                r[c] = eta[k, c] + gram[k, k] * A[k, c]
                norm += r[c] * r[c]
            norm = np.sqrt(norm)
            shrink = max(0.0, 1.0 - alpha / norm) / gram[k, k] if norm > 0.0 else 0.0
            for c in range(D):
                step = shrink * r[c] - A[k, c]
                if step != 0.0:
                    moved += gram[k, k] * step * step
                    A[k, c] += step
                    for j in range(K):
                        eta[j, c] -= step * gram[j, k]
        if moved <= 0.1 * accuracy:
            break
