"""Safe screening: neurons that take part in no optimum.

D is 1/L strongly concave in (sum_i q_i^2 / s_i)^1/2 if dl/dz is L-Lipschitz, so that the optimal
dual point is within (2 L gap)^1/2 of a feasible one. With Psi the values of a neuron on the data
less their weighted affine fit,

    |eta_tq(w, b)| + (2 L gap)^1/2 (sum_i s_i Psi_i^2)^1/2 < alpha kappa(w, b)

implies |eta| < alpha kappa at the optimal dual point: (w, b) is inactive at every optimum (the
sphere test of El Ghaoui, Viallon and Rabbani, "Safe feature elimination", 2012, in the gap form of
Fercoq, Gramfort and Salmon, "Mind the duality gap", 2015).
"""

from __future__ import annotations

import numpy as np

from ..problems import Certificate, RadonTVProblem, Scope
from ..problems.affine import project_out_affine
from ..problems.checks import Array, as_float_array, check_problem


def inactive(
    problem: RadonTVProblem, certificate: Certificate, weights: Array, biases: Array
) -> np.ndarray:
    """Return which neurons (w_k, b_k) have amplitude 0 at every optimum of the problem.

    Parameters
    ----------
    problem : RadonTVProblem
        With a loss whose derivative is Lipschitz continuous.
    certificate : Certificate
        Of any network for this problem, scope GLOBAL; the smaller its gap, the more is screened.
    weights : array-like of shape (n_neurons, n_features)
        Normals; (w, b) may have any length, since eta and the price grow with it alike.
    biases : array-like of shape (n_neurons,)

    Returns
    -------
    ndarray of bool, shape (n_neurons,)
        False means that nothing is known.

    Raises
    ------
    ValueError
        If the certificate is not GLOBAL, has no dual point, is another problem's, the loss has no
        Lipschitz constant, or the neurons are misshapen or have a normal of 0.
    """
    check_problem(problem)
    rows = as_float_array("weights", weights, ndim=2)
    offsets = as_float_array("biases", biases, ndim=1)
    if rows.shape != (len(offsets), problem.n_features):
        raise ValueError(
            f"weights has shape {rows.shape}, but {len(offsets)} biases and {problem.n_features} "
            f"features need {(len(offsets), problem.n_features)}."
        )
    size = np.linalg.norm(rows, axis=1)
    if (size == 0.0).any():
        raise ValueError(f"weights[{int(np.argmin(size))}] is 0, which is no hyperplane; drop it.")
    rows, offsets = rows / size[:, None], offsets / size
    if not np.isfinite(problem.loss.smoothness):
        raise ValueError(
            f"screening needs a loss with Lipschitz derivative; {problem.loss.name!r} has none."
        )
    if certificate.scope is not Scope.GLOBAL:
        raise ValueError(
            f"certificate has scope {certificate.scope.name}; screening is safe with GLOBAL only, "
            "so prove it first: radontv.solvers.prove."
        )
    if certificate.dual_point is None or certificate.digest != problem.digest:
        raise ValueError("certificate has no dual point, or belongs to another problem.")
    q = certificate.scale * certificate.dual_point
    values = np.abs(problem.eta(q, rows, offsets))
    s, sampling = problem.live_weights, problem.sampling
    radius = np.sqrt(2.0 * problem.loss.smoothness * certificate.gap)
    limit = problem.alpha * problem.cost.of(rows, offsets)
    found = np.zeros(len(rows), dtype=bool)
    step = max(1, (1 << 22) // max(1, len(sampling.points)))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        hidden = np.maximum(sampling.points @ rows[part].T - offsets[part], 0.0)
        weighted = sampling.to_rows(hidden) * s[:, None]
        columns = np.column_stack(
            [project_out_affine(problem.affine, column, s) for column in weighted.T]
        )
        length = np.sqrt(np.sum(columns * columns / s[:, None], axis=0))
        # A share of rounding on both sides, well above n u.
        found[part] = (values[part] + radius * length) * (1.0 + 1e-9) < limit[part]
    return found
