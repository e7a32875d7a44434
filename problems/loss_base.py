"""What all losses share: the protocol that problems and solvers rely on, and its defaults.

A loss is a convex function of the prediction z for a target y. With p = -dl/dz (the
*pseudo-residual*) the dual objective of a problem is D(q) = -sum_i s_i l*(y_i, -p_i), q = s p.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from scipy.optimize import minimize_scalar

from .checks import Array


@runtime_checkable
class Loss(Protocol):
    """What problems and solvers ask of a loss; all arrays have the shape of `y`."""

    name: ClassVar[str]
    quadratic: ClassVar[bool]
    """True if l is 1/2 (y - z)^2 up to rows merged by weighted means and affine shifts of y."""
    smooth: ClassVar[bool]
    """True if dl/dz exists everywhere; other losses have a `multiplier`."""
    translates: ClassVar[bool]
    """True if l depends on y - z only, so that affine functions may be taken out of y."""

    @property
    def smoothness(self) -> float:
        """Lipschitz constant L of dl/dz, infinite if there is none."""
        ...

    @property
    def key(self) -> str:
        """Name and parameters, equal for equal losses only."""
        ...

    def check_targets(self, y: Array) -> None:
        """Raise a ValueError that names the remedy if the loss is not defined for a target."""
        ...

    def value(self, y: Array, z: Array) -> Array:
        """Return l(y, z)."""
        ...

    def gradient(self, y: Array, z: Array) -> Array:
        """Return dl/dz; where that does not exist, a subgradient."""
        ...

    def curvature(self, y: Array, z: Array) -> Array:
        """Return d^2 l / dz^2, almost everywhere."""
        ...

    def conjugate(self, y: Array, v: Array) -> Array:
        """Return l*(y, v) = sup_z v z - l(y, z), infinite outside its domain."""
        ...

    def dual_interval(self, y: Array) -> tuple[Array, Array]:
        """Return the ends of the interval of p for which l*(y, -p) is finite; it contains 0."""
        ...

    def fenchel_gap(self, y: Array, z: Array, p: Array) -> Array:
        """Return l(y, z) + l*(y, -p) + p z >= 0, without cancellation."""
        ...

    def fenchel_change(self, y: Array, z: Array, p: Array, radius: Array) -> Array:
        """Return a bound of what l*(y, -p) + p z changes by if p moves by at most `radius`."""
        ...

    def dual_scale(self, y: Array, q: Array, s: Array, limit: float) -> float:
        """Return a t in [-limit, limit] with t q in the domain and D(t q) about maximal."""
        ...

    def resolution(self, s: Array, error: Array) -> float:
        """Return the objective value that errors of this size in the fit produce by themselves."""
        ...

    def multiplier(self, y: Array, v: Array, mu: float) -> Array:
        """Return p = (u - v) / mu for u = argmin_u l(y, u) + (u - v)^2 / (2 mu); -p is in dl(u)."""
        ...

    def multiplier_slope(self, y: Array, p: Array, mu: float) -> Array:
        """Return -dp/dv >= 0 of a `multiplier` p, almost everywhere."""
        ...

    def sharp(self, size: float) -> bool:
        """Return whether among residuals of this size kinks decide: solvers need a multiplier."""
        ...


class BaseLoss:
    """Defaults of `Loss` for losses with parameters as dataclass fields."""

    name: ClassVar[str] = ""
    quadratic: ClassVar[bool] = False
    smooth: ClassVar[bool] = True
    translates: ClassVar[bool] = False
    smoothness: ClassVar[float] = 1.0

    @property
    def key(self) -> str:
        """Name and parameters, as in huber(delta=1.0)."""
        own: Any = self
        if not is_dataclass(own) or not fields(own):
            return self.name
        values = ", ".join(f"{f.name}={getattr(own, f.name)!r}" for f in fields(own))
        return f"{self.name}({values})"

    def check_targets(self, y: Array) -> None:
        """Accept all finite targets."""

    def conjugate(self, y: Array, v: Array) -> Array:
        """Return l*(y, v) = sup_z v z - l(y, z), infinite outside its domain."""
        raise NotImplementedError

    def fenchel_gap(self, y: Array, z: Array, p: Array) -> Array:
        """Return l(y, z) + l*(y, -p) + p z >= 0, without cancellation."""
        raise NotImplementedError

    def fenchel_change(self, y: Array, z: Array, p: Array, radius: Array) -> Array:
        """Return a bound of what l*(y, -p) + p z changes by if p moves by at most `radius`."""
        raise NotImplementedError

    def dual_interval(self, y: Array) -> tuple[Array, Array]:
        """Return the whole line."""
        return np.full_like(y, -np.inf), np.full_like(y, np.inf)

    def dual_scale(self, y: Array, q: Array, s: Array, limit: float) -> float:
        """Return the t in [0, min(limit, 2)] with t q in the domain that maximises D(t q).

        To 1e-10. Every admissible t gives a valid bound; only t near 1 matters at an optimum.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            p = q / s
            low, high = self.dual_interval(y)
            room = np.where(p > 0, high / p, np.where(p < 0, low / p, np.inf))
        # t p must not leave the domain by a rounding.
        top = min(limit, float(room.min(initial=np.inf)) * (1.0 - 2.0**-50))
        if not top > 0.0 or not np.any(q):
            return 0.0 if not top > 0.0 else 1.0

        def negative(t: float) -> float:
            return float(s @ self.conjugate(y, -t * p))

        if top < 2.0:
            # D is concave with its maximum near 1 at a solution, mostly beyond the limit.
            nearer = top * (1.0 - 1e-7)
            if negative(top) <= negative(nearer):
                return top
        else:
            top = 2.0
        found: Any = minimize_scalar(
            negative, bounds=(0.0, top), method="bounded", options={"xatol": 1e-10 * top}
        )
        candidates = [float(found.x), top, min(1.0, top)]
        return min(candidates, key=negative)

    def resolution(self, s: Array, error: Array) -> float:
        """Return 1/2 L sum_i s_i error_i^2, for a loss without L or kinks sum_i s_i error_i."""
        if self.smooth and np.isfinite(self.smoothness):
            return 0.5 * self.smoothness * float(s @ (error * error))
        return float(s @ error)

    def multiplier(self, y: Array, v: Array, mu: float) -> Array:
        """Return p = (u - v) / mu for u = argmin_u l(y, u) + (u - v)^2 / (2 mu); -p is in dl(u)."""
        raise NotImplementedError(f"{self.name!r} is smooth; its proximal map is not needed.")

    def at_kink(self, y: Array, p: Array) -> np.ndarray:
        """Return where a `multiplier` p belongs to a u at a kink, which small moves of v keep."""
        raise NotImplementedError(f"{self.name!r} is smooth; its proximal map is not needed.")

    def multiplier_slope(self, y: Array, p: Array, mu: float) -> Array:
        """Return -dp/dv of a `multiplier` p of a piecewise linear loss: 1 / mu at kinks, else 0."""
        return np.where(self.at_kink(y, p), 1.0 / mu, 0.0)

    def sharp(self, size: float) -> bool:
        """Return whether the loss has kinks."""
        return not self.smooth


def inside(p: Array, low: Array | float, high: Array | float, value: Array) -> Array:
    """Return `value` where low <= p <= high, infinity elsewhere."""
    return np.where((p >= low) & (p <= high), value, np.inf)


def refuse(y: Array, wrong: np.ndarray, need: str, remedy: str) -> None:
    """Raise a ValueError about the first target that is wrong, if there is one."""
    if wrong.any():
        i = int(np.argmax(wrong))
        raise ValueError(
            f"y[{i}] is {y[i]:.6g}, but {need} ({int(wrong.sum())} such entries); {remedy}."
        )
