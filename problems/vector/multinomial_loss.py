"""The loss of classes: log-likelihood of a softmax (multinomial logistic regression)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import kl_div, log_softmax, logsumexp, softmax, xlogy

from ..checks import Array, as_count, as_float_array
from ..rounding import UNIT_ROUNDOFF


@dataclass(frozen=True)
class MultinomialLoss:
    """l(t, z) = log sum_c exp(z_c) - t.z, t the probabilities of the classes, z_c their scores.

    A class code y becomes the row t with t_y = 1 - label_smoothing and label_smoothing / (C - 1)
    elsewhere. Adding one number to all scores changes nothing: gradients sum to 0 over classes,
    and the conjugate is finite only where pi = v + t is a probability vector:
    l*(t, v) = sum_c pi_c log pi_c.

    Parameters
    ----------
    label_smoothing : float, default=0.0
        In [0, 1/2). Without it there is no minimiser if an affine function separates a class.
    n_classes : int, default=None
        C; None stands for the largest code plus 1, at least 2.
    """

    label_smoothing: float = 0.0
    n_classes: int | None = None
    name: ClassVar[str] = "multinomial"
    quadratic: ClassVar[bool] = False
    smooth: ClassVar[bool] = True
    translates: ClassVar[bool] = False
    smoothness: ClassVar[float] = 0.5

    def __post_init__(self) -> None:
        value = float(self.label_smoothing)
        if not 0.0 <= value < 0.5:
            raise ValueError(f"label_smoothing must be in [0, 0.5), got {self.label_smoothing!r}.")
        object.__setattr__(self, "label_smoothing", value)
        if self.n_classes is not None:
            as_count("n_classes", self.n_classes, least=2)

    @property
    def key(self) -> str:
        """Name and parameters."""
        return (
            f"{self.name}(label_smoothing={self.label_smoothing!r}, n_classes={self.n_classes!r})"
        )

    def as_targets(self, Y: Any) -> Array:
        """Return class codes (n,)."""
        return as_float_array("Y", Y, ndim=1)

    def encode(self, Y: Array, live: np.ndarray) -> Array:
        """Return the probabilities t (n, C) of codes 0, 1, ..."""
        wrong = (Y != np.floor(Y)) | (Y < 0) | (Y >= 1e6)
        if wrong.any():
            i = int(np.argmax(wrong))
            raise ValueError(
                f"Y[{i}] is {Y[i]:.6g}, but loss='multinomial' needs class codes 0, 1, 2, ... "
                f"({int(wrong.sum())} such entries); encode classes as scikit-learn's "
                "LabelEncoder does."
            )
        codes = Y.astype(np.intp)
        largest = int(codes.max(initial=0))
        count = max(largest + 1, 2) if self.n_classes is None else self.n_classes
        if largest >= count:
            raise ValueError(f"Y has the class code {largest}, but n_classes is {count}; raise it.")
        present = np.bincount(codes[live], minlength=count) > 0
        if self.label_smoothing == 0.0 and not present.all():
            raise ValueError(
                f"no sample of positive weight has class {int(np.argmin(present))} of {count}: its "
                "score has no minimiser; renumber the classes or use label_smoothing > 0."
            )
        rest = self.label_smoothing / (count - 1)
        targets = np.full((len(Y), count), rest)
        targets[np.arange(len(Y)), codes] = 1.0 - self.label_smoothing
        return targets

    def sharp(self, T: Array, s: Array) -> bool:
        """Return False."""
        return False

    def free_outputs(self, D: int) -> Array:
        """Return an orthonormal basis (C, C - 1) of the scores of sum 0 (Helmert, 1876)."""
        basis = np.zeros((D, D - 1))
        for c in range(1, D):
            basis[:c, c - 1], basis[c, c - 1] = 1.0, -float(c)
            basis[:, c - 1] /= np.sqrt(c * (c + 1.0))
        return basis

    def value(self, T: Array, Z: Array) -> Array:
        """Return log sum_c exp(z_c) - t.z, from the largest score m: no small value cancels.

        log(1 + sum_c exp(z_c - m)) + sum_c t_c (m - z_c), the first sum without the c of m.
        """
        below: Array = Z.max(axis=1, keepdims=True) - Z
        rest = np.exp(-below)
        rest[np.arange(len(Z)), np.argmax(Z, axis=1)] = 0.0
        total: Array = np.log1p(rest.sum(axis=1)) + (T * below).sum(axis=1)
        return total

    def gradient(self, T: Array, Z: Array) -> Array:
        """Return softmax(z) - t."""
        return np.asarray(softmax(Z, axis=1)) - T

    def curvature(self, T: Array, Z: Array) -> Array:
        """Return diag(pi) - pi pi^T, pi = softmax(z)."""
        pi = np.asarray(softmax(Z, axis=1))
        blocks: Array = pi[:, :, None] * (np.eye(T.shape[1]) - pi[:, None, :])
        return blocks

    def conjugate(self, T: Array, V: Array) -> Array:
        """Return sum_c pi_c log pi_c, pi = v + t a probability vector (to rounding)."""
        pi = T + V
        inside = (pi >= -1e-14).all(axis=1) & (np.abs(pi.sum(axis=1) - 1.0) <= 1e-9)
        entropy = xlogy(np.maximum(pi, 0.0), np.maximum(pi, 0.0)).sum(axis=1)
        return np.where(inside, entropy, np.inf)

    def fenchel_gap(self, T: Array, Z: Array, P: Array) -> Array:
        """Return the divergence KL(pi, softmax(z)), pi = t - p; softmax may underflow."""
        pi, share = np.maximum(T - P, 0.0), np.asarray(softmax(Z, axis=1))
        tiny = share < 1e-290
        far = xlogy(pi, pi) - pi * np.asarray(log_softmax(Z, axis=1)) - pi
        terms = np.where(tiny, far, kl_div(pi, np.where(tiny, 1.0, share)))
        gap: Array = terms.sum(axis=1)
        return gap

    def fenchel_change(self, T: Array, Z: Array, P: Array, radius: Array) -> Array:
        """Return sum_c radius_c max |log softmax_c - log pi_c|; near pi_c = 0 a modulus.

        A move of sum 0 does not see constants, one that brings the sum of P back to 0 sees
        |lse z| + 1 times that sum. Rounding of the sums over classes is added.
        |x log x - x' log x'| <= -r log r for |x - x'| <= r <= 0.3.
        """
        r = np.minimum(radius, 0.3)
        pi, log = T - P, np.asarray(log_softmax(Z, axis=1))
        inner = pi > 2.0 * r
        a, e = np.where(inner, pi, 1.0), np.where(inner, r, 0.0)
        steep = np.maximum(np.abs(log - np.log(a + e)), np.abs(log - np.log(a - e)))
        moved = np.where(inner, radius * steep, np.abs(log) * radius - 2.0 * xlogy(r, r))
        level = np.abs(np.asarray(logsumexp(Z, axis=1))) + 1.0
        rounding = 8.0 * (T.shape[1] + 4) * UNIT_ROUNDOFF
        total: Array = level * (np.abs(P.sum(axis=1)) + rounding)
        total += np.where(radius > 0.0, moved, 0.0).sum(axis=1)
        return total

    def dual_scale(self, T: Array, Q: Array, s: Array, limit: float) -> float:
        """Return the t in [0, limit] with t Q in the domain that maximises D(t Q), to 1e-10."""
        P = self.pull_inside(T, Q / s[:, None])
        top = min(limit, self.room(T, P, np.zeros_like(P)))
        if not top > 0.0 or not np.any(Q):
            return 0.0 if not top > 0.0 else 1.0

        def negative(t: float) -> float:
            return float(s @ self.conjugate(T, -t * P))

        if top < 2.0 and negative(top) <= negative(top * (1.0 - 1e-7)):
            # D is concave with its maximum near 1 at a solution, mostly beyond the limit.
            return top
        top = min(top, 2.0)
        found: Any = minimize_scalar(
            negative, bounds=(0.0, top), method="bounded", options={"xatol": 1e-10 * top}
        )
        return min([float(found.x), top, min(1.0, top)], key=negative)

    def room(self, T: Array, P: Array, radius: Array) -> float:
        """Return min t_c / (p_c + radius_c): pi = t - scale p must not be negative."""
        top = P + radius
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            above = np.where(top > 0.0, T / top, np.inf)
        return float(above.min(initial=np.inf))

    def pull_inside(self, T: Array, P: Array) -> Array:
        """Return P with rounding beyond pi_c = 0 taken back; the largest pi_c makes up for it.

        Rows whose sum is more than rounding lose their mean first.
        """
        sums = P.sum(axis=1)
        wrong = np.abs(sums) > 1e-12 * np.maximum(np.abs(P).sum(axis=1), 1e-300)
        P = P - np.where(wrong, sums / P.shape[1], 0.0)[:, None]
        pi = T - P
        beyond = (pi < 0.0) & (pi > -1e-12)
        if not beyond.any():
            return P
        moved = np.where(beyond, pi, 0.0)
        inside: Array = np.where(beyond, T, P)
        inside[np.arange(len(P)), np.argmax(pi, axis=1)] -= moved.sum(axis=1)
        return inside

    def metric(self, T: Array, P: Array) -> Array | None:
        """Return diag(pi) - pi pi^T / sum_c pi_c: moves have sum 0 and are small where pi is."""
        pi = np.maximum(T - P, 0.0)
        total = np.maximum(pi.sum(axis=1), 1e-300)
        blocks: Array = -pi[:, :, None] * (pi / total[:, None])[:, None, :]
        # pi_c (1 - share_c) without cancellation.
        every = np.arange(T.shape[1])
        blocks[:, every, every] = 0.0
        blocks[:, every, every] = -blocks.sum(axis=2)
        return blocks

    def dual_interval(self, T: Array) -> tuple[Array, Array]:
        """Return t - 1 and t, the ends where pi_c is 1 and 0."""
        return T - 1.0, np.array(T)

    def off_domain(self, T: Array, P: Array) -> Array:
        """Return the sum of each row of P at the entry with the largest pi."""
        away = np.zeros_like(P)
        sums = [math.fsum(row) for row in P.tolist()]
        away[np.arange(len(P)), np.argmax(T - P, axis=1)] = sums
        return away

    def resolution(self, s: Array, error: Array) -> float:
        """Return 1/2 L sum_i s_i ||error_i||^2, L = 1/2."""
        return 0.25 * float(s @ (error * error).sum(axis=1))
