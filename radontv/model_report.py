"""What `certify` says about a network."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .problems import Certificate, RidgeSpline, Scope
from .solvers import Solution


@dataclass(frozen=True)
class ModelReport:
    """How far a network is from the best that its data and its penalty allow.

    All values are in units of F(f) = sum_i s_i 1/2 (y_i - f(x_i))^2 + alpha RTV(f), with weights s
    of sum 1; for estimators with another loss, that loss takes the place of the squared one. The
    optimum is over networks of any width whose biases and affine part are free.

    Attributes
    ----------
    kind : str
        What was handed in.
    certificate : Certificate
        Of the network itself, as the function that it computes: `radontv.solvers.verify` and
        `Certificate.save` accept it.
    solution : Solution
        The solver's answer to the same problem.
    trained_objective : float
        sum_i s_i 1/2 (y_i - f(x_i))^2 + alpha/2 |theta|^2 over the parameters that the training
        decays: at least `objective`, and equal if the layers are balanced.
    training_scale : float
        What the training minimised is this times `trained_objective`.
    translation : str
        Where alpha comes from.
    comparison : str
        With which networks this one is compared.
    n_samples, n_features : int
        Size of the data.
    n_hidden : int
        Hidden neurons as handed in.
    n_active : int
        Neurons, equal ones merged, whose hyperplane has rows on either side.
    has_skip : bool
        Whether the network has a skip connection.
    """

    kind: str
    certificate: Certificate
    solution: Solution = field(repr=False)
    trained_objective: float
    training_scale: float
    translation: str
    comparison: str
    n_samples: int
    n_features: int
    n_hidden: int
    n_active: int
    has_skip: bool

    @property
    def alpha(self) -> float:
        """Price of RTV."""
        return self.certificate.alpha

    @property
    def scope(self) -> Scope:
        """What the lower bound is worth; without GLOBAL it is no bound in the strict sense."""
        return self.certificate.scope

    @property
    def network(self) -> RidgeSpline:
        """The network that was handed in, in unit form and in the units of the problem."""
        network = self.certificate.network
        assert isinstance(network, RidgeSpline)  # problem.certificate always sets it
        return network

    @property
    def best(self) -> RidgeSpline:
        """The best network known: the solver's, or the one handed in."""
        better = self.solution.certificate.primal <= self.objective
        return self.solution.network if better else self.network

    @property
    def objective(self) -> float:
        """F of the function that the network computes."""
        return self.certificate.primal

    @property
    def upper_bound(self) -> float:
        """F of the best network known: the optimum is no higher."""
        return min(self.solution.certificate.primal, self.objective)

    @property
    def lower_bound(self) -> float:
        """The optimum is no lower, within `scope`."""
        own, found = self.certificate, self.solution.certificate
        if own.scope is Scope.LOCAL and own.sup_bound > found.sup_bound * (1.0 + 1e-9):
            return float(own.dual)  # this network has a neuron that the search had missed
        return float(min(max(own.dual, found.dual), self.upper_bound))

    @property
    def suboptimality(self) -> float:
        """F minus the optimum is at most this, within `scope`; rounding is included."""
        return float(self.certificate.gap)

    @property
    def relative_suboptimality(self) -> float:
        """`suboptimality` / `objective`: no network saves a larger share; 0 if below rounding."""
        return float(self.certificate.relative_gap)

    @property
    def least_suboptimality(self) -> float:
        """F minus the optimum is at least this: `best` shows it."""
        return self.objective - self.upper_bound

    @property
    def n_neurons(self) -> int:
        """Neurons of the function, equal and antipodal ones merged."""
        return self.certificate.n_neurons

    @property
    def sparsity_bound(self) -> int:
        """Number n - rank [1 X] that some optimum does not exceed (representer theorem)."""
        return self.certificate.sparsity_bound

    def __str__(self) -> str:
        share = f"{100 * self.relative_suboptimality:.3g} %"
        if self.scope is Scope.GLOBAL:
            verb, worth = "lies", "proved over all neurons"
        else:
            verb, worth = "seems to lie", "as far as a search can tell, which is no proof"
        lines = [
            f"{self.kind}, {self.n_hidden} hidden neurons, {self.n_samples} rows, "
            f"{self.n_features} features",
            f"  penalty       alpha = {self.alpha:.6g}: {self.translation}",
            f"  objective     {self.objective:.9g} as a function (loss + alpha RTV), "
            f"{self.trained_objective:.9g} as trained (loss + weight decay)",
            f"  optimum       {verb} between {self.lower_bound:.9g} and {self.upper_bound:.9g} "
            f"({self.scope.name}: {worth})",
            f"  distance      at least {self.least_suboptimality:.4g}, at most "
            f"{self.suboptimality:.4g} above the optimum, {share} of its objective",
            f"  neurons       {self.n_neurons} different, {self.n_active} of them fold between "
            f"the data; some optimum has at most {self.sparsity_bound}, the best network known "
            f"has {self.best.merged().n_neurons}",
            f"  compared with {self.comparison}",
        ]
        if not self.solution.status.solved:
            lines.append(f"  note          {self.solution.status.value}{self._search_says()}")
        return "\n".join(lines)

    def _search_says(self) -> str:
        """Return the lower bound of the search, where the proof did not come as far."""
        bounds = [e.dual for e in self.solution.history if e.scope is Scope.LOCAL]
        if self.scope is not Scope.GLOBAL or not bounds or bounds[-1] <= self.lower_bound:
            return ""
        return f" The search alone, which is no proof, puts the optimum above {bounds[-1]:.6g}."

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers and sentences, without the networks, fit for JSON."""
        return {
            "kind": self.kind,
            "alpha": self.alpha,
            "translation": self.translation,
            "training_scale": self.training_scale,
            "objective": self.objective,
            "trained_objective": self.trained_objective,
            "lower_bound": self.lower_bound,
            "upper_bound": self.upper_bound,
            "scope": self.scope.value,
            "suboptimality": self.suboptimality,
            "relative_suboptimality": self.relative_suboptimality,
            "least_suboptimality": self.least_suboptimality,
            "n_hidden": self.n_hidden,
            "n_neurons": self.n_neurons,
            "n_active": self.n_active,
            "n_neurons_best": self.best.merged().n_neurons,
            "sparsity_bound": self.sparsity_bound,
            "n_samples": self.n_samples,
            "n_features": self.n_features,
            "has_skip": self.has_skip,
            "comparison": self.comparison,
            "status": self.solution.status.value,
            "seconds": self.solution.seconds,
        }
