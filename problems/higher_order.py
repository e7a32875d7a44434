"""The problem of order m: ridge splines of degree m - 1 with a free polynomial part."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from math import factorial
from typing import Any, cast

import numpy as np

from .affine_fit import fit_free, least_squares, residual_size
from .balance import Balance
from .certificate import Certificate, Scope
from .checks import LARGEST, SMALLEST, Array, as_float_array, as_positive, as_weights
from .exact_fit_losses import BandLoss
from .existence import check_existence
from .losses import Loss, get_loss
from .power.certificate import certify_spline
from .power.polynomial_balance import balance_polynomials
from .power.polynomial_basis import PolynomialBasis
from .power.polynomials import Polynomial
from .power.spline import PowerSpline, as_order, truncated_power
from .problem_digest import sha256_of
from .reductions import Reduction, reduce
from .sup_oracles import SupOracle, least_sup, sup_oracle
from .weighted_samples import WeightedSamples


@dataclass(frozen=True, eq=False)
class HigherOrderProblem(WeightedSamples):
    """Minimise F(f) = sum_i s_i l(y_i, f(x_i)) + alpha sum_k |a_k| over splines of order m.

        f(x) = sum_k a_k psi_m(w_k.x - b_k) + p(x),   psi_m(t) = max(t, 0)^(m-1) / (m-1)!

    with ||w_k||_2 = 1 and a free polynomial p of degree < m. The sum is the total variation of
    order m in the Radon domain, and some minimiser has at most n - rank A_m atoms, A_m the
    monomials of degree < m on the data (Parhi and Nowak, "Banach space representer theorems for
    neural networks and ridge splines", 2021, Theorem 1). m = 2 is `RadonTVProblem`.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Inputs. The penalty depends on their units: alpha for g X is alpha g^(m-1).
    y : array-like of shape (n_samples,)
        Targets.
    alpha : float
        Penalty > 0; the loss is a weighted mean.
    order : int, default=3
        m, 2 (piecewise linear), 3 (quadratic) or 4 (cubic).
    loss : str or Loss, default="squared"
        Any loss of `RadonTVProblem`: "interpolation" is the spline of least TV of order m through
        the points.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights >= 0, normalised to sum 1 and stored as `s`.

    Raises
    ------
    TypeError, ValueError
        For arguments of the wrong kind; the message names the argument and the remedy.
    """

    X: Array
    y: Array
    alpha: float
    order: int = 3
    loss: Loss = "squared"  # type: ignore[assignment]
    sample_weight: Array | None = None
    s: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        order, loss = as_order(self.order), get_loss(self.loss)
        # Powers of the inputs, and their squares, must neither overflow nor vanish.
        X = as_float_array("X", self.X, ndim=2, largest=LARGEST ** (1.0 / (order - 1)))
        y = as_float_array("y", self.y, ndim=1)
        if X.size == 0 or len(X) != len(y):
            raise ValueError(
                f"X has shape {X.shape} and y {len(y)} entries; both need the same number of rows, "
                "at least one, and X at least one feature."
            )
        _refuse_small("X", X, SMALLEST ** (1.0 / (order - 1)))
        _refuse_small("y", y, SMALLEST)
        weights = as_weights("sample_weight", self.sample_weight, len(y))
        loss.check_targets(y[weights > 0])
        if isinstance(loss, BandLoss):
            loss.check_feasible(X[weights > 0], y[weights > 0])
        for name, value in {
            "X": X,
            "y": y,
            "alpha": as_positive("alpha", self.alpha),
            "order": order,
            "loss": loss,
            "sample_weight": None if self.sample_weight is None else weights,
            "s": weights,
        }.items():
            object.__setattr__(self, name, value)

    @property
    def degree(self) -> int:
        """Degree m - 1 of the pieces."""
        return self.order - 1

    @property
    def skip(self) -> str:
        """Named as in `RadonTVProblem`: some functions are free."""
        return "affine"

    @cached_property
    def affine(self) -> PolynomialBasis:
        """Basis of the free functions on the live rows; named as in `RadonTVProblem`."""
        return PolynomialBasis.of_order(self.live_inputs, self.live_weights, self.order)

    @cached_property
    def reduction(self) -> Reduction:
        """The same problem on distinct, centred, rotated and scaled rows.

        With x = centre + g V x' and y = affine + h y': alpha' = alpha / (g^(m-1) h).
        """
        found = reduce(self.X, self.y, self.s, self.alpha, self.loss)
        return replace(found, alpha=found.alpha / found.x_scale ** (self.degree - 1))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the problem: shapes, order, loss, alpha, X, y and the weights s."""
        n, d = self.X.shape
        arrays = (np.array([self.alpha]), self.X, self.y, self.s)
        return sha256_of(f"radontv-order-{self.order}-problem-1 {n} {d} {self.loss.key}", arrays)

    @cached_property
    def radius(self) -> float:
        """Largest distance of a live row from the mean."""
        apart = self.live_inputs - self.affine.mean
        return float(np.linalg.norm(apart, axis=1).max(initial=0.0))

    @property
    def largest_atom(self) -> float:
        """(2 radius)^(m-1) / (m-1)!, the largest value of an atom with a bias inside the data."""
        return (2.0 * self.radius) ** self.degree / factorial(self.degree)

    @property
    def sparsity_bound(self) -> int:
        """Number n - rank A_m over distinct rows: some optimum has no more atoms."""
        return self.reduction.n_distinct - self.affine.size

    def objective(self, network: PowerSpline) -> float:
        """Return F(f), with the loss and the penalty of the merged spline."""
        self.check(network)
        merged = network.merged()
        values = self.loss.value(self.live_targets, merged(self.live_inputs))
        penalty = float(np.abs(merged.amplitudes).sum())
        return float(self.live_weights @ values) + self.alpha * penalty

    def check(self, network: Any, name: str = "network") -> None:
        """Raise an error unless `network` is a spline of this order and number of features."""
        if not isinstance(network, PowerSpline):
            raise TypeError(
                f"{name} must be a PowerSpline, got {type(network).__name__}; "
                "PowerSpline.from_network makes one of order 2 from a RidgeSpline."
            )
        if network.order != self.order or network.n_features != self.n_features:
            raise ValueError(
                f"{name} has order {network.order} and {network.n_features} features, the problem "
                f"order {self.order} and {self.n_features}; they must agree."
            )

    def refit_polynomial(self, network: PowerSpline) -> PowerSpline:
        """Return the spline with the polynomial that minimises F for these atoms.

        Least squares in an orthonormal basis in two passes, Newton's method for other losses, and
        the method of multipliers for those with kinks.
        """
        return self._refit(network)[0]

    def _refit(self, network: PowerSpline) -> tuple[PowerSpline, Array]:
        """Return the refitted spline, and the pseudo-residuals p of live rows."""
        self.check(network)
        loss, y, s, X = self.loss, self.live_targets, self.live_weights, self.live_inputs
        offset = network.with_polynomial(Polynomial.zero(self.n_features))(X)
        B, size = self.affine.columns, residual_size(loss, y, s) or 1.0
        start = B.T @ (s * network.polynomial(X))
        theta, p = fit_free(loss, y, s, offset, B, start, size)
        refitted = network.with_polynomial(self.affine.polynomial(theta))
        return refitted, -loss.gradient(y, refitted(X)) if p is None else p

    def with_polynomial_of(self, network: PowerSpline, values: Array) -> PowerSpline:
        """Return the spline with the polynomial nearest to `values` (n_live,) at the live rows."""
        theta = least_squares(values, self.live_weights, self.affine.columns)
        return network.with_polynomial(self.affine.polynomial(theta))

    def polynomial_fit(self) -> PowerSpline:
        """Return the best polynomial: the optimum for alpha >= alpha_max."""
        zero = Polynomial.zero(self.n_features)
        return self.refit_polynomial(PowerSpline.of_polynomial(zero, self.order))

    def dual_point(self, network: PowerSpline) -> Array:
        """Return q = -s l'(y, f(X)) for the refitted spline, with A_m^T q = 0, shape (n,)."""
        q = np.zeros(self.n_samples)
        q[self.live] = self.live_weights * self._refit(network)[1]
        return self.project(q)

    def project(self, q: Array) -> Array:
        """Return the nearest q with A_m^T q = 0 that is zero where the weights are."""
        projected = np.zeros(self.n_samples)
        own, s = np.asarray(q)[self.live], self.live_weights
        projected[self.live] = self.balance(own / s).project(own, s)
        return projected

    def balance(self, p: Array) -> Balance:
        """Return how pseudo-residuals p of the live rows are projected inside the domain."""
        return balance_polynomials(self, p)

    def check_existence(self) -> None:
        """Raise a ValueError if a free polynomial lets the loss fall for ever."""
        try:
            check_existence(cast(Any, self))
        except ValueError as error:
            what = f"a polynomial of degree {self.degree} in X"
            raise ValueError(str(error).replace("an affine function of X", what)) from None

    def eta(self, q: Array, weights: Array, biases: Array) -> Array:
        """Return eta_q(w_k, b_k) = sum_i q_i psi_m(w_k.x_i - b_k), shape (n_neurons,)."""
        values: Array = q @ truncated_power(self.X @ weights.T - biases, self.order)
        return values

    def dual_value(self, q: Array) -> float:
        """Return D(q) = -sum_i s_i l*(y_i, -q_i / s_i); a bound on F* only if q is feasible."""
        s = self.live_weights
        return -float(s @ self.loss.conjugate(self.live_targets, -q[self.live] / s))

    def certificate(
        self,
        network: PowerSpline,
        sup_bound: float,
        scope: Scope,
        *,
        sup_attained: float | None = None,
        dual_point: Array | None = None,
    ) -> Certificate:
        """Return the certificate of `network` for a bound on sup |eta| of a dual point.

        Everything but `sup_bound` is recomputed here, from the data and the spline alone.

        Parameters
        ----------
        network : PowerSpline
        sup_bound : float
            U >= sup |eta| for the dual point, valid within `scope`.
        scope : Scope
            What `sup_bound` is worth.
        sup_attained : float, default=None
            Largest |eta| known to be attained.
        dual_point : ndarray of shape (n_samples,), default=None
            Another q than `dual_point(network)`; it is projected onto A_m^T q = 0.
        """
        self.check(network)
        return certify_spline(self, network, sup_bound, scope, sup_attained, dual_point)

    def alpha_max(self, oracle: SupOracle | None = None) -> float:
        """Return the least alpha with a polynomial optimum: min over q0 of sup |eta_q0|.

        q0 runs over the optimal multipliers of the best polynomial, see `RadonTVProblem.alpha_max`.
        The default oracle, registered by the solvers, is exact for one feature (and for order 2
        with two); otherwise it is the largest value of a search.
        """
        self.check_existence()
        constrained = isinstance(self.loss, BandLoss)
        least = least_sup(self)
        if least is not None and (constrained or (oracle is None and not self.loss.smooth)):
            return least(self)
        return (oracle or sup_oracle(self))(self, self.dual_point(self.polynomial_fit()))

    def __repr__(self) -> str:
        return (
            f"HigherOrderProblem(n_samples={self.n_samples}, n_features={self.n_features}, "
            f"alpha={self.alpha:.6g}, order={self.order}, loss={self.loss.key!r})"
        )


def _refuse_small(name: str, array: Array, smallest: float) -> None:
    top = float(np.abs(array).max(initial=0.0))
    if 0.0 < top < smallest:
        raise ValueError(
            f"{name} has magnitudes of at most {top:.3g}, whose powers vanish in float64; rescale "
            f"it above {smallest:.3g}."
        )
