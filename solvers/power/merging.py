"""Fewer neurons of order m: clusters become one, dependent columns are removed."""

from __future__ import annotations

import numpy as np

from ...problems.higher_order import HigherOrderProblem
from ...problems.power.spline import PowerSpline
from ..amplitudes import refit_amplitudes
from ..core import Neurons
from ..null_space import with_independent_columns
from .core import PowerCore, lower_spline, orient, raise_neurons
from .slide import slide

RADII = (0.3, 0.1, 0.03, 1e-2, 1e-3, 1e-5)
"""Distances of planes up to which neurons of one sign are tried as one, in this order."""
MOST_FAILURES = 2
"""Trials that do not pay after which the neurons stay as they are."""


def cluster(core: PowerCore, neurons: Neurons, radius: float) -> Neurons:
    """Return one neuron for all of one sign within `radius` of the largest one among them.

    Amplitudes are added, planes averaged with them: the values change by O(radius^2) for m >= 3.
    """
    neurons = orient(neurons, core.order)
    order = np.argsort(-neurons.amplitude, kind="stable")
    free = np.ones(len(neurons), dtype=bool)
    sign, amplitude, planes = [], [], []
    for k in order:
        if not free[k]:
            continue
        away = np.abs(neurons.planes - neurons.planes[k]).max(axis=1)
        near = free & (away <= radius) & (neurons.sign == neurons.sign[k])
        near[k] = True
        free &= ~near
        weight = neurons.amplitude[near]
        mean = neurons.planes[near]
        if near.sum() > 1 and weight.sum() > 0.0:
            mean = (weight @ mean)[None] / weight.sum()
        planes.append(mean[0] / np.linalg.norm(mean[0, :-1]))
        sign.append(neurons.sign[k])
        amplitude.append(float(weight.sum()))
    return Neurons(
        np.array(sign), np.array(amplitude), np.array(planes).reshape(-1, core.d + 1)
    )  # fmt: skip


def merge_clusters(core: PowerCore, neurons: Neurons, steps: int, accuracy: float) -> Neurons:
    """Return the neurons with clusters merged, as coarsely as the objective allows.

    A merged set is refitted and slid, and taken if its objective is no larger.
    """
    value = core.state(neurons).value
    tried, failures = len(neurons) + 1, 0
    for radius in RADII:
        merged = cluster(core, neurons, radius)
        if len(merged) in (len(neurons), tried):
            continue
        tried = len(merged)
        moved = slide(core, refit_amplitudes(core, merged), steps, accuracy)
        moved = refit_amplitudes(core, moved)
        if core.state(moved).value <= value + 1e-15 * abs(value):
            return moved
        failures += 1
        if failures == MOST_FAILURES:
            break
    return neurons


def reduce_power(core: PowerCore, neurons: Neurons) -> Neurons:
    """Return neurons of independent columns, K <= n - rank A_m, with the same fitted values."""
    return with_independent_columns(core, neurons.take(neurons.amplitude > 0.0))


def sparsify_power(problem: HigherOrderProblem, network: PowerSpline) -> PowerSpline:
    """Return a spline with the same fitted values, no larger penalty and K <= n - rank A_m.

    See `reduce_power`; Parhi and Nowak, 2021, Theorem 1, for the bound.
    """
    problem.check(network)
    core = PowerCore.of_problem(problem)
    sparse = reduce_power(core, lower_spline(problem, core, network))
    return raise_neurons(problem, core, sparse)
