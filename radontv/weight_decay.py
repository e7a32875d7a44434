"""From the weight decay of other programs to the price of RTV."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.neural_network import MLPRegressor

from .fitting import NetworkEstimator
from .problems import RadonTVProblem
from .problems.checks import as_positive

LOSSES = {
    "mse": (2.0, False),
    "half_mse": (1.0, False),
    "sse": (2.0, True),
    "half_sse": (1.0, True),
}
"""Loss of a training run: its factor before 1/2 (y - f)^2, and whether it is a sum, not a mean."""


@dataclass(frozen=True)
class Penalty:
    """The price of RTV.

    Parameters
    ----------
    alpha : float
    scale : float
        c, what the training minimises in units of the objective of this package.
    origin : str
        Where alpha comes from, in words.
    """

    alpha: float
    scale: float
    origin: str


def penalty_of(
    model: Any,
    alpha: float | None,
    weight_decay: float | None,
    loss: str,
    problem: RadonTVProblem,
    sample_weight: Any,
) -> Penalty:
    """Return alpha = lambda / c, where the training loss is c sum_i s_i 1/2 (y_i - f(x_i))^2.

    c is 1 for "half_mse", 2 for "mse", W for "half_sse" and 2 W for "sse", W the sum of the weights
    (n without weights). The arguments are those of `certify`; `problem` knows the number of rows.
    """
    if alpha is not None and weight_decay is not None:
        raise ValueError("alpha and weight_decay both set the penalty; pass one of them.")
    if loss not in LOSSES:
        raise ValueError(f"loss={loss!r} is unknown; choose one of {sorted(LOSSES)}.")
    total = float(problem.n_samples if sample_weight is None else np.sum(np.asarray(sample_weight)))
    rows = f"{problem.n_samples} rows" if sample_weight is None else f"total weight {total:g}"
    if alpha is not None:
        return Penalty(as_positive("alpha", alpha), 1.0, "as given, the price of RTV")
    if weight_decay is not None:
        decay = as_positive("weight_decay", weight_decay)
        factor, is_sum = LOSSES[loss]
        scale = factor * (total if is_sum else 1.0)
        by = " / ".join([f"{factor:g}"] * (factor > 1) + [rows] * is_sum)
        origin = f"weight_decay {decay:g}" + (f" / {by}" if by else "") + f", for the loss {loss!r}"
        return Penalty(decay / scale, scale, origin)
    if isinstance(model, NetworkEstimator):
        return Penalty(model.alpha_, 1.0, "the model's own alpha_")
    if isinstance(model, MLPRegressor):
        return _of_mlp(model, problem.n_samples, total, rows)
    raise ValueError(
        "alpha is missing, and the model does not know its penalty; pass alpha (the price of RTV) "
        "or weight_decay (with loss, if the loss was not a mean of squares)."
    )


def _of_mlp(model: MLPRegressor, n: int, total: float, rows: str) -> Penalty:
    """Return alpha m / W for m batches and W the sum of the weights, n without weights.

    A batch of B rows is charged alpha / (2 B) |weights|^2, and an epoch averages its batches with
    the weights B / n: alpha m / (2 n) |weights|^2.
    """
    if not model.alpha > 0:
        raise ValueError(
            f"the model has alpha={model.alpha!r}, no weight decay, so nothing bounds its RTV; "
            "pass the alpha or weight_decay > 0 that it shall be judged by."
        )
    batches = 1
    if model.solver != "lbfgs":
        size = 200 if model.batch_size == "auto" else int(model.batch_size)
        batches = math.ceil(n / min(max(size, 1), n))
    origin = f"MLPRegressor's alpha {model.alpha:g}" + f" * {batches} batches" * (batches > 1)
    held = ", if these rows are those that early_stopping left" * (
        bool(model.early_stopping) and model.solver != "lbfgs"
    )
    return Penalty(model.alpha * batches / total, 1.0, f"{origin} / {rows}{held}")
