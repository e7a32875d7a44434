"""The optimisation problem: data and formulas, no algorithms."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from .affine import AffineBasis, project_out_affine
from .affine_fit import fit_smooth, fit_with_multipliers
from .certificate import Certificate, Scope
from .checks import (
    Array,
    as_float_array,
    as_positive,
    as_weights,
    check_features,
    refuse_vanishing,
)
from .dual import duality_gap, eta
from .exact_fit_losses import BandLoss
from .losses import Loss, get_loss
from .network import RidgeSpline
from .neuron_cost import FreeBias, check_skip, get_bias
from .origin_reduction import reduce_origin
from .reductions import Reduction, reduce

SupOracle = Callable[["RadonTVProblem", Array], float]
"""Returns the largest |eta_q(w, b)| that it finds for a dual point q of a problem."""


MOST_ROUNDING = 1e-9
"""Part of the objective of the best constant that may be put down to rounding."""


@dataclass(frozen=True, eq=False)
class RadonTVProblem:
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
    bias : {"free", "penalized", "none"} or object, default="free"
        What a neuron costs: |a| |w| with free biases (RTV), |a| |(w, b)| or
        ``PenalizedBias(scale=...)``, or |a| |w| for neurons through the origin.
    skip : {"affine", "none"}, default="affine"
        Which functions are free: all affine ones, or none (f = 0 then is the optimum for large
        alpha). Free biases need "affine".

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
    bias: FreeBias = field(default="free", kw_only=True)  # type: ignore[assignment]
    skip: str = field(default="affine", kw_only=True)
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
        if len(X) != len(y):
            raise ValueError(f"X has {len(X)} rows but y has {len(y)} entries; they must agree.")
        weights = as_weights("sample_weight", self.sample_weight, len(X))
        loss, bias = get_loss(self.loss), get_bias(self.bias)
        check_skip(self.skip, bias)
        loss.check_targets(y[weights > 0])
        if isinstance(loss, BandLoss):
            loss.check_feasible(X[weights > 0], y[weights > 0])
        for name, value in {
            "X": X,
            "y": y,
            "alpha": as_positive("alpha", self.alpha),
            "loss": loss,
            "bias": bias,
            "sample_weight": None if self.sample_weight is None else weights,
            "s": weights,
        }.items():
            object.__setattr__(self, name, value)

    @property
    def n_samples(self) -> int:
        """Number of rows of X."""
        return len(self.X)

    @property
    def n_features(self) -> int:
        """Number of columns of X."""
        return int(self.X.shape[1])

    @cached_property
    def reduction(self) -> Reduction:
        """The same problem on distinct, centred, rotated and scaled rows."""
        given = self.X, self.y, self.s, self.alpha, self.loss
        return reduce(*given) if self.bias.free_bias else reduce_origin(*given, self.bias, self.skip)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the problem: shapes, the loss, alpha, X, y and the weights s, in hexadecimal.

        Floats count as little-endian float64, a zero without its sign; weights are normalised.
        """
        n, d = self.X.shape
        kind = self.loss.key
        if not (self.bias.free_bias and self.skip == "affine"):
            kind += f" bias={self.bias.key} skip={self.skip}"
        digest = hashlib.sha256(f"radontv-problem-1 {n} {d} {kind}\n".encode())
        for values in (np.array([self.alpha]), self.X, self.y, self.s):
            digest.update((values + 0.0).astype("<f8").tobytes())
        return digest.hexdigest()

    @cached_property
    def affine(self) -> AffineBasis:
        """Orthonormal basis of the free functions on the rows of positive weight."""
        if self.skip == "none":
            return AffineBasis.none(int(self._live.sum()), self.n_features)
        return AffineBasis.of(self.X[self._live], self.s[self._live])

    @cached_property
    def _radius(self) -> float:
        """Largest distance of a row from the mean: |eta_e| <= 2 radius sum_i |e_i|."""
        apart = self.X[self._live] - self.affine.mean
        return float(np.sqrt(np.max(np.einsum("ij,ij->i", apart, apart), initial=0.0)))

    @cached_property
    def _live(self) -> np.ndarray:
        return self.s > 0

    @property
    def sparsity_bound(self) -> int:
        """Number n - rank [1 X] over distinct rows: some optimum has no more neurons.

        n without a skip connection.
        """
        if self.skip == "none":
            return self.reduction.n_distinct
        if not self.bias.free_bias:
            return self.reduction.n_distinct - self.affine.rank - 1
        return self.reduction.n_distinct - self.reduction.rank - 1

    def with_alpha(self, alpha: float) -> RadonTVProblem:
        """Return the problem with another penalty."""
        return replace(self, alpha=alpha)

    def objective(self, network: RidgeSpline) -> float:
        """Return F(f) = sum_i s_i l(y_i, f(x_i)) + alpha times the penalty.

        Loss and RTV are those of the merged network: huge amplitudes of opposite sign on
        hyperplanes that agree to rounding would otherwise fit the data at no cost.
        """
        check_features(self, network, "network")
        live, merged = self._live, self._merged(network)
        values = self.loss.value(self.y[live], merged(self.X[live]))
        return float(self.s[live] @ values) + self.alpha * self.penalty(merged)

    def _merged(self, network: RidgeSpline) -> RidgeSpline:
        # What merging moves into the affine part must be free.
        return network.merged() if self.skip == "affine" else network

    def penalty(self, network: RidgeSpline) -> float:
        """Return sum_k |a_k| kappa_k of merged neurons: RTV(f) for free biases.

        Without skip connection, intercept and coef are made of neurons: |c0| times the price of a
        constant, and two neurons relu(c.x) - relu(-c.x).
        """
        a, _, kappa = self._atoms(self._merged(network), np.zeros(self.n_samples))
        return float(np.abs(a) @ kappa)

    def _atoms(self, network: RidgeSpline, q: Array) -> tuple[Array, Array, Array]:
        """Return amplitudes, eta_q and prices kappa of what `network` pays for."""
        a, kappa = network.amplitudes, self.bias.of(network.weights, network.biases)
        values = self.eta(q, network.weights, network.biases)
        if self.skip == "none":
            coef, size = network.coef, float(np.linalg.norm(network.coef))
            if network.intercept != 0.0:
                a, kappa = np.append(a, network.intercept), np.append(kappa, self.bias.of_constant)
                values = np.append(values, float(q.sum()))
            if size > 0.0:
                pair = np.array([coef, -coef]) / size
                a, kappa = np.append(a, [size, -size]), np.append(kappa, [1.0, 1.0])
                values = np.append(values, self.eta(q, pair, np.zeros(2)))
        return a, values, kappa

    def refit_affine(self, network: RidgeSpline) -> RidgeSpline:
        """Return the network with the affine part that minimises F for these neurons.

        Newton's method on theta -> sum_i s_i l(y_i, Psi a + B theta); exact in one step for the
        squared loss, a second step removes rounding. For a loss with kinks the method of
        multipliers.
        """
        return self._refit(network)[0]

    def _refit(self, network: RidgeSpline) -> tuple[RidgeSpline, Array]:
        """Return the network with refitted affine part, and the pseudo-residuals p (n_live,)."""
        live, B = self._live, self.affine.columns
        if self.skip == "none" and self.loss.smooth:
            return network, -self.loss.gradient(self.y[live], network(self.X[live]))
        y, s = self.y[live], self.s[live]
        offset = network(self.X[live])
        if self.skip == "affine":
            offset = network.with_affine(np.zeros(self.n_features), 0.0)(self.X[live])
        if self.loss.quadratic:
            theta = B.T @ (s * (y - offset))
            theta = theta + B.T @ (s * (y - offset - B @ theta))
        else:
            own = network(self.X[live]) - offset
            start = B.T @ (s * own)
            if self.loss.smooth:
                theta = fit_smooth(self.loss, y, s, offset, B, start)
            else:
                theta, p = fit_with_multipliers(self.loss, y, s, offset, B, self._spread)
        refitted = network
        if self.skip == "affine":
            refitted = network.with_affine(*self.affine.evaluate(theta))
        if self.loss.smooth:
            p = -self.loss.gradient(y, refitted(self.X[live]))
        return refitted, p

    @property
    def _spread(self) -> float:
        """Size of the residuals of a constant fit: the natural mu of an `Envelope`."""
        y, s = self.y[self._live], self.s[self._live]
        size = float(s @ np.abs(y - s @ y)) if self.loss.translates else 1.0
        return size if size > 0.0 else 1.0

    def affine_fit(self) -> RidgeSpline:
        """Return the best affine function: the optimum for alpha >= alpha_max."""
        return self.refit_affine(RidgeSpline.affine(np.zeros(self.n_features)))

    def dual_point(self, network: RidgeSpline) -> Array:
        """Return q = -s l'(y, f(X)) for the refitted network, with [1 X]^T q = 0, shape (n,)."""
        check_features(self, network, "network")
        return self._dual_point(self._refit(network)[1])

    def _dual_point(self, p: Array) -> Array:
        q = np.zeros(self.n_samples)
        q[self._live] = self.s[self._live] * p
        return self.project(q)

    def project(self, q: Array) -> Array:
        """Return the nearest q with [1 X]^T q = 0 that is zero where the weights are.

        Rows at the ends of the domain of l* stay there if the others suffice.
        """
        live, projected = self._live, np.zeros(self.n_samples)
        own, s = np.asarray(q)[live], self.s[live]
        movable = self._movable(own / s)
        projected[live] = project_out_affine(self.affine, own, s, movable)
        return projected

    def _movable(self, p: Array) -> np.ndarray:
        """Return which p are clear of the ends of the domain of l*."""
        low, high = self.loss.dual_interval(self.y[self._live])
        clear = 1e-9 * np.minimum(high - low, 1.0)
        inner: np.ndarray = (p >= low + clear) & (p <= high - clear)
        return inner

    def evaluation_error(self, network: RidgeSpline) -> Array:
        """Return a bound of the rounding error of y_i - f(x_i) and of sums over rows, per row.

        (n + d + K + 8) u times the sum of the absolute values of the terms of y_i - f(x_i), u the
        unit roundoff of float64; zero-weight rows are left out.
        """
        X = np.abs(self.X[self._live])
        terms = np.abs(self.y[self._live]) + X @ np.abs(network.coef) + abs(network.intercept)
        hidden = X @ np.abs(network.weights.T) + np.abs(network.biases)
        terms += hidden @ np.abs(network.amplitudes)
        count = len(X) + self.n_features + network.n_neurons + 8
        error: Array = count * 0.5 * np.finfo(np.float64).eps * terms
        return error

    def resolution(self, network: RidgeSpline) -> float:
        """Return the objective that rounding alone produces when the network is evaluated.

        `Loss.resolution` of 8 e_i, e_i the error of `evaluation_error`: with residuals no larger
        than e the terms of a gap add up to less than that. Never more than the
        larger of 1e-9 sum_i s_i l(y_i, mean y) and what rounding the targets produces: a
        network whose values rounding changes by more (huge terms that cancel, an offset that hides
        the targets) has not been evaluated, and its gap must not count as 0.
        """
        s, y = self.s[self._live], self.y[self._live]
        own = self.loss.resolution(s, 8.0 * self.evaluation_error(network))
        mean = float(y[0] + s @ (y - y[0]))
        spread = float(s @ self.loss.value(y, np.full_like(y, mean))) if self.loss.translates else 1.0
        targets = self.loss.resolution(s, 0.5 * np.finfo(np.float64).eps * np.abs(y))
        return min(own, max(MOST_ROUNDING * spread, targets))

    def eta(self, q: Array, weights: Array, biases: Array) -> Array:
        """Return eta_q(w_k, b_k) = sum_i q_i relu(w_k.x_i - b_k), shape (n_neurons,)."""
        return eta(self.X, q, weights, biases)

    def dual_value(self, q: Array) -> float:
        """Return D(q) = -sum_i s_i l*(y_i, -q_i / s_i); a bound on F* only if q is feasible."""
        live = self._live
        s = self.s[live]
        return -float(s @ self.loss.conjugate(self.y[live], -q[live] / s))

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
        with np.errstate(over="ignore", invalid="ignore"):
            primal, tiny = self.objective(network), np.finfo(float).tiny
        met = not isinstance(self.loss, BandLoss)
        if not np.isfinite(primal) and met:
            raise ValueError(
                f"the objective of the network is {primal}; it overflows, so rescale the network's "
                "amplitudes or the data."
            )
        live = self._live
        y, s = self.y[live], self.s[live]
        merged = fitted = self._merged(network)
        if self.loss.smooth or dual_point is None:
            merged = fitted = self.refit_affine(merged)
        z = fitted(self.X[live])
        q = self.dual_point(merged) if dual_point is None else self.project(dual_point)
        amplitudes, values, kappa = self._atoms(merged, q)
        sizes = np.abs(values) / kappa
        attained = max(float(sizes.max(initial=0.0)), sup_attained or 0.0)
        # What holds must hold for a vector nearby that is in the null space exactly.
        radius = self.affine.radius(q[live], s, self._movable(q[live] / s))
        spare = 2.0 * self._radius * float(s @ radius)
        bound = max(float(sup_bound), attained) + spare
        proved = duality_gap(
            self.loss,
            y,
            s,
            z,
            q[live],
            amplitudes,
            values,
            self.alpha * kappa,
            self.alpha,
            bound,
            self.evaluation_error(fitted),
            radius,
            spare,
        )
        resolution = self.resolution(fitted)
        # q = 0 is a dual point too: no objective is below sum_i s_i inf l(y_i, .).
        least = -float(s @ self.loss.conjugate(y, np.zeros_like(y)))
        if np.isfinite(primal):
            gain = self._gain_of_refit(network, fitted, primal)
            gap = float(min(proved.gap + gain, primal - least))
            dual = primal - gap
        else:
            gap, dual = np.inf, max(self.dual_value(proved.scale * q), least)
        return Certificate(
            primal=primal,
            dual=dual,
            gap=gap,
            relative_gap=0.0 if gap <= resolution else gap / max(abs(primal), tiny),
            sup_bound=bound,
            sup_attained=attained,
            scope=scope,
            alpha=self.alpha,
            scale=proved.scale,
            n_neurons=merged.n_neurons,
            sparsity_bound=self.sparsity_bound,
            resolution=resolution,
            network=network,
            dual_point=q,
            digest=self.digest,
        )

    def _gain_of_refit(self, network: RidgeSpline, fitted: RidgeSpline, primal: float) -> float:
        """Return an upper bound of F(network) - F(fitted), rounding of both included."""
        live = self._live
        slope = self.s[live] * self.loss.gradient(self.y[live], network(self.X[live]))
        better = self.objective(fitted)
        if not better < np.inf:
            return 0.0
        count = len(slope) + network.n_neurons + 8
        rounding = count * np.finfo(float).eps * (abs(primal) + abs(better))
        rounding += 2.0 * float(np.abs(slope) @ self.evaluation_error(network))
        return max(primal - better, 0.0) + rounding

    def alpha_max(self, oracle: SupOracle | None = None) -> float:
        """Return sup |eta_q0| at the best affine fit: the optimum is affine iff alpha is no less.

        Parameters
        ----------
        oracle : callable (problem, q) -> float, default=None
            How the sup is found. By default the search that `radontv.solvers` registers: exact
            for at most 2 dimensions, otherwise the largest value that a thorough search finds.
        """
        search = oracle or _ORACLE.get("sup")
        if search is None:
            raise RuntimeError("alpha_max needs an oracle; import radontv.solvers to have one.")
        return search(self, self.dual_point(self.affine_fit()))

    def __repr__(self) -> str:
        return (
            f"RadonTVProblem(n_samples={self.n_samples}, n_features={self.n_features}, "
            f"alpha={self.alpha:.6g}, loss={self.loss.key!r})"
        )


_ORACLE: dict[str, SupOracle] = {}


def register_sup_oracle(oracle: SupOracle) -> None:
    """Set the default oracle of `alpha_max`; solvers call this, since rooms know no algorithm."""
    _ORACLE["sup"] = oracle
