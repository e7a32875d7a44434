"""How far anyone's shallow ReLU network is from the optimum."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from .fitting import NetworkEstimator
from .foreign_networks import ForeignNetwork
from .model_readers import read_network
from .model_report import ModelReport
from .problems import Certificate, RadonTVProblem, RidgeSpline
from .problems.exact_fit_losses import BandLoss
from .solvers import Solution, solve
from .weight_decay import penalty_of


def certify(
    model: Any,
    X: Any,
    y: Any,
    *,
    alpha: float | None = None,
    weight_decay: float | None = None,
    loss: str | None = None,
    decayed: str | None = None,
    sample_weight: Any = None,
    scope: str = "global",
    tol: float = 1e-3,
    time_limit: float | None = 60.0,
    n_jobs: int | None = None,
    random_state: int = 0,
) -> ModelReport:
    """Compare a trained shallow ReLU network with the certified optimum of its own problem.

    A network v.relu(W x + t) + s.x + c with weight decay minimises

        L(theta) = c (sum_i s_i 1/2 (y_i - f(x_i))^2) + lambda/2 sum_k (v_k^2 + |W_k|^2)

    where c = 1, 2, n or 2n, as the loss is a mean or a sum, with or without the 1/2. Since
    1/2 (v_k^2 + |W_k|^2) >= |v_k| |W_k| and RTV(f) <= sum_k |v_k| |W_k|, L / c is at least

        F(f) = sum_i s_i 1/2 (y_i - f(x_i))^2 + alpha RTV(f),    alpha = lambda / c,

    with equality for balanced neurons, |v_k| = |W_k|, on different hyperplanes. The least F over
    all functions, which solver and proof enclose, is therefore the least L / c over all widths. A
    network without skip connection, or with a price on its biases, can only be worse: the lower
    bound holds for it too.

    Parameters
    ----------
    model : object
        One of

        * a `RidgeSpline`, or a fitted estimator of this package with one output, such as
          `RadonTVRegressor`, or `RadonTVClassifier` with two classes, whose own loss then takes
          the place of the squared loss;
        * a fitted `sklearn.neural_network.MLPRegressor`, or a `Pipeline` that ends in one;
        * a `torch.nn.Sequential(Linear, ReLU, Linear)`, or a tuple (Sequential, Linear) whose
          second part is the skip connection that is added to the first;
        * `(W1, b1, w2, b2)` or `(W1, b1, w2, b2, skip)`, arrays of shapes (K, d), (K,), (K,),
          () and (d,), as in torch and transposed from scikit-learn;
        * `radontv.problems.Layers`.
    X : array-like of shape (n_samples, n_features)
        Inputs, as the model was trained on them.
    y : array-like of shape (n_samples,)
        Targets, as the model was trained on them.
    alpha : float, default=None
        Price of RTV, > 0. None takes it from `weight_decay` or from the model itself.
    weight_decay : float, default=None
        lambda, for instance of torch's SGD or Adam, which add lambda/2 |theta|^2 to the loss.
        (AdamW decays in another way, which minimises no such sum.)
    loss : {"mse", "half_mse", "sse", "half_sse"}, default=None
        To which loss `weight_decay` was added: the mean or the sum over all rows of the squared
        error, or of half of it. None stands for "mse", which is `torch.nn.MSELoss()`. It goes with
        `weight_decay` only.
    decayed : {"weights", "all"}, default=None
        Which parameters count in `trained_objective`: the hidden and output weights, or biases
        and skip connection too. None stands for "all" for torch, whose optimisers do so unless
        told otherwise, and "weights" for all others. It does not influence the bounds.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows in the training.
    scope : {"global", "local"}, default="global"
        Whether the lower bound is to be proved, or taken from a thorough search.
    tol : float, default=1e-3
        Relative width of the range of the optimum at which to stop.
    time_limit : float, default=60.0
        Seconds of solving and proving; None is no limit. From about six features on a proof may
        not end, and what it has proved until then is a wider range.
    n_jobs : int, default=None
        Threads; None uses all.
    random_state : int, default=0
        Seed of the search.

    Returns
    -------
    ModelReport
        `print` it; or see `suboptimality`, `lower_bound`, `upper_bound`, `scope`, `best`.

    Raises
    ------
    TypeError, ValueError
        If the model is no network with one hidden layer of ReLUs and one output, does not fit the
        data, or has weights so large that its objective overflows; or if the penalty is missing.

    Notes
    -----
    `MLPRegressor(alpha)` with squared error minimises, over batches of W total weight,
    1/2 mean (y - f)^2 + alpha / (2 W) |weights|^2, so the price of RTV is alpha m / n with m
    batches an epoch (m = 1 for L-BFGS; "adam" and "sgd" use batches of 200 rows by default) and n
    the number of rows, or the sum of their weights. `trained_objective` then is its `loss_`, at
    the final weights. With `early_stopping=True` pass the rows that were left for training.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neural_network import MLPRegressor
    >>> from radontv import certify
    >>> X = np.linspace(-1, 1, 21)[:, None]
    >>> y = np.abs(X[:, 0])
    >>> model = MLPRegressor(hidden_layer_sizes=(20,), alpha=0.1, solver="lbfgs", random_state=0)
    >>> report = certify(model.fit(X, y), X, y)
    >>> report.scope.name, report.best.n_neurons
    ('GLOBAL', 1)
    """
    if decayed not in (None, "weights", "all"):
        raise ValueError(f"decayed must be 'weights', 'all' or None, got {decayed!r}.")
    if loss is not None and weight_decay is None:
        raise ValueError(
            f"loss={loss!r} says what weight_decay was added to, but weight_decay is missing; pass "
            "it too, or leave loss out: alpha, and the penalty of a model that knows its own, need "
            "no loss."
        )
    model, X, place = _last_step(model, X)
    if isinstance(model, NetworkEstimator):
        problem = _own_problem(model, X, y, sample_weight)
        network = model.standardized_network()
        foreign = ForeignNetwork(
            type(model).__name__, network.to_layers(), has_skip=True, exact=network
        )
        place += ", in standardised inputs" if model.standardize else ""
    else:
        foreign = read_network(model)
        problem = RadonTVProblem(X, y, 1.0, sample_weight=sample_weight)
    if foreign.n_features != problem.n_features:
        raise ValueError(
            f"X has {problem.n_features} features, but the model was made for "
            f"{foreign.n_features}; pass the inputs that it was trained on."
        )
    penalty = penalty_of(model, alpha, weight_decay, loss or "mse", problem, sample_weight)
    if isinstance(model, NetworkEstimator):
        problem = problem.with_alpha(penalty.alpha)
    else:
        problem = RadonTVProblem(X, y, penalty.alpha, sample_weight=sample_weight)
    network = foreign.network(problem.X)
    _refuse_overflow(problem, network, foreign)
    solution = solve(
        problem,
        tol=tol,
        scope=scope,
        time_limit=time_limit,
        warm_start=None if foreign.exact is None else network,
        n_jobs=n_jobs,
        random_state=random_state,
    )
    everything = foreign.decays_all if decayed is None else decayed == "all"
    fit = problem.s @ problem.loss.value(problem.y, network(problem.X))
    return ModelReport(
        kind=foreign.kind + place,
        certificate=_certificate(problem, network, solution),
        solution=solution,
        trained_objective=float(fit) + 0.5 * problem.alpha * foreign.squares(everything),
        training_scale=penalty.scale,
        translation=penalty.origin,
        comparison=_comparison(foreign, everything),
        n_samples=problem.n_samples,
        n_features=problem.n_features,
        n_hidden=foreign.width,
        n_active=_count_active(problem, network),
        has_skip=foreign.has_skip,
    )


def _own_problem(model: NetworkEstimator, X: Any, y: Any, sample_weight: Any) -> RadonTVProblem:
    """Return the problem of an estimator of this package, if it has one output."""
    problem = model.standardized_problem(X, y, sample_weight)
    if not isinstance(problem, RadonTVProblem):
        raise TypeError(
            f"model is a {type(model).__name__} with {problem.n_outputs} outputs, but certify "
            "judges networks of one output; see the model's own certificate_."
        )
    return problem


def _last_step(model: Any, X: Any) -> tuple[Any, Any, str]:
    """Return the last step of a fitted pipeline, its inputs, and words for them."""
    if not isinstance(model, Pipeline):
        return model, X, ""
    if len(model) > 1:
        X = model[:-1].transform(X)
    return model[-1], X, ", in the inputs that the pipeline gives it"


def _refuse_overflow(problem: RadonTVProblem, network: RidgeSpline, model: ForeignNetwork) -> None:
    """Raise a ValueError if the objective of the network is beyond float64."""
    with np.errstate(over="ignore", invalid="ignore"):
        objective = problem.objective(network)
    if np.isinf(objective) and isinstance(problem.loss, BandLoss):
        raise ValueError(
            f"the {model.kind} does not meet the constraints of loss={problem.loss.key!r} for "
            "these data, so that its objective is infinite; pass the data of its fit, or fit it "
            "with a smaller tol."
        )
    if not np.isfinite(objective):
        largest = float(np.abs(network.amplitudes).max(initial=0.0))
        raise ValueError(
            f"the objective of the {model.kind} overflows: the largest |v_k| |W_k| of its neurons "
            f"is {largest:.3g}, for targets up to {np.abs(problem.y).max():.3g}; rescale the "
            "network, or check that it was trained on these data."
        )


def _certificate(problem: RadonTVProblem, network: RidgeSpline, solution: Solution) -> Certificate:
    """Return the certificate of a network for the dual point of a solution.

    Projecting q once more changes eta by at most 2 max |x_i - x_1| sum_i |Delta_i|.
    """
    proof = solution.certificate
    assert proof.dual_point is not None  # problem.certificate always sets it
    change = float(np.abs(problem.project(proof.dual_point) - proof.dual_point).sum())
    reach = 2.0 * float(np.linalg.norm(problem.X - problem.X[0], axis=1).max())
    return problem.certificate(
        network,
        proof.sup_bound + change * reach,
        proof.scope,
        sup_attained=proof.sup_attained,
        dual_point=proof.dual_point,
    )


def _count_active(problem: RadonTVProblem, network: RidgeSpline) -> int:
    """Return the number of merged neurons with rows on either side of the hyperplane."""
    merged = network.merged()
    side = problem.X[problem.s > 0] @ merged.weights.T - merged.biases
    return int(np.sum((side > 0).any(axis=0) & (side < 0).any(axis=0)))


def _comparison(foreign: ForeignNetwork, everything: bool) -> str:
    """Return which networks compete, and what this one lacks."""
    handicaps = []
    if not foreign.has_skip:
        handicaps.append("has no affine part")
    if not foreign.has_hidden_bias:
        handicaps.append("has no hidden biases")
    if everything:
        handicaps.append(f"pays for its biases{' and its affine part' * foreign.has_skip}")
    rivals = "networks of any width with free biases and a free affine part"
    if not handicaps:
        return f"{rivals}, like this one"
    return (
        f"{rivals}; this one {' and '.join(handicaps)}: the lower bound holds for its kind too, "
        "but may be out of its reach"
    )
