"""Losses of several outputs: the protocol, and the sum of a loss of one output over all of them.

A loss is a convex function of z_i in R^D for a target row t_i in R^D; arrays have one row per
sample. With P = -dl/dz (pseudo-residuals, (n, D)) the dual objective is
D(Q) = -sum_i s_i l*(t_i, -P_i), Q_i = s_i P_i.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from ..affine_fit import residual_size
from ..checks import Array, as_float_array, refuse_vanishing
from ..envelope import Envelope
from ..exact_fit_losses import BandLoss
from ..loss_base import Loss
from ..losses import LOSSES, get_loss


class VectorLoss(Protocol):
    """What problems and solvers ask of a loss of D outputs."""

    @property
    def key(self) -> str:
        """Name and parameters, equal for equal losses only."""
        ...

    @property
    def quadratic(self) -> bool:
        """Whether l is 1/2 ||t - z||^2, up to rows merged by means and affine shifts of t."""
        ...

    @property
    def smooth(self) -> bool:
        """Whether dl/dz exists everywhere."""
        ...

    @property
    def translates(self) -> bool:
        """Whether l depends on t - z only."""
        ...

    @property
    def smoothness(self) -> float:
        """Lipschitz constant of dl/dz in the Euclidean norm, infinite if there is none."""
        ...

    def as_targets(self, Y: Any) -> Array:
        """Return targets as they are given, checked."""
        ...

    def encode(self, Y: Array, live: np.ndarray) -> Array:
        """Return target rows (n, D); `live` says which samples count."""
        ...

    def sharp(self, T: Array, s: Array) -> bool:
        """Return whether kinks decide for targets T: solvers then need multipliers."""
        ...

    def free_outputs(self, D: int) -> Array:
        """Return an orthonormal basis (D, D') of the directions in which l is not constant."""
        ...

    def value(self, T: Array, Z: Array) -> Array:
        """Return l(t_i, z_i), shape (n,)."""
        ...

    def gradient(self, T: Array, Z: Array) -> Array:
        """Return dl/dz, shape (n, D)."""
        ...

    def curvature(self, T: Array, Z: Array) -> Array:
        """Return d^2 l / dz^2, shape (n, D, D), almost everywhere."""
        ...

    def conjugate(self, T: Array, V: Array) -> Array:
        """Return l*(t_i, V_i), infinite outside its domain, shape (n,)."""
        ...

    def fenchel_gap(self, T: Array, Z: Array, P: Array) -> Array:
        """Return l(t, z) + l*(t, -p) + p.z >= 0, without cancellation, shape (n,)."""
        ...

    def fenchel_change(self, T: Array, Z: Array, P: Array, radius: Array) -> Array:
        """Return a bound of what the Fenchel gap changes by if P_ic moves by <= radius_ic."""
        ...

    def dual_scale(self, T: Array, Q: Array, s: Array, limit: float) -> float:
        """Return the t with |t| <= limit and t Q in the domain that maximises D(t Q)."""
        ...

    def room(self, T: Array, P: Array, radius: Array) -> float:
        """Return the largest t that keeps t (P - E) in the domain for all |E_ic| <= radius_ic."""
        ...

    def pull_inside(self, T: Array, P: Array) -> Array:
        """Return P, back in the domain of l* if it left it by rounding only."""
        ...

    def metric(self, T: Array, P: Array) -> Array | None:
        """Return blocks W_i along which P_i may move, see `projection`, or None."""
        ...

    def dual_interval(self, T: Array) -> tuple[Array, Array]:
        """Return the ends of the intervals of P_ic in the domain of l*."""
        ...

    def off_domain(self, T: Array, P: Array) -> Array:
        """Return E (n, D) with P - E exactly in the affine hull of the domain of l*."""
        ...

    def resolution(self, s: Array, error: Array) -> float:
        """Return the objective value that errors of this size in the fit produce by themselves."""
        ...


class SumOfOutputs:
    """sum_c l(t_ic, z_ic) for a loss l of one output.

    Parameters
    ----------
    one : Loss
        The loss of one output.
    """

    def __init__(self, one: Loss) -> None:
        self.one = one
        self.quadratic, self.translates, self.smooth = one.quadratic, one.translates, one.smooth
        self.smoothness = one.smoothness

    @property
    def key(self) -> str:
        """Name and parameters of the loss of one output."""
        return self.one.key

    def of_output(self, c: int) -> Loss:
        """Return the loss of one output."""
        return self.one.of_output(c) if isinstance(self.one, Envelope) else self.one

    def __repr__(self) -> str:
        return f"SumOfOutputs({self.one!r})"

    def as_targets(self, Y: Any) -> Array:
        """Return targets (n, D)."""
        targets = as_float_array("Y", Y, ndim=2)
        refuse_vanishing("Y", targets)
        if targets.shape[1] == 0:
            raise ValueError("Y has 0 columns; at least one output is needed.")
        return targets

    def encode(self, Y: Array, live: np.ndarray) -> Array:
        """Return Y."""
        self.one.check_targets(Y[live].ravel())
        return Y

    def check_feasible(self, X: Array, T: Array) -> None:
        """Raise a ValueError if equal rows of X have targets that no function can meet."""
        if not isinstance(self.one, BandLoss):
            return
        for c in range(T.shape[1]):
            try:
                self.one.check_feasible(X, T[:, c])
            except ValueError as error:
                raise ValueError(f"output {c}: {error}") from None

    def sharp(self, T: Array, s: Array) -> bool:
        """Return whether the loss of some output is, for the size of its residuals."""
        return any(self.one.sharp(residual_size(self.one, t, s) or 1.0) for t in T.T)

    def free_outputs(self, D: int) -> Array:
        """Return the identity."""
        return np.eye(D)

    def value(self, T: Array, Z: Array) -> Array:
        """Return sum_c l(t_ic, z_ic)."""
        total: Array = self.one.value(T, Z).sum(axis=1)
        return total

    def gradient(self, T: Array, Z: Array) -> Array:
        """Return dl/dz entry by entry."""
        return self.one.gradient(T, Z)

    def curvature(self, T: Array, Z: Array) -> Array:
        """Return diagonal blocks."""
        return self.one.curvature(T, Z)[:, :, None] * np.eye(T.shape[1])

    def conjugate(self, T: Array, V: Array) -> Array:
        """Return sum_c l*(t_ic, V_ic)."""
        total: Array = self.one.conjugate(T, V).sum(axis=1)
        return total

    def fenchel_gap(self, T: Array, Z: Array, P: Array) -> Array:
        """Return the sum of the gaps of the outputs."""
        total: Array = self.one.fenchel_gap(T, Z, P).sum(axis=1)
        return total

    def fenchel_change(self, T: Array, Z: Array, P: Array, radius: Array) -> Array:
        """Return the sum of the changes of outputs that can move."""
        change = self.one.fenchel_change(T, Z, P, radius)
        total: Array = np.where(radius > 0.0, change, 0.0).sum(axis=1)
        return total

    def dual_scale(self, T: Array, Q: Array, s: Array, limit: float) -> float:
        """Return the best scale; all entries count as samples of one output."""
        return self.one.dual_scale(T.ravel(), Q.ravel(), np.repeat(s, T.shape[1]), limit)

    def room(self, T: Array, P: Array, radius: Array) -> float:
        """Return min over entries of end / (p +- radius)."""
        low, high = self.one.dual_interval(T)
        top, bottom = P + radius, P - radius
        with np.errstate(divide="ignore", invalid="ignore"):
            above = np.where(top > 0.0, high / top, np.inf)
            below = np.where(bottom < 0.0, low / bottom, np.inf)
        return float(min(above.min(initial=np.inf), below.min(initial=np.inf)))

    def pull_inside(self, T: Array, P: Array) -> Array:
        """Return P: gradients of one output do not leave the domain."""
        return P

    def metric(self, T: Array, P: Array) -> Array | None:
        """Return None: entries move one by one."""
        return None

    def dual_interval(self, T: Array) -> tuple[Array, Array]:
        """Return the intervals of the loss of one output."""
        return self.one.dual_interval(T)

    def off_domain(self, T: Array, P: Array) -> Array:
        """Return 0: domains are intervals."""
        return np.zeros_like(P)

    def resolution(self, s: Array, error: Array) -> float:
        """Return the sum over outputs."""
        return self.one.resolution(np.repeat(s, error.shape[1]), error.ravel())


def get_vector_loss(loss: Any) -> VectorLoss:
    """Return the loss of several outputs for a name, a loss of one output, or one of several."""
    from .multinomial_loss import MultinomialLoss

    if isinstance(loss, SumOfOutputs | MultinomialLoss):
        return loss
    if isinstance(loss, str) and loss == MultinomialLoss.name:
        return MultinomialLoss()
    if isinstance(loss, str) and loss not in LOSSES:
        known = sorted([*LOSSES, "multinomial"])
        raise ValueError(f"loss={loss!r} is unknown; with several outputs choose one of {known}.")
    return SumOfOutputs(get_loss(loss))
