"""Constraints met exactly: Newton's method from neurons that meet them nearly.

Multipliers meet f(x_i) = y_i to a few more digits with every step, and where neurons are large and
nearly cancel, or outputs of very different size share them, that takes long. The parameters of all
neurons can be moved by little so that the rows that matter meet their ends exactly,

    min |xi|   such that   J diag(scale) xi + free function = what is missing,

J the derivative of the fitted values. To first order all such moves cost alike: alpha times the
derivative of a neuron's price is J^T q at an optimum of the model, so that the penalty changes by
q^T (what is missing).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ..problems.checks import Array

MOST_STEPS, MOST_HALVINGS = 12, 4
ENOUGH = 0.1
"""Part of what counts as met that may be missing."""
MOST_WORK = 3e9
"""Multiplications of one step above which constraints are left to the multipliers."""

Point = tuple[Array, ...]
"""Parameters of the neurons, and the coefficients of the free functions."""


class Moves(Protocol):
    """What parameters of neurons and free functions can do to the fitted values."""

    def values(self, point: Point) -> Array:
        """Return the fitted values at the rows, (n_rows,) or (n_rows, D)."""
        ...

    def size(self, point: Point) -> int:
        """Return the number of parameters of the neurons."""
        ...

    def step(self, point: Point, entries: np.ndarray, missing: Array) -> Point:
        """Return the shortest step, relative to sizes, that adds `missing` to first order.

        `entries` are indices of the flat values.
        """
        ...


def approach(moves: Moves, point: Point, low: Array, high: Array, q: Array, slack: Array) -> Point:
    """Return a point whose values lie in [low, high], or one that comes closer.

    Parameters
    ----------
    moves : Moves
    point : tuple of ndarrays
        Start.
    low, high : ndarray of shape (n_rows,) or (n_rows, D)
    q : ndarray
        Dual point: entries that are not 0 stay at the end that they press against.
    slack : ndarray
        What may be missing, > 0.
    """
    fitted = moves.values(point)
    pressed = np.where(q > 0.0, low, np.where(q < 0.0, high, np.nan))
    for _ in range(MOST_STEPS):
        inside = np.clip(fitted, low, high)
        worst = float((np.abs(fitted - inside) / slack).max(initial=0.0))
        # Once missed, always watched.
        pressed = np.where(np.isnan(pressed) & (fitted != inside), inside, pressed)
        entries = np.flatnonzero(~np.isnan(pressed))
        if worst <= ENOUGH or float(len(entries)) ** 2 * moves.size(point) > MOST_WORK:
            break
        step = moves.step(point, entries, (pressed - fitted).ravel()[entries])
        for k in range(MOST_HALVINGS):
            trial = tuple(p + 0.5**k * move for p, move in zip(point, step, strict=True))
            found = moves.values(trial)
            missed = np.abs(found - np.clip(found, low, high)) / slack
            if float(missed.max(initial=0.0)) < worst:
                break
        else:
            break
        point, fitted = trial, found
    return point


def shortest(J: Array, B: Array, missing: Array) -> tuple[Array, Array]:
    """Return the shortest xi, and some turn, with J xi + B turn = missing, least squares if none.

    Parameters
    ----------
    J : ndarray of shape (n_entries, size)
    B : ndarray of shape (n_entries, n_free)
        Free functions.
    missing : ndarray of shape (n_entries,)
    """
    free = np.linalg.qr(B)[0]
    own = missing - free @ (free.T @ missing)
    xi = np.linalg.lstsq(J - free @ (free.T @ J), own, rcond=1e-12)[0]
    turn = np.linalg.lstsq(B, missing - J @ xi, rcond=None)[0]
    return np.asarray(xi), np.asarray(turn)
