"""The optimisation problem with several outputs: data and formulas, no algorithms."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from .affine import AffineBasis
from .certificate import Certificate, Scope
from .checks import Array, as_float_array, as_positive, as_weights, refuse_vanishing
from .exact_fit_losses import BandLoss
from .network import RidgeSpline
from .problem_digest import sha256_of
from .sup_oracles import SupOracle, least_sup, sup_oracle
from .vector.affine import fit_free_outputs
from .vector.certificate import certify_outputs, resolution
from .vector.existence import check_outputs_exist
from .vector.losses import SumOfOutputs, VectorLoss, get_vector_loss
from .vector.projection import project_outputs
from .vector.reduction import VectorReduction, affine_of, reduce_outputs
from .weighted_samples import WeightedSamples

NORMS = ("l2", "l1")


@dataclass(frozen=True, eq=False)
class MultiOutputProblem(WeightedSamples):
    """Minimise F(f) = sum_i s_i l(y_i, f(x_i)) + alpha sum_k ||a_k|| over functions R^d -> R^D.

    Its minimisers are f(x) = sum_k a_k relu(w_k.x - b_k) + C x + c0 with ||w_k||_2 = 1 and a_k in
    R^D. With the norm "l2" neurons are shared by the outputs; it is what training a shallow
    network with weight decay alpha (unpenalised biases and affine part) minimises, since
    1/2 (||v||^2 + ||w||^2) >= ||v|| ||w|| (Shenouda, Parhi, Lee and Nowak, "Variation spaces for
    multi-output neural networks", 2024). "l1" charges the sum of the RTVs of the outputs.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Inputs.
    Y : array-like of shape (n_samples, n_outputs)
        Targets; class codes 0, 1, ... of shape (n_samples,) for loss="multinomial".
    alpha : float
        Penalty > 0. The loss is a weighted mean over samples and a sum over outputs.
    loss : str or Loss, default="squared"
        "multinomial" or ``MultinomialLoss(label_smoothing=...)``, or any loss of one output, summed
        over outputs; "interpolation" and "tube" have to be met by each of them.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights >= 0, normalised to sum 1 and stored as `s`.
    output_norm : {"l2", "l1"}, default="l2"
        Norm of a_k in the penalty.

    Raises
    ------
    TypeError, ValueError
        For sparse, complex, textual, non-finite or misshapen arguments; the message names the
        argument, its value and the remedy.
    """

    X: Array
    Y: Array
    alpha: float
    loss: VectorLoss = "squared"  # type: ignore[assignment]
    sample_weight: Array | None = None
    output_norm: str = field(default="l2", kw_only=True)
    s: Array = field(init=False, repr=False)
    targets: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        X = as_float_array("X", self.X, ndim=2)
        refuse_vanishing("X", X)
        loss = get_vector_loss(self.loss)
        Y = loss.as_targets(self.Y)
        if len(X) == 0:
            raise ValueError("X has 0 samples; at least one is needed.")
        if X.shape[1] == 0:
            raise ValueError("X has 0 features; at least one is needed.")
        if len(X) != len(Y):
            raise ValueError(f"X has {len(X)} rows but Y has {len(Y)}; they must agree.")
        if self.output_norm not in NORMS:
            raise ValueError(f"output_norm must be 'l2' or 'l1', got {self.output_norm!r}.")
        weights = as_weights("sample_weight", self.sample_weight, len(Y))
        targets = loss.encode(Y, weights > 0)
        if isinstance(loss, SumOfOutputs):
            loss.check_feasible(X[weights > 0], targets[weights > 0])
        for name, value in {
            "X": X,
            "Y": Y,
            "alpha": as_positive("alpha", self.alpha),
            "loss": loss,
            "sample_weight": None if self.sample_weight is None else weights,
            "s": weights,
            "targets": targets,
        }.items():
            object.__setattr__(self, name, value)

    @property
    def n_outputs(self) -> int:
        """Number D of outputs."""
        return int(self.targets.shape[1])

    @property
    def constrained(self) -> bool:
        """Whether the loss is 0 or infinite: interpolation, and tubes."""
        return isinstance(self.loss, SumOfOutputs) and isinstance(self.loss.one, BandLoss)

    @cached_property
    def reduction(self) -> VectorReduction:
        """The same problem on distinct, centred, rotated and scaled rows, in fewer outputs."""
        shared = self.output_norm == "l2"
        return reduce_outputs(self.X, self.targets, self.s, self.alpha, self.loss, rotate=shared)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the problem: shapes, loss, norm, alpha, X, Y and s, in hexadecimal.

        Floats count as little-endian float64, a zero without its sign; weights are normalised.
        """
        n, d = self.X.shape
        kind = f"{n} {d} {self.n_outputs} {self.loss.key} {self.output_norm}"
        arrays = (np.array([self.alpha]), self.X, self.Y, self.s)
        return sha256_of(f"radontv-multi-output-problem-1 {kind}", arrays)

    @cached_property
    def live_targets(self) -> Array:
        """Target rows (n_live, D) of samples with a positive weight."""
        return np.asarray(self.targets[self.live])

    @cached_property
    def affine(self) -> AffineBasis:
        """Orthonormal basis of the affine functions of one output on the live rows."""
        return AffineBasis.of(self.live_inputs, self.live_weights)

    @cached_property
    def free_outputs(self) -> Array:
        """Orthonormal directions (D, D') of outputs in which the loss is not constant."""
        return self.loss.free_outputs(self.n_outputs)

    @cached_property
    def radius(self) -> float:
        """Largest distance of a point from the mean: ||eta_E|| <= 2 radius sum_i ||E_i||."""
        apart = self.live_inputs - self.affine.mean
        return float(np.sqrt(np.max(np.einsum("ij,ij->i", apart, apart), initial=0.0)))

    @property
    def sparsity_bound(self) -> int:
        """Number (n - rank [1 X]) D' over distinct rows: some optimum has no more neurons.

        D' is the number of outputs that matter: of scores of sum 0 for classes; for the squared
        loss with norm "l2" the rank of what an affine fit leaves of the targets.
        """
        r = self.reduction
        ranked = self.output_norm == "l2" and self.loss.quadratic
        count = r.n_outputs if ranked else self.free_outputs.shape[1]
        return (r.n_distinct - r.rank - 1) * count

    @property
    def square_bound(self) -> int:
        """n^2, n distinct rows: some optimum has no more neurons however many outputs there are.

        Shenouda, Parhi, Lee and Nowak, 2024.
        """
        return self.reduction.n_distinct**2

    def objective(self, network: RidgeSpline) -> float:
        """Return F(f) of the merged network."""
        self.check_network(network)
        merged = network.merged()
        values = self.loss.value(self.live_targets, merged(self.live_inputs))
        return float(self.live_weights @ values) + self.alpha * self.penalty(merged)

    def norm(self, A: Array) -> Array:
        """Return ||a_k|| of the rows of A (K, D) in the norm of the penalty."""
        order = 2 if self.output_norm == "l2" else 1
        return np.asarray(np.linalg.norm(A, ord=order, axis=1)) if len(A) else np.zeros(0)

    def dual_norm(self, A: Array) -> Array:
        """Return the dual norm of the rows of A: Euclidean, for "l1" the largest entry."""
        order = 2 if self.output_norm == "l2" else np.inf
        return np.asarray(np.linalg.norm(A, ord=order, axis=1)) if len(A) else np.zeros(0)

    def penalty(self, network: RidgeSpline) -> float:
        """Return sum_k ||a_k|| of merged neurons."""
        return float(self.norm(network.merged().amplitudes).sum())

    def refit_affine(self, network: RidgeSpline) -> RidgeSpline:
        """Return the network with the affine part that minimises F for these neurons.

        Scores of classes are determined up to one function that is added to all: the affine part
        is the one of sum 0 over classes. For losses with kinks the method of multipliers.
        """
        return self._refit(network)[0]

    def _refit(self, network: RidgeSpline) -> tuple[RidgeSpline, Array]:
        """Return the refitted network, and the pseudo-residuals P of live rows, (n_live, D)."""
        B, V = self.affine.columns, self.free_outputs
        neurons = network.with_affine(
            np.zeros((self.n_features, self.n_outputs)), np.zeros(self.n_outputs)
        )
        X, T, s = self.live_inputs, self.live_targets, self.live_weights
        offset = neurons(X)
        start = B.T @ (s[:, None] * (network(X) - offset)) @ V
        theta, P = fit_free_outputs(self.loss, T, s, offset, B, V, start)
        refitted = network.with_affine(*affine_of(self.affine, theta @ V.T))
        return refitted, -self.loss.gradient(T, refitted(X)) if P is None else P

    def affine_fit(self) -> RidgeSpline:
        """Return the best affine function: the optimum for alpha >= alpha_max."""
        zero = np.zeros((self.n_features, self.n_outputs))
        return self.refit_affine(RidgeSpline.affine(zero, np.zeros(self.n_outputs)))

    def dual_point(self, network: RidgeSpline) -> Array:
        """Return Q = -s l'(y, f(X)) for the refitted network, [1 X]^T Q = 0, shape (n, D)."""
        self.check_network(network)
        Q = np.zeros((self.n_samples, self.n_outputs))
        Q[self.live] = self.live_weights[:, None] * self._refit(network)[1]
        return self.project(Q)

    def project(self, Q: Array) -> Array:
        """Return the nearest Q with [1 X]^T Q = 0 that is zero where the weights are."""
        projected = np.zeros(self.targets.shape)
        own, s = np.asarray(Q)[self.live], self.live_weights
        projected[self.live] = project_outputs(self.affine, self.loss, self.live_targets, own, s)
        return projected

    def eta(self, Q: Array, weights: Array, biases: Array) -> Array:
        """Return eta_Q(w_k, b_k) = sum_i Q_i relu(w_k.x_i - b_k), shape (n_neurons, D)."""
        values = np.empty((len(weights), Q.shape[1]))
        step = max(1, (1 << 22) // max(1, self.n_samples))
        for start in range(0, len(weights), step):
            part = slice(start, start + step)
            active = np.maximum(self.X @ weights[part].T - biases[part], 0.0)
            values[part] = active.T @ Q
        return values

    def dual_value(self, Q: Array) -> float:
        """Return D(Q) = -sum_i s_i l*(y_i, -Q_i / s_i); a bound on F* only if Q is feasible."""
        s = self.live_weights
        return -float(s @ self.loss.conjugate(self.live_targets, -Q[self.live] / s[:, None]))

    def resolution(self, network: RidgeSpline) -> float:
        """Return the objective that rounding alone produces when the network is evaluated."""
        return resolution(self, network)

    def certificate(
        self,
        network: RidgeSpline,
        sup_bound: float,
        scope: Scope,
        *,
        sup_attained: float | None = None,
        dual_point: Array | None = None,
    ) -> Certificate:
        """Return the certificate of `network` for a bound on sup ||eta|| of a dual point.

        Everything but `sup_bound` is recomputed here, from the data and the network alone.

        Parameters
        ----------
        network : RidgeSpline
            Any network with these outputs; its affine part is refitted for the dual point, which
            by default is `dual_point(network)`.
        sup_bound : float
            U >= sup ||eta|| in the dual norm, valid within `scope`. It is raised to the values
            found at the network's own neurons.
        scope : Scope
            What `sup_bound` is worth.
        sup_attained : float, default=None
            Largest ||eta|| known to be attained.
        dual_point : ndarray of shape (n_samples, n_outputs), default=None
            Another Q to use; it is projected onto [1 X]^T Q = 0.
        """
        self.check_network(network)
        return certify_outputs(self, network, sup_bound, scope, sup_attained, dual_point)

    def alpha_max(self, oracle: SupOracle | None = None) -> float:
        """Return the least alpha with an affine optimum: min over Q0 of sup ||eta_Q0||.

        Q0 runs over the optimal multipliers of the best affine fit, see `RadonTVProblem.alpha_max`.

        Parameters
        ----------
        oracle : callable (problem, Q) -> float, default=None
            How the sup is found; with kinks it then belongs to one Q0, and bounds alpha_max from
            above. By default the search that the solvers register.

        Raises
        ------
        ValueError
            If no affine function is best, as for classes that affine scores separate.
        """
        check_outputs_exist(self)
        least = least_sup(self)
        if least is not None and (self.constrained or (oracle is None and not self.loss.smooth)):
            return least(self)
        return (oracle or sup_oracle(self))(self, self.dual_point(self.affine_fit()))

    def check_network(self, network: Any, name: str = "network") -> None:
        """Raise an error unless this is a network with the problem's features and outputs."""
        if not isinstance(network, RidgeSpline):
            raise TypeError(
                f"{name} must be a RidgeSpline, got {type(network).__name__}; "
                "RidgeSpline.from_layers makes one from the weights of any network."
            )
        if network.n_features != self.n_features:
            raise ValueError(
                f"{name} has {network.n_features} features, the problem {self.n_features}; "
                "they must agree."
            )
        if not network.vector or network.n_outputs != self.n_outputs:
            raise ValueError(
                f"{name} has coef of shape {network.coef.shape}, the problem {self.n_outputs} "
                "outputs; coef must have a column for each."
            )

    def __repr__(self) -> str:
        return (
            f"MultiOutputProblem(n_samples={self.n_samples}, n_features={self.n_features}, "
            f"n_outputs={self.n_outputs}, alpha={self.alpha:.6g}, loss={self.loss.key!r}, "
            f"output_norm={self.output_norm!r})"
        )
