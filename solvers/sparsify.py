"""Reduction of an optimal network to an extreme point of the set of optima."""

from __future__ import annotations

from ..problems import RadonTVProblem, RidgeSpline
from ..problems.checks import check_features
from .core import Core, Neurons
from .kinds import Problem, special_sparsifier
from .merging import merge_cells
from .null_space import with_independent_columns


def sparsify(problem: Problem, network: RidgeSpline) -> RidgeSpline:
    """Return a network with the same fitted values, no larger RTV and K <= n - rank [1 X].

    With B the columns sign(a_k) P Psi_k (P removes affine functions) and m_k = |a_k|: while B has
    dependent columns, take h != 0 with B h = 0 and 1.h <= 0, and move m to m + tau h until an
    entry vanishes. Fitted values do not change and sum m does not grow (Parhi and Nowak, 2021, for
    the bound; the reduction is Caratheodory's).
    """
    if not isinstance(problem, RadonTVProblem):
        thinned: RidgeSpline = special_sparsifier(problem)(problem, network)
        return thinned
    check_features(problem, network, "network")
    core = Core.of(problem)
    lowered = core.from_network(problem.reduction.lower_network(network))
    return problem.reduction.raise_network(core.to_network(reduce_neurons(core, lowered)))


def reduce_neurons(core: Core, neurons: Neurons) -> Neurons:
    """Return neurons of independent columns with the same fitted values; see `sparsify`."""
    return with_independent_columns(core, merge_cells(core, neurons.take(neurons.amplitude > 0)))
