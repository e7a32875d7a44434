"""Losses: value, derivatives, conjugate and its domain, one small class per loss.

A loss is a convex function of the prediction z for a target y. With p = -dl/dz (the
*pseudo-residual*) the dual objective of a problem is D(q) = -sum_i s_i l*(y_i, -p_i), q = s p.
"""

from __future__ import annotations

from typing import ClassVar, Protocol, runtime_checkable

import numpy as np

from .checks import Array


@runtime_checkable
class Loss(Protocol):
    """What problems and solvers ask of a loss; all arrays have the shape of `y`."""

    name: ClassVar[str]
    quadratic: ClassVar[bool]
    """True if l is 1/2 (y - z)^2 up to rows merged by weighted means and affine shifts of y."""
    smoothness: ClassVar[float]
    """Lipschitz constant L of dl/dz."""

    def value(self, y: Array, z: Array) -> Array:
        """Return l(y, z)."""
        ...

    def gradient(self, y: Array, z: Array) -> Array:
        """Return dl/dz."""
        ...

    def curvature(self, y: Array, z: Array) -> Array:
        """Return d^2 l / dz^2."""
        ...

    def conjugate(self, y: Array, v: Array) -> Array:
        """Return l*(y, v) = sup_z v z - l(y, z), infinite outside its domain."""
        ...

    def fenchel_gap(self, y: Array, z: Array, p: Array) -> Array:
        """Return l(y, z) + l*(y, -p) + p z >= 0, without cancellation."""
        ...

    def dual_scale(self, y: Array, q: Array, s: Array, limit: float) -> float:
        """Return the t in [-limit, limit] with t q in the domain that maximises D(t q)."""
        ...

    def resolution(self, s: Array, error: Array) -> float:
        """Return the objective value that errors of this size in the fit produce by themselves."""
        ...


class SquaredLoss:
    """l(y, z) = 1/2 (y - z)^2, conjugate l*(y, v) = y v + v^2 / 2 on all of R."""

    name: ClassVar[str] = "squared"
    quadratic: ClassVar[bool] = True
    smoothness: ClassVar[float] = 1.0

    def value(self, y: Array, z: Array) -> Array:
        """Return 1/2 (y - z)^2."""
        residual: Array = y - z
        return 0.5 * residual * residual

    def gradient(self, y: Array, z: Array) -> Array:
        """Return z - y."""
        return z - y

    def curvature(self, y: Array, z: Array) -> Array:
        """Return 1."""
        return np.ones_like(z)

    def conjugate(self, y: Array, v: Array) -> Array:
        """Return y v + v^2 / 2."""
        return y * v + 0.5 * v * v

    def fenchel_gap(self, y: Array, z: Array, p: Array) -> Array:
        """Return 1/2 (y - z - p)^2."""
        difference: Array = y - z - p
        return 0.5 * difference * difference

    def dual_scale(self, y: Array, q: Array, s: Array, limit: float) -> float:
        """Return clip(q.y / sum_i q_i^2 / s_i, -limit, limit), the maximiser of a parabola in t."""
        top = float(np.abs(q).max(initial=0.0))
        if top == 0.0:
            return 1.0
        unit = q / top
        best = float(unit @ y) / (top * float(np.sum(unit * unit / s)))
        return float(np.clip(best, -limit, limit))

    def resolution(self, s: Array, error: Array) -> float:
        """Return 1/2 sum_i s_i error_i^2."""
        return 0.5 * float(s @ (error * error))

    def __repr__(self) -> str:
        return "SquaredLoss()"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return hash(type(self))


LOSSES: dict[str, type[SquaredLoss]] = {SquaredLoss.name: SquaredLoss}
"""The losses by the name that `RadonTVProblem(loss=...)` accepts."""


def get_loss(loss: str | Loss) -> Loss:
    """Return the loss of that name, or `loss` itself if it already is one."""
    if isinstance(loss, str):
        if loss not in LOSSES:
            raise ValueError(f"loss={loss!r} is unknown; choose one of {sorted(LOSSES)}.")
        return LOSSES[loss]()
    if not isinstance(loss, Loss):
        raise TypeError(
            f"loss must be one of {sorted(LOSSES)} or an object with the methods of "
            f"radontv.problems.losses.Loss, got {loss!r}."
        )
    return loss
