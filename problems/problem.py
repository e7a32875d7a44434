"""The optimisation problem: data and formulas, no algorithms."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from .affine import AffineBasis
from .affine_refit import refit
from .balance import Balance
from .certificate import Certificate, Scope
from .checks import (
    Array,
    as_float_array,
    as_positive,
    as_weights,
    check_features,
    refuse_vanishing,
)
from .dual import eta
from .exact_fit_losses import BandLoss
from .existence import check_existence
from .losses import Loss, get_loss
from .measured_reduction import MeasuredAffine
from .measurements import as_matrix
from .network import RidgeSpline
from .network_certificate import certify_network, resolution
from .neuron_cost import FreeBias, L1Norm, check_skip, get_cost
from .problem_digest import digest_of
from .problem_reduction import reduction_of
from .reductions import Reduction
from .sampling import Sampling
from .sums import exact_sum
from .sup_oracles import SupOracle, least_sup, sup_oracle
from .weighted_samples import WeightedSamples


@dataclass(frozen=True, eq=False)
class RadonTVProblem(WeightedSamples):
    """Minimise F(f) = sum_i s_i l(y_i, f(x_i)) + alpha RTV(f) over all functions f on R^d.

    Its minimisers are ridge splines f(x) = sum_k a_k relu(w_k.x - b_k) + c.x + c0 with
    ||w_k||_2 = 1, RTV(f) = sum_k |a_k|, and some minimiser has at most n - rank [1 X] neurons
    (Parhi and Nowak, "Banach space representer theorems for neural networks and ridge splines",
    2021, Theorem 1). Training a shallow ReLU network with weight decay alpha (unpenalised biases
    and affine part) has the same minimal value.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Inputs. The penalty depends on their units; rescale features that are not comparable.
    y : array-like of shape (n_samples,)
        Targets.
    alpha : float
        Penalty > 0. The loss is a weighted *mean*, so alpha means what it means in
        `sklearn.linear_model.Lasso`.
    loss : str or Loss, default="squared"
        "squared" is 1/2 (y - f)^2. Also "huber", "absolute", "quantile", "epsilon_insensitive",
        "logistic", "hinge" and "squared_hinge" (targets -1 and 1), "poisson" (f is the log of the
        mean), "interpolation" and "tube" (constraints f = y and |f - y| <= epsilon). Parameters
        are set on objects, as in ``losses.HuberLoss(delta=0.5)``.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights >= 0, normalised to sum 1 and stored as `s`. A weight of 0 is a removed row, a
        repeated row is the sum of its weights.
    cost : {"free_bias", "penalized_bias", "no_bias", "l1_norm"} or object, default="free_bias"
        What a neuron costs: |a| |w| with free biases (RTV), |a| |(w, b)| or
        ``PenalizedBias(scale=...)``, |a| |w| for neurons through the origin, |a| |w|_1 with free
        biases, or |a| |L w| with ``WeightedNorm(L)``; the objects are in `problems.neuron_cost`.
    skip : {"affine", "none"}, default="affine"
        Which functions are free: all affine ones, or none (f = 0 then is the optimum for large
        alpha). Free biases need "affine".
    measurements : array or sparse matrix of shape (n_measurements, n_points), default=None
        M: y_i then is not f(x_i), but sum_j M_ij f(x_j); see `problems.measurements`.

    Raises
    ------
    TypeError, ValueError
        For sparse, complex, textual, non-finite or misshapen arguments; the message names the
        argument, its value and the remedy.
    """

    X: Array
    y: Array
    alpha: float
    loss: Loss = "squared"  # type: ignore[assignment]
    sample_weight: Array | None = None
    cost: FreeBias = field(default="free_bias", kw_only=True)  # type: ignore[assignment]
    skip: str = field(default="affine", kw_only=True)
    measurements: Any = field(default=None, kw_only=True)
    s: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        X = as_float_array("X", self.X, ndim=2)
        y = as_float_array("y", self.y, ndim=1)
        refuse_vanishing("X", X)
        refuse_vanishing("y", y)
        if len(X) == 0:
            raise ValueError("X has 0 samples; at least one is needed.")
        if X.shape[1] == 0:
            raise ValueError("X has 0 features; at least one is needed.")
        measured = self.measurements is not None
        if len(X) != len(y) and not measured:
            raise ValueError(f"X has {len(X)} rows but y has {len(y)} entries; they must agree.")
        if len(y) == 0:
            raise ValueError("y has 0 entries; at least one is needed.")
        weights = as_weights("sample_weight", self.sample_weight, len(y))
        loss, cost = get_loss(self.loss), get_cost(self.cost)
        check_skip(self.skip, cost)
        cost.check_features(X.shape[1])
        if measured and cost.key != FreeBias.name:
            raise ValueError(
                f"measurements need cost='free_bias', got {cost.name!r}; leave one of them out."
            )
        loss.check_targets(y[weights > 0])
        if isinstance(loss, BandLoss) and not measured:
            loss.check_feasible(X[weights > 0], y[weights > 0])
        for name, value in {
            "X": X,
            "y": y,
            "alpha": as_positive("alpha", self.alpha),
            "loss": loss,
            "cost": cost,
            "measurements": as_matrix(self.measurements, len(y), len(X)) if measured else None,
            "sample_weight": None if self.sample_weight is None else weights,
            "s": weights,
        }.items():
            object.__setattr__(self, name, value)

    @property
    def n_rows(self) -> int:
        """Number of targets: of samples, or of measurements."""
        return len(self.y)

    @cached_property
    def reduction(self) -> Reduction:
        """The same problem on distinct, centred, rotated and scaled rows."""
        return reduction_of(self)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the problem: shapes, the loss, alpha, X, y and the weights s, in hexadecimal.

        Floats count as little-endian float64, a zero without its sign; weights are normalised.
        """
        return digest_of(self)

    @cached_property
    def affine(self) -> AffineBasis:
        """Orthonormal basis of the free functions on the rows of positive weight."""
        if self.skip == "none":
            return AffineBasis.none(int(self.live.sum()), self.n_features)
        if self.measurements is not None:
            return MeasuredAffine.of_samples(self.sampling, self.live_weights)
        return AffineBasis.of(self.live_inputs, self.live_weights)

    @cached_property
    def radius(self) -> float:
        """Largest distance of a point from the mean: |eta_e| <= 2 radius sum_i |e_i|.

        In the coordinates in which neurons cost |v|; from the origin if they pass through it.
        """
        apart = self.cost.coordinates(self.sampling.points)
        if self.cost.free_bias:
            apart = apart - self.cost.coordinates(self.affine.mean[None])
        return float(np.sqrt(np.max(np.einsum("ij,ij->i", apart, apart), initial=0.0)))

    @cached_property
    def sampling(self) -> Sampling:
        """How rows look at a function."""
        return Sampling(self.X, self.live, self.measurements)

    @property
    def sparsity_bound(self) -> int:
        """Number n - rank [1 X] over distinct rows: some optimum has no more neurons.

        n without a skip connection.
        """
        rows = self.reduction.n_distinct if self.measurements is None else len(self.live_targets)
        if self.skip == "none":
            return rows
        if (
            self.measurements is not None
            or not self.cost.free_bias
            or isinstance(self.cost, L1Norm)
        ):
            return rows - int(self.affine.columns.shape[1])
        return rows - self.reduction.rank - 1

    def objective(self, network: RidgeSpline) -> float:
        """Return F(f) = sum_i s_i l(y_i, f(x_i)) + alpha times the penalty.

        Loss and RTV are those of the merged network: huge amplitudes of opposite sign on
        hyperplanes that agree to rounding would otherwise fit the data at no cost.
        """
        check_features(self, network, "network")
        merged = self.merged(network)
        targets, shifted = self.without_offset(merged)
        values = self.loss.value(targets, self.sampling.values(shifted))
        return exact_sum(self.live_weights * values) + self.alpha * self.penalty(merged)

    def without_offset(self, network: RidgeSpline) -> tuple[Array, RidgeSpline]:
        """Return live targets and network less the intercept, if the loss depends on y - z only.

        Where targets have a large offset, their differences from a network would drown in its
        rounding otherwise. What counts as met of a constraint is that of the targets as they are.
        """
        fixed = not self.loss.translates or isinstance(self.loss, BandLoss)
        if fixed or self.measurements is not None:
            return self.live_targets, network
        shifted = network.with_affine(network.coef, 0.0)
        return self.live_targets - network.intercept, shifted

    def merged(self, network: RidgeSpline) -> RidgeSpline:
        """Return the network with equal and antipodal neurons merged, if affine parts are free."""
        return network.merged() if self.skip == "affine" else network

    def penalty(self, network: RidgeSpline) -> float:
        """Return sum_k |a_k| kappa_k of merged neurons: RTV(f) for free biases.

        Without skip connection, intercept and coef are made of neurons: |c0| times the price of a
        constant, and two neurons relu(c.x) - relu(-c.x).
        """
        a, kappa = self._prices(self.merged(network))
        return exact_sum(np.abs(a) * kappa)

    def _prices(self, network: RidgeSpline) -> tuple[Array, Array]:
        """Return amplitudes and prices kappa of what `network` pays for."""
        a, kappa = network.amplitudes, self.cost.of(network.weights, network.biases)
        if self.skip == "none":
            if network.intercept != 0.0:
                a, kappa = np.append(a, network.intercept), np.append(kappa, self.cost.of_constant)
            if network.coef.any():
                size = float(np.linalg.norm(network.coef))
                a, kappa = np.append(a, [size, -size]), np.append(kappa, [1.0, 1.0])
        return a, kappa

    def atoms(self, network: RidgeSpline, q: Array) -> tuple[Array, Array, Array]:
        """Return amplitudes, eta_q and prices kappa of what `network` pays for."""
        values = self.eta(q, network.weights, network.biases)
        if self.skip == "none":
            if network.intercept != 0.0:
                values = np.append(values, float(self.sampling.to_points(q).sum()))
            if network.coef.any():
                pair = np.array([network.coef, -network.coef]) / np.linalg.norm(network.coef)
                values = np.append(values, self.eta(q, pair, np.zeros(2)))
        a, kappa = self._prices(network)
        return a, values, kappa

    def refit_affine(self, network: RidgeSpline) -> RidgeSpline:
        """Return the network with the affine part that minimises F for these neurons.

        Newton's method on theta -> sum_i s_i l(y_i, Psi a + B theta); exact in one step for the
        squared loss, a second step removes rounding. For a loss with kinks the method of
        multipliers.
        """
        return refit(self, network)[0]

    def affine_fit(self) -> RidgeSpline:
        """Return the best affine function: the optimum for alpha >= alpha_max."""
        return self.refit_affine(RidgeSpline.affine(np.zeros(self.n_features)))

    def dual_point(self, network: RidgeSpline) -> Array:
        """Return q = -s l'(y, f(X)) for the refitted network, with [1 X]^T q = 0, shape (n,)."""
        check_features(self, network, "network")
        return self._dual_point(refit(self, network)[1])

    def _dual_point(self, p: Array) -> Array:
        q = np.zeros(self.n_rows)
        q[self.live] = self.live_weights * p
        return self.project(q)

    def project(self, q: Array) -> Array:
        """Return the nearest q with [1 X]^T q = 0 that is zero where the weights are.

        Rows at the ends of the domain of l* stay there if the others suffice; see `Balance`.
        """
        live, projected = self.live, np.zeros(self.n_rows)
        own, s = np.asarray(q)[live], self.live_weights
        projected[live] = Balance.of(self, own / s).project(own, s)
        return projected

    def resolution(self, network: RidgeSpline) -> float:
        """Return the objective that rounding alone produces when the network is evaluated."""
        return resolution(self, network)

    def eta(self, q: Array, weights: Array, biases: Array) -> Array:
        """Return eta_q(w_k, b_k) = sum_i q_i relu(w_k.x_i - b_k), shape (n_neurons,).

        With measurements M the sum runs over points, with M^T q in place of q.
        """
        return eta(self.X, self.sampling.to_points(q), weights, biases)

    def dual_value(self, q: Array) -> float:
        """Return D(q) = -sum_i s_i l*(y_i, -q_i / s_i); a bound on F* only if q is feasible."""
        s = self.live_weights
        return -float(s @ self.loss.conjugate(self.live_targets, -q[self.live] / s))

    def certificate(
        self,
        network: RidgeSpline,
        sup_bound: float,
        scope: Scope,
        *,
        sup_attained: float | None = None,
        dual_point: Array | None = None,
    ) -> Certificate:
        """Return the certificate of `network` for a bound on sup |eta| of a dual point.

        Everything but `sup_bound` is recomputed here, from the data and the network alone.

        Parameters
        ----------
        network : RidgeSpline
            Any network; its affine part is refitted for the dual point, which by default is
            `dual_point(network)`.
        sup_bound : float
            U >= sup |eta| for the dual point, valid within `scope`. It is raised to the values
            found at the network's own neurons.
        scope : Scope
            What `sup_bound` is worth.
        sup_attained : float, default=None
            Largest |eta| known to be attained.
        dual_point : ndarray of shape (n_samples,), default=None
            Another q to use; it is projected onto [1 X]^T q = 0.
        """
        return certify_network(self, network, sup_bound, scope, sup_attained, dual_point)

    def alpha_max(self, oracle: SupOracle | None = None) -> float:
        """Return the least alpha with an affine optimum: min over q0 of sup |eta_q0|.

        q0 runs over the optimal multipliers of the best affine fit. There is only one if the loss
        is differentiable; with kinks (absolute, quantile, epsilon-insensitive, hinge) the least sup
        over all of them counts. For constraints (interpolation, tube) alpha_max is 0 if an affine
        function meets them, and infinite if not.

        Parameters
        ----------
        oracle : callable (problem, q) -> float, default=None
            How the sup is found; with kinks it then belongs to one q0, and bounds alpha_max from
            above. By default the search that `radontv.solvers` registers: exact for at most 2
            dimensions, otherwise the largest value that a thorough search finds.

        Raises
        ------
        ValueError
            If no affine function is best, as for logistic regression of separable classes.
        """
        check_existence(self)
        constrained = isinstance(self.loss, BandLoss)
        least = least_sup(self)
        if least is not None and (constrained or (oracle is None and not self.loss.smooth)):
            return least(self)
        return (oracle or sup_oracle(self))(self, self.dual_point(self.affine_fit()))

    def __repr__(self) -> str:
        return (
            f"RadonTVProblem(n_samples={self.n_samples}, n_features={self.n_features}, "
            f"alpha={self.alpha:.6g}, loss={self.loss.key!r})"
        )
