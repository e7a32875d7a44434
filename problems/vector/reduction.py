"""Reductions of problems with several outputs that lose nothing.

Inputs are reduced as for one output (`reductions.reduce`): rows without weight and equal rows,
centre, rank, units. Targets:

1. with the squared loss equal rows share their weighted mean target, at the price of a constant;
2. targets lose their affine part if the loss depends on t - z, and affine ones are left out;
3. outputs are rotated, T = T' V^T, where that saves some and the norm of amplitudes is
   Euclidean: the part of a_k orthogonal to V changes no value that counts, and costs. V spans the
   rows of what is left of the targets (squared loss), or the scores of sum 0 (multinomial);
4. for the squared loss targets are divided by a power of two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..affine import AffineBasis
from ..checks import Array
from ..merged_rows import power_of_two
from ..network import RidgeSpline
from ..reductions import Reduction, reduce
from ..regression_losses import SquaredLoss
from .affine import fit_outputs
from .losses import SumOfOutputs, VectorLoss

ROUNDING = 64.0 * np.finfo(np.float64).eps
"""Part of its largest entry up to which what an affine fit leaves of an output is 0."""


@dataclass(frozen=True, eq=False)
class VectorReduction:
    """The data that solvers see, and the maps between it and the original problem.

    Parameters
    ----------
    inputs : Reduction
        What was done to the inputs; its targets are zero.
    Y : ndarray of shape (n_rows, D') or (n_rows, D)
        Reduced targets; for classes in the outputs of the problem.
    s : ndarray of shape (n_rows,)
    points : ndarray of shape (n_rows,) or None
        Row of X that each of them belongs to; None if there is one for each row of X in order.
    alpha : float
        alpha / (x_scale * y_scale).
    groups : ndarray of shape (n_samples,)
        Reduced row of each original row, -1 where the weight is zero.
    y_scale : float
        A power of two.
    outputs : ndarray of shape (D, D') or None
        V, orthonormal columns; None stands for the identity.
    coef, intercept : ndarray of shape (n_features, D), (D,)
        The affine function that was subtracted from the targets.
    constant : float
        What merging rows took out of the objective: F = y_scale^2 F' + constant.
    """

    inputs: Reduction
    Y: Array
    s: Array
    points: np.ndarray | None
    alpha: float
    groups: np.ndarray
    y_scale: float
    outputs: Array | None
    coef: Array
    intercept: Array
    constant: float

    @property
    def X(self) -> Array:
        """Distinct inputs, centred, rotated, scaled, shape (n_distinct, rank)."""
        return self.inputs.X

    @property
    def n_distinct(self) -> int:
        """Number of distinct inputs with positive weight."""
        return self.inputs.n_distinct

    @property
    def rank(self) -> int:
        """Dimension of the span of the differences of the inputs."""
        return self.inputs.rank

    @property
    def n_outputs(self) -> int:
        """Number D' of reduced outputs."""
        return int(self.Y.shape[1] if self.outputs is None else self.outputs.shape[1])

    @property
    def x_scale(self) -> float:
        """Power of two by which inputs were divided."""
        return self.inputs.x_scale

    @property
    def unit(self) -> float:
        """Value of eta in original units over that in reduced ones."""
        return self.x_scale * self.y_scale

    def up(self, A: Array) -> Array:
        """Return A V^T: outputs of the problem from reduced ones."""
        return A if self.outputs is None else A @ self.outputs.T

    def down(self, A: Array) -> Array:
        """Return A V."""
        return A if self.outputs is None else A @ self.outputs

    def reduce_dual(self, Q: Array) -> Array:
        """Return the sums of Q V over the rows of each group, over y_scale, (n_rows, D')."""
        live = self.groups >= 0
        sums = np.zeros((len(self.Y), Q.shape[1]))
        np.add.at(sums, self.groups[live], Q[live])
        return self.down(sums) / self.y_scale

    def raise_dual(self, Q: Array, T: Array, s: Array) -> Array:
        """Return the best dual point of the original rows whose group sums are y_scale Q V^T.

        Rows of one group keep their targets' differences, as they do at an optimum; T holds the
        original targets (n_samples, D) without their affine part.
        """
        live = self.groups >= 0
        group = self.groups[live]
        raised = np.zeros((len(self.groups), T.shape[1]))
        P = self.y_scale * self.up(Q / self.s[:, None])[group]
        if len(group) > len(self.Y):
            P += T[live] - self.y_scale * self.up(self.Y)[group]
        raised[live] = s[live, None] * P
        return raised

    def raise_network(self, network: RidgeSpline) -> RidgeSpline:
        """Return the network in the original units, f(x) = g V f'(x') + affine(x)."""
        inputs = self.inputs
        weights, biases = inputs.raise_hyperplanes(network.weights, network.biases)
        ratio = self.y_scale / self.x_scale
        coef = ratio * self.up(inputs.up(network.coef.T).T)
        intercept = self.y_scale * self.up(network.intercept) - inputs.centre @ coef
        return RidgeSpline(
            ratio * self.up(network.amplitudes),
            weights,
            biases,
            coef + self.coef,
            intercept + self.intercept,
        )

    def lower_network(self, network: RidgeSpline) -> RidgeSpline:
        """Return the neurons in reduced units, without affine part (a solver refits it)."""
        weights, biases, length = self.inputs.lower_hyperplanes(network.weights, network.biases)
        live = length > 0
        amplitudes = self.down(network.amplitudes[live]) * length[live, None]
        return RidgeSpline(
            self.x_scale / self.y_scale * amplitudes,
            weights[live] / np.linalg.norm(weights[live], axis=1, keepdims=True),
            biases[live],
            np.zeros((self.rank, amplitudes.shape[1])),
        )


def reduce_outputs(
    X: Array, T: Array, s: Array, alpha: float, loss: VectorLoss, *, rotate: bool
) -> VectorReduction:
    """Return the reduction of a problem; `rotate` allows step 3."""
    live = s > 0
    D = T.shape[1]
    coef, intercept = np.zeros((X.shape[1], D)), np.zeros(D)
    if loss.translates:
        basis = AffineBasis.of(X[live], s[live])
        zero, start = np.zeros_like(T[live]), np.zeros((basis.columns.shape[1], D))
        squared = SumOfOutputs(SquaredLoss())
        theta = fit_outputs(squared, T[live], s[live], zero, basis.columns, np.eye(D), start)
        coef, intercept = affine_of(basis, theta)
    rest = T[live] - (X[live] @ coef + intercept)
    if loss.translates:
        # What rounding leaves of affine targets must not pass for something to be fitted.
        affine = np.abs(rest).max(axis=0) <= ROUNDING * np.abs(T[live]).max(axis=0)
        rest = np.where(affine, 0.0, rest)
    inputs = reduce(X, np.zeros(len(X)), s, alpha, SquaredLoss())
    group = inputs.groups[live]
    points: np.ndarray | None = group
    Y, mass, groups, constant = rest, s[live] / s[live].sum(), inputs.groups, 0.0
    if loss.quadratic or inputs.n_distinct == len(rest):
        Y, mass, points = np.zeros((inputs.n_distinct, D)), inputs.s, None
        if inputs.n_distinct == len(rest):
            Y[group] = rest
        else:
            np.add.at(Y, group, s[live, None] * rest)
            Y /= np.bincount(group, weights=s[live])[:, None]
        if loss.quadratic:
            away = rest - Y[group]
            constant = 0.5 * float(s[live] @ (away * away).sum(axis=1))
    else:
        groups = np.full(len(X), -1, dtype=np.intp)
        groups[live] = np.arange(len(rest))
    outputs = _rotation(loss, Y, mass, rotate)
    if outputs is not None and isinstance(loss, SumOfOutputs):
        Y = Y @ outputs
    y_scale = 1.0
    if loss.quadratic:
        y_scale = power_of_two(float(np.sqrt(mass @ (Y * Y).sum(axis=1))))
    return VectorReduction(
        inputs=inputs,
        Y=np.ascontiguousarray(Y / y_scale),
        s=mass,
        points=points,
        alpha=alpha / (inputs.x_scale * y_scale),
        groups=groups,
        y_scale=y_scale,
        outputs=outputs,
        coef=coef,
        intercept=intercept,
        constant=constant,
    )


def affine_of(basis: AffineBasis, theta: Array) -> tuple[Array, Array]:
    """Return (coef, intercept) of the functions with coefficients `theta` (r, D)."""
    coef = basis.maps @ theta[1:]
    return coef, theta[0] - basis.mean @ coef


def _rotation(loss: VectorLoss, Y: Array, s: Array, rotate: bool) -> Array | None:
    """Return V (D, D') with fewer columns than outputs, None if there is none.

    Kinks are those of single outputs: there V only leaves out outputs that are 0 already.
    """
    D = Y.shape[1]
    if isinstance(loss, SumOfOutputs) and not loss.quadratic:
        live = np.flatnonzero(Y.any(axis=0)) if loss.translates else np.arange(D)
        return np.eye(D)[:, live if len(live) else [0]] if len(live) < D else None
    if not rotate:
        return None
    if loss.quadratic:
        vt, sigma = np.zeros((0, D)), np.zeros(0)
        if Y.size:
            sigma, vt = np.linalg.svd(np.sqrt(s)[:, None] * Y, full_matrices=False)[1:]
        top = float(sigma.max(initial=0.0))
        rank = max(int((sigma > 4 * max(Y.shape) * np.finfo(float).eps * top).sum()), 1)
        return vt[:rank].T if rank < D else None
    free = loss.free_outputs(D)
    return free if free.shape[1] < D else None
