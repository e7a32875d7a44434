"""What is proved about a network: primal value, dual value, gap, and the scope of the proof."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import Enum
from os import PathLike
from typing import TYPE_CHECKING, Any

from .checks import Array
from .network import RidgeSpline

if TYPE_CHECKING:
    from .power.spline import PowerSpline


class Scope(Enum):
    """What the bound on sup |eta|, and therefore the gap, is worth."""

    GLOBAL = "global"
    """Proved for every neuron in R^d, with outward rounding margins."""
    LOCAL = "local"
    """The largest value that a thorough search found: no proof."""
    DICTIONARY = "dictionary"
    """Exact, but only over the finite dictionary that a solver was given."""

    @property
    def meaning(self) -> str:
        """Return the scope as half a sentence."""
        return {
            Scope.GLOBAL: "proved over all neurons",
            Scope.LOCAL: "over all neurons that a search found, not a proof",
            Scope.DICTIONARY: "over the given dictionary only",
        }[self]


def as_scope(scope: Any) -> Scope:
    """Return what solvers can be asked for as a `Scope`; raise a ValueError for anything else."""
    if scope in (Scope.LOCAL, Scope.GLOBAL, Scope.LOCAL.value, Scope.GLOBAL.value):
        return Scope(scope)
    raise ValueError(f"scope must be 'local' or 'global', got {scope!r}.")


@dataclass(frozen=True)
class Certificate:
    """A network's distance from optimality: F* lies in [dual, primal].

    Attributes
    ----------
    primal : float
        F(f) = sum_i s_i l(y_i, f(x_i)) + alpha RTV(f).
    dual : float
        Lower bound of the optimal value F*, valid within `scope`.
    gap : float
        primal - dual, rounding error included, never negative.
    relative_gap : float
        gap / |primal|; 0 if the gap is at most `resolution`.
    sup_bound : float
        U >= sup |eta(w, b)| (not divided by alpha), valid within `scope`.
    sup_attained : float
        Largest |eta| seen at a neuron.
    scope : Scope
        What `sup_bound` is worth.
    alpha : float
        Penalty of the problem; the network is optimal if the sup is alpha or less.
    scale : float
        The factor t applied to the dual point.
    n_neurons, sparsity_bound : int
        Number of neurons, and the number that some optimum never exceeds, n - rank [1 X].
    resolution : float
        Objective value that rounding in float64 alone can produce; a smaller gap means zero.
    network : RidgeSpline or PowerSpline, default=None
        The network that the certificate is about.
    dual_point : ndarray of shape (n_samples,), default=None
        The q of the original rows whose sup |eta| was bounded, before the factor t.
    digest : str, default=""
        `RadonTVProblem.digest` of the problem.

    The last three make the certificate checkable by others; see `save` and
    `radontv.solvers.verify`. They take no part in comparisons.
    """

    primal: float
    dual: float
    gap: float
    relative_gap: float
    sup_bound: float
    sup_attained: float
    scope: Scope
    alpha: float
    scale: float
    n_neurons: int
    sparsity_bound: int
    resolution: float = 0.0
    network: RidgeSpline | PowerSpline | None = field(default=None, repr=False, compare=False)
    dual_point: Array | None = field(default=None, repr=False, compare=False)
    digest: str = field(default="", repr=False, compare=False)

    def __str__(self) -> str:
        return (
            f"objective {self.primal:.9g}, optimum >= {self.dual:.9g}, "
            f"relative gap {self.relative_gap:.2e} ({self.scope.name}: {self.scope.meaning}), "
            f"{self.n_neurons} neurons (some optimum has at most {self.sparsity_bound})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain numbers and strings, fit for JSON; see `save` for arrays."""
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _ARRAYS}
        return {**plain, "scope": self.scope.value}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Certificate:
        """Return the certificate that `to_dict` wrote."""
        return cls(**{**fields, "scope": Scope(fields["scope"])})

    def save(self, path: str | PathLike[str]) -> None:
        """Write everything that a check needs, but the data, to one JSON file.

        `load` returns the same certificate, every number exactly. The data are not written: who
        checks has to state the problem, and the digest tells whether it is the same one.

        Parameters
        ----------
        path : str or path-like
            File to write; an old one is replaced only when the new one is complete.

        Raises
        ------
        ValueError
            If the certificate has no network or no dual point, as one made by `from_dict`.
        """
        from .certificate_file import save_certificate

        save_certificate(self, path)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Certificate:
        """Return the certificate that `save` wrote.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is damaged, holds NaN or inconsistent shapes, or is something else.
        """
        from .certificate_file import load_certificate

        return load_certificate(path)


_ARRAYS = ("network", "dual_point")
