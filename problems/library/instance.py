"""A named problem with what is known about its optimal value."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..certificate import Scope
from ..problem import RadonTVProblem
from .recipe import Recipe, digest


@dataclass(frozen=True)
class Run:
    """How a value was obtained.

    Attributes
    ----------
    method : str
        The call.
    tolerance : float
        Relative gap that was asked for.
    time_limit : float
        Seconds after which the call had to end.
    seconds : float
        What it took, compilation excluded.
    version : str
        Of this package.
    """

    method: str
    tolerance: float
    time_limit: float
    seconds: float
    version: str

    def __str__(self) -> str:
        return (
            f"{self.method}, tol={self.tolerance:g}, time_limit={self.time_limit:g}: "
            f"{self.seconds:.2g} s, version {self.version}"
        )


@dataclass(frozen=True, eq=False)
class Instance:
    """A named problem and an interval that holds its optimal value F*.

    Attributes
    ----------
    name, family, description : str
        The family is "closed form", "gaussian", "degenerate" or "real".
    n_samples, n_features : int
    alpha : float
    best_objective : float
        Objective F of the best network known: F* is no larger.
    neurons : int
        Number of its neurons.
    lower_bound : float
        F* is no smaller, in the sense of `scope`.
    scope : Scope
        GLOBAL: proved over all neurons.
    obtained, proved : Run
        How `best_objective` and `lower_bound` were obtained.
    exact : float or None
        F* in closed form, where there is one.
    digest : str
        SHA-256 of the data for which the values hold.
    """

    name: str
    family: str
    description: str
    n_samples: int
    n_features: int
    alpha: float
    best_objective: float
    neurons: int
    lower_bound: float
    scope: Scope
    obtained: Run
    proved: Run
    exact: float | None
    digest: str
    _recipe: Recipe

    @property
    def relative_gap(self) -> float:
        """(best_objective - lower_bound) / best_objective."""
        return max(self.best_objective - self.lower_bound, 0.0) / self.best_objective

    @property
    def solved(self) -> bool:
        """True if the gap is at most the tolerance of the proof; otherwise the instance is open."""
        return self.relative_gap <= self.proved.tolerance

    @cached_property
    def problem(self) -> RadonTVProblem:
        """The problem, made when it is first asked for.

        Raises
        ------
        RuntimeError
            If the data are not those for which the values hold.
        FileNotFoundError
            If the instance needs a table of scikit-learn that is not there.
        """
        problem = self._recipe.build()
        if digest(problem) != self.digest:
            raise RuntimeError(
                f"the data of {self.name!r} are not those for which its values hold: numpy's "
                "random numbers or the tables of scikit-learn have changed."
            )
        return problem

    @classmethod
    def of(cls, recipe: Recipe, values: dict[str, Any]) -> Instance:
        """Return the instance of a recipe with its entry of values.json."""
        return cls(
            name=recipe.name,
            family=recipe.family,
            description=recipe.description,
            n_samples=values["n_samples"],
            n_features=values["n_features"],
            alpha=values["alpha"],
            best_objective=values["best_objective"],
            neurons=values["neurons"],
            lower_bound=values["lower_bound"],
            scope=Scope(values["scope"]),
            obtained=Run(**values["obtained"]),
            proved=Run(**values["proved"]),
            exact=None if recipe.exact is None else recipe.exact(),
            digest=values["digest"],
            _recipe=recipe,
        )

    def __repr__(self) -> str:
        return (
            f"Instance({self.name!r}, n_samples={self.n_samples}, n_features={self.n_features}, "
            f"F* in [{self.lower_bound:.9g}, {self.best_objective:.9g}])"
        )
