"""Training a deep network block by block; each step is one certified convex program."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..problems import Certificate, RidgeSpline, Scope
from ..problems.certificate import as_scope
from ..problems.checks import Array, as_count, as_positive
from ..problems.multi_output import MultiOutputProblem
from .interrupts import InterruptNote
from .layer_blocks import Layer, check_inputs, check_layers
from .layer_compositions import backward, blocks_of, forward, layers_of
from .solution import Solution, Status
from .vector.driver import solve_multi_output

TRIALS = 12
"""Most step lengths tried for one block."""
SHRINK = 0.25
"""What a step length is multiplied by when the objective does not fall."""


@dataclass(frozen=True)
class LayerStep:
    """One step of block-coordinate training.

    Attributes
    ----------
    sweep, block : int
        Both from 0.
    objective : float
        F of the whole network after the step.
    step_length : float
        tau of the accepted step; 0 if the block stayed; infinity for the last block, whose
        program is F itself.
    relative_gap : float
        Of the convex program of this step, all other blocks frozen. It bounds nothing else.
    scope : Scope
        What that gap is worth.
    """

    sweep: int
    block: int
    objective: float
    step_length: float
    relative_gap: float
    scope: Scope


@dataclass(frozen=True)
class LayerTraining:
    """A deep network trained block by block.

    Attributes
    ----------
    blocks : tuple of RidgeSpline
        Shallow networks whose composition it is, each with a free affine part.
    objective : float
        F = sum_i l(y_i, f(x_i)) / n + alpha sum_blocks sum_k ||a_k||.
    history : tuple of LayerStep
    certificate : Certificate or None
        Of the last block among all last blocks on the features that it now has; None if the
        training ended before it was made. It says nothing about the blocks before.
    interrupted : bool
        Whether Ctrl-C ended the training.
    """

    blocks: tuple[RidgeSpline, ...]
    objective: float
    history: tuple[LayerStep, ...]
    certificate: Certificate | None
    interrupted: bool

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The network as (weight, bias) pairs with ReLU between, the same function everywhere."""
        return layers_of(self.blocks)

    def features(self, X: Any, block: int = -1) -> Array:
        """Return the inputs of a block, by default the last."""
        which = range(len(self.blocks))[block]
        return forward(self.blocks[:which], np.asarray(X, dtype=np.float64))[-1]

    def __call__(self, X: Any) -> Array:
        """Return the outputs at the rows of X."""
        return forward(self.blocks, np.asarray(X, dtype=np.float64))[-1]


def train_layers(
    layers: Any,
    X: Any,
    Y: Any,
    *,
    loss: Any = "squared",
    alpha: float,
    n_sweeps: int = 5,
    tol: float = 1e-6,
    scope: str | Scope = "local",
    time_limit: float | None = None,
    random_state: int = 0,
) -> LayerTraining:
    """Lower F = mean loss + alpha * path norms of a deep network, one block after the other.

    The network is read as a composition g_L o ... o g_1 of shallow networks with affine parts
    (Parhi and Nowak, "What kinds of functions do deep neural networks learn?", 2022), and
    F = sum_i l(y_i, f(x_i)) / n + alpha sum_blocks sum_k ||a_k||. Given the blocks before it, the
    last block is one convex program. An earlier block with outputs Z moves to the minimiser of the
    convex majoriser

        sum_i ||T_i - g(h_i)||^2 / (2 n) + alpha tau sum_k ||a_k||,   T = Z - tau n dL/dZ,

    with L the mean loss through the later blocks, and tau, at first the inverse of the largest
    Gauss-Newton curvature, shrunk until F itself falls. F never
    rises. Certificates are about one block, the others frozen; none is about the deep network.

    Parameters
    ----------
    layers : sequence of (weight, bias)
        Start; at least one hidden layer.
    X : array-like of shape (n_samples, n_features)
    Y : array-like of shape (n_samples, n_outputs)
        Targets; class codes (n_samples,) for loss="multinomial".
    loss : str or Loss, default="squared"
        As for `MultiOutputProblem`. With several hidden layers it must be smooth, and classes
        need smoothed labels.
    alpha : float
        Price > 0 of the path norm of every block.
    n_sweeps : int, default=5
        Rounds over the blocks, first to last; fewer if none of them moves.
    tol : float, default=1e-6
        Relative gap of each convex program.
    scope : {"local", "global"}, default="local"
        Of the certificates.
    time_limit : float, default=None
        Seconds.
    random_state : int, default=0
        Seed of the searches.

    Returns
    -------
    LayerTraining
        Ctrl-C returns the best so far.

    Raises
    ------
    TypeError, ValueError
        For layers, data or options that are misshapen, not finite or out of range.
    """
    network = check_layers(layers)
    inputs = check_inputs(network, X)
    whole = MultiOutputProblem(inputs, Y, alpha, loss)
    if whole.n_outputs != len(network[-1][1]):
        raise ValueError(
            f"Y has {whole.n_outputs} outputs but the last of the layers {len(network[-1][1])}; "
            "they must agree."
        )
    as_count("n_sweeps", n_sweeps, least=1)
    as_count("random_state", random_state, least=0)
    end = None if time_limit is None else time.monotonic() + as_positive("time_limit", time_limit)
    options = {"tol": as_positive("tol", tol), "scope": as_scope(scope)}
    _check_minimum(whole, len(network) - 1)
    descent = _Descent(whole, list(blocks_of(network)), {**options, "random_state": random_state})
    with InterruptNote() as note:
        try:
            descent.run(n_sweeps, end, note)
        except KeyboardInterrupt:  # between two programs
            descent.interrupted = True
    return LayerTraining(
        blocks=tuple(descent.blocks),
        objective=descent.objective,
        history=tuple(descent.history),
        certificate=descent.certificate,
        interrupted=descent.interrupted or note.pressed,
    )


def _check_minimum(problem: MultiOutputProblem, n_blocks: int) -> None:
    """Refuse losses without a minimum on features that separate: deep ones learn to.

    Inner blocks are also lowered along a gradient. One block is checked on its own data by
    `solve_multi_output`.
    """
    one: Any = getattr(problem.loss, "one", problem.loss)
    if n_blocks > 1 and not problem.loss.smooth:
        raise ValueError(
            f"loss={one.key!r} has kinks or constraints, which inner layers cannot be trained "
            "with; choose a smooth loss such as 'huber' with a small delta."
        )
    open_ended = one.name in ("multinomial", "logistic") and one.label_smoothing == 0.0
    open_ended |= one.name == "poisson" and bool((problem.live_targets == 0.0).any())
    if n_blocks > 1 and open_ended:
        remedy = "replace zeros" if one.name == "poisson" else "set label_smoothing=0.01"
        raise ValueError(
            f"loss={one.key!r} has no minimiser in a deep network: its features come to separate "
            f"the targets by an affine function, which is free. Use loss='squared', or {remedy}."
        )


@dataclass
class _Descent:
    """Blocks, their objective, and how they came to be."""

    problem: MultiOutputProblem
    blocks: list[RidgeSpline]
    options: dict[str, Any]
    history: list[LayerStep] = field(default_factory=list)
    certificate: Certificate | None = None
    interrupted: bool = False
    end: float | None = None

    def __post_init__(self) -> None:
        self.objective = self.value(self.blocks)
        self.lengths = [1.0] * len(self.blocks)

    def value(self, blocks: Sequence[RidgeSpline]) -> float:
        """Return F."""
        p = self.problem
        with np.errstate(over="ignore", invalid="ignore"):
            fit = p.s @ p.loss.value(p.targets, forward(blocks, p.X)[-1])
        return float(fit) + p.alpha * sum(p.penalty(block) for block in blocks)

    def run(self, n_sweeps: int, end: float | None, note: InterruptNote) -> None:
        """Sweep over the blocks until none moves."""
        self.end = end
        for sweep in range(n_sweeps):
            before = self.objective
            for j in range(len(self.blocks)):
                last = j == len(self.blocks) - 1
                step = self.solve_last(sweep) if last else self.move(sweep, j)
                if step is not None:
                    self.history.append(step)
                if self.interrupted or note.pressed or self.expired:
                    return
            if not self.objective < before * (1.0 - 1e-12):
                return

    @property
    def expired(self) -> bool:
        """Whether the time is over."""
        return self.end is not None and time.monotonic() >= self.end

    def solve_last(self, sweep: int) -> LayerStep:
        """Solve the last block, given the features before it."""
        p, j = self.problem, len(self.blocks) - 1
        features = forward(self.blocks[:-1], p.X)[-1]
        program = MultiOutputProblem(features, p.Y, p.alpha, p.loss)
        solution = self.solve(program, self.blocks[-1])
        proof = solution.certificate
        if not self.accept(j, solution.network):
            # The block that stays is judged, not the one that was refused.
            proof = program.certificate(
                self.blocks[-1], proof.sup_bound, proof.scope, dual_point=proof.dual_point
            )
        self.certificate = proof
        return LayerStep(sweep, j, self.objective, np.inf, proof.relative_gap, proof.scope)

    def move(self, sweep: int, j: int) -> LayerStep | None:
        """Move an earlier block to the minimiser of a majoriser below F."""
        p = self.problem
        values = forward(self.blocks, p.X)
        slope = p.s[:, None] * p.loss.gradient(p.targets, values[-1])
        gradient = backward(self.blocks[j + 1 :], values[j + 1 : -1], slope)
        unit = 1.0 / self.curvature(self.blocks[j + 1 :], values[j + 1 :])
        tau, step = self.lengths[j] * unit, None
        for _ in range(TRIALS):
            target = values[j + 1] - tau * p.n_samples * gradient
            program = MultiOutputProblem(values[j], target, p.alpha * tau)
            solution = self.solve(program, self.blocks[j])
            proof = solution.certificate
            accepted = self.accept(j, solution.network)
            length = tau if accepted else 0.0
            step = LayerStep(sweep, j, self.objective, length, proof.relative_gap, proof.scope)
            if accepted or self.interrupted or self.expired:
                break
            tau *= SHRINK
        self.lengths[j] = 2.0 * tau / unit
        return step

    def curvature(self, later: Sequence[RidgeSpline], values: Sequence[Array]) -> float:
        """Return max_i tr(J_i^T l''_i J_i), J_i the derivatives of the outputs by those of a block.

        It bounds the Gauss-Newton curvature of n L row by row; 1 where all is flat.
        """
        p = self.problem
        rows = np.broadcast_to(np.eye(p.n_outputs)[:, None, :], (p.n_outputs, *p.targets.shape))
        J = np.array([backward(later, values[:-1], slope) for slope in rows])
        blocks = p.loss.curvature(p.targets, values[-1])
        return float(np.einsum("air,iab,bir->i", J, blocks, J, optimize=True).max()) or 1.0

    def solve(self, program: MultiOutputProblem, start: RidgeSpline) -> Solution:
        """Solve a program within the time that is left."""
        left = None if self.end is None else max(self.end - time.monotonic(), 1e-3)
        solution = solve_multi_output(program, warm_start=start, time_limit=left, **self.options)
        self.interrupted |= solution.status is Status.INTERRUPTED
        return solution

    def accept(self, j: int, block: RidgeSpline) -> bool:
        """Take the block if F falls."""
        trial = [*self.blocks[:j], block, *self.blocks[j + 1 :]]
        value = self.value(trial)
        if not value < self.objective:
            return False
        self.blocks, self.objective = trial, value
        return True
