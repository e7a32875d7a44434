"""Amplitudes of given neurons with several outputs: a group lasso, or a non-negative program."""

from __future__ import annotations

import numpy as np

from ...problems.checks import Array
from ...problems.merging import points_backwards, same_hyperplane
from ..amplitudes import MODELS, nonnegative_quadratic
from ..cholesky import factorise, solve
from .core import VectorCore, VectorNeurons, VectorState
from .group_lasso import GroupQuadratic, group_lasso

ROUNDING = 1e-13
"""Changes of the objective below this, relative, are not told from rounding."""


def refit_vectors(core: VectorCore, neurons: VectorNeurons, accuracy: float = 0.0) -> VectorNeurons:
    """Return the neurons with the best amplitudes for their fixed planes; zeros are dropped.

    min over A and the affine part of G(Psi A + affine) + alpha sum_k ||A_k||; with the norm "l1"
    every neuron keeps its one output and sign.
    """
    if len(neurons) == 0:
        return neurons
    if core.shared:
        neurons = _distinct(neurons)
    raw = core.columns(neurons.planes)
    if core.quadratic:
        found = _quadratic_step(core, neurons, raw, core.evaluate(_zero(core), 0.0), accuracy, True)
    else:
        found = _proximal_newton(core, neurons, raw, accuracy)
    return found.take(found.amplitude > 0.0)


def _distinct(neurons: VectorNeurons) -> VectorNeurons:
    """Return the neurons with one per hyperplane, amplitudes added: the same up to affine parts."""
    planes = np.where(points_backwards(neurons.planes[:, :-1])[:, None], -1.0, 1.0)
    planes = planes * neurons.planes
    group = same_hyperplane(planes[:, :-1], planes[:, -1])
    first = np.unique(group, return_index=True)[1]
    if len(first) == len(neurons):
        return neurons
    A = np.zeros((len(first), neurons.direction.shape[1]))
    np.add.at(A, group, neurons.vectors)
    size = np.linalg.norm(A, axis=1)
    unit = A / np.where(size > 0.0, size, 1.0)[:, None]
    direction = np.where((size > 0.0)[:, None], unit, neurons.direction[first])
    return VectorNeurons(direction, size, neurons.planes[first])


def weighted_columns(core: VectorCore, raw: Array, outputs: Array, root: Array) -> Array:
    """Return root_i^T (raw_ik outputs_k) without what affine functions explain, (n_rows D, K).

    Parameters
    ----------
    raw : ndarray of shape (n_rows, K)
    outputs : ndarray of shape (K, D)
    root : ndarray of shape (n_rows, D, D)
        As in `VectorState`.
    """
    n, D = len(raw), core.D

    def weigh(columns: Array, directions: Array) -> Array:
        turned = np.einsum("idc,kd->ick", root, directions)
        return np.asarray((turned * columns[:, None, :]).reshape(n * D, len(directions)))

    B, free = core.inputs.basis.columns, core.free
    own = weigh(raw, outputs)
    spanned = weigh(np.repeat(B, free.shape[1], axis=1), np.tile(free.T, (B.shape[1], 1)))
    q = np.linalg.qr(spanned)[0]
    own -= q @ (q.T @ own)
    return own


def _joint_gram(core: VectorCore, raw: Array, root: Array) -> Array:
    """Return the Gram matrix of the columns raw_k e_c, affine part eliminated, (K, D, K, D).

    sum_i raw_ik raw_il W_i, W_i = root_i root_i^T, output pair by output pair: the columns of all
    pairs (k, c) would be D times as many and as long.
    """
    B, free = core.inputs.basis.columns, core.free
    K, D = raw.shape[1], core.D
    W = root @ root.transpose(0, 2, 1)
    # What affine functions explain with the plain weights may go first: less cancels below.
    own = core.inputs.without_affine(raw)
    gram = np.empty((K, D, K, D))
    for c in range(D):
        for e in range(c + 1):
            gram[:, c, :, e] = gram[:, e, :, c] = (own * W[:, c, e, None]).T @ own
    mixed = W @ free
    size = B.shape[1] * free.shape[1]
    cross = np.empty((K, D, B.shape[1], free.shape[1]))
    for c in range(D):
        for f in range(free.shape[1]):
            cross[:, c, :, f] = (own * mixed[:, c, f, None]).T @ B
    affine = np.einsum("ir,iab,iq->raqb", B, free.T @ mixed, B, optimize=True)
    factor = factorise(affine.reshape(size, size), 0.0)
    flat = cross.reshape(K * D, size)
    gram -= (flat @ solve(factor, flat.T)).reshape(gram.shape)
    return gram


def _zero(core: VectorCore) -> Array:
    return np.zeros((len(core.s), core.D))


def _proximal_newton(
    core: VectorCore, neurons: VectorNeurons, raw: Array, accuracy: float
) -> VectorNeurons:
    """Minimise by quadratic models of G, halving steps until the true objective falls.

    As for one output (Lee, Sun and Saunders, "Proximal Newton-type methods", 2014).
    """
    A, enough = neurons.vectors, np.inf
    state = core.evaluate(raw @ A, float(neurons.amplitude.sum()))
    for _ in range(MODELS):
        target = _quadratic_step(
            core, neurons, raw, state, min(0.1 * accuracy, 0.1 * enough), False
        )
        move = target.vectors - A
        size = _norm(core, A)
        eta = raw.T @ state.q
        promised = float((eta * move).sum()) - core.alpha * float(
            target.amplitude.sum() - size.sum()
        )
        if promised <= ROUNDING * abs(state.value):
            # Values are rounding from here on, slopes are not: they decide.
            found = core.evaluate(raw @ target.vectors, float(target.amplitude.sum()))
            better = _residual(core, target, raw, found) < 0.5 * _residual(
                core, neurons, raw, state
            )
            if not better or found.value > state.value + ROUNDING * abs(state.value):
                break
            A, state, neurons = target.vectors, found, target
            continue
        enough = min(enough, 0.02 * promised)
        if promised <= max(min(0.5 * accuracy, enough), 1e-15 * abs(state.value)):
            break
        t = 1.0
        for _ in range(30):
            trial = A + t * move
            found = core.evaluate(raw @ trial, float(_norm(core, trial).sum()))
            if found.value <= state.value - 1e-4 * t * promised:
                break
            t *= 0.5
        else:
            break
        A, state = trial, found
        neurons = _with_vectors(core, neurons, A)
    return neurons


def _residual(core: VectorCore, neurons: VectorNeurons, raw: Array, state: VectorState) -> float:
    """Return by how much the conditions u_k.eta_k = alpha, ||eta_k|| <= alpha are missed."""
    eta = raw.T @ state.q
    own = (neurons.direction * eta).sum(axis=1) - core.alpha
    live = neurons.amplitude > 0.0
    over = core.dual_norm(eta) - core.alpha if core.shared else own
    missed = max(float(np.abs(own[live]).max(initial=0.0)), float(over.max(initial=0.0)))
    return missed / core.alpha


def _norm(core: VectorCore, A: Array) -> Array:
    return np.asarray(np.linalg.norm(A, ord=2 if core.shared else 1, axis=1))


def _with_vectors(core: VectorCore, neurons: VectorNeurons, A: Array) -> VectorNeurons:
    """Return the neurons with amplitudes A; those of length 0 keep their direction."""
    size = _norm(core, A)
    unit = A / np.where(size > 0.0, size, 1.0)[:, None]
    direction = np.where((size > 0.0)[:, None], unit, neurons.direction)
    if not core.shared:
        direction = neurons.direction
    return VectorNeurons(direction, size, neurons.planes)


def _quadratic_step(
    core: VectorCore,
    neurons: VectorNeurons,
    raw: Array,
    state: VectorState,
    accuracy: float,
    at_zero: bool,
) -> VectorNeurons:
    """Return the minimiser of the quadratic model at `state`: of A = 0, or of the neurons."""
    A = neurons.vectors
    U = neurons.direction
    linear = raw.T @ state.q
    if state.root is None:
        columns = core.inputs.without_affine(raw)
        gram = columns.T @ (columns * core.s[:, None])
        linear = columns.T @ state.q
    elif core.shared:
        gram = _joint_gram(core, raw, state.root)
    else:
        own = weighted_columns(core, raw, U, state.root)
        gram = own.T @ own
    if core.shared:
        form = GroupQuadratic(gram, linear)
        if not at_zero:
            form = GroupQuadratic(gram, linear + form.apply(A))
        return _with_vectors(core, neurons, group_lasso(form, core.alpha, A, accuracy))
    along = gram * (U @ U.T) if state.root is None else gram
    pull = (U * linear).sum(axis=1) - core.alpha
    if not at_zero:
        pull = pull + along @ neurons.amplitude
    amplitude = nonnegative_quadratic(along, pull, neurons.amplitude, accuracy)
    return VectorNeurons(U, amplitude, neurons.planes)
