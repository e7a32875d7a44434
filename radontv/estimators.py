"""Ridge splines with scikit-learn's conventions."""

from __future__ import annotations

from typing import Any, ClassVar

from .fixed_penalty import FixedPenalty
from .regression import NetworkRegressor


class RadonTVRegressor(NetworkRegressor, FixedPenalty):
    """Regression with a shallow ReLU network of certified optimality.

    Minimises over all functions f

        sum_i s_i l(y_i, f(z_i)) + alpha RTV(f),        sum_i s_i = 1,

    where z is the standardised input and l is 1/2 (y - f)^2 unless `loss` says otherwise. The
    result is f = sum_k a_k relu(w_k.z - b_k) + c.z + c0 with ||w_k||_2 = 1 and
    RTV(f) = sum_k abs(a_k).

    Parameters
    ----------
    alpha : float, default=None
        Price of RTV, > 0, on the scale of `alpha` in `sklearn.linear_model.Lasso`. None stands
        for 0.01 alpha_max, where alpha_max is the least value for which the fit is affine (for
        losses with kinks a bound above it). With constraints it is only a unit, and None is 1.
    loss : str or object, default="squared"
        "squared", "huber", "absolute", "quantile", "epsilon_insensitive"; "poisson" for counts,
        with f the logarithm of the mean; or the constraints "interpolation", f = y, and "tube",
        |f - y| <= epsilon. Parameters are set on objects of `radontv.problems.losses`, such as
        ``HuberLoss(delta=0.5)``. Targets are not standardised: delta and epsilon are in units of
        y.
    output_norm : {"l2", "l1"}, default="l2"
        If y has several columns, what a neuron with amplitudes a_k costs: "l2", ||a_k||_2, lets
        outputs share neurons; "l1", ||a_k||_1, sums the RTVs of the outputs. The loss is the sum
        over outputs, and constraints have to be met by each of them.
    standardize : bool, default=True
        Give every feature weighted mean 0 and weighted standard deviation 1 first. The fit then
        does not depend on the units of the features. Constant features are only centred.
    tol : float, default=1e-4
        Stop when the duality gap, divided by the objective, is at most this.
    scope : {"local", "global"}, default="local"
        What the gap must be worth: "local" trusts a thorough search for violated neurons,
        "global" goes on to a proof, which can take exponentially long in many dimensions.
    time_limit : float, default=None
        Seconds of solving (without the search for alpha_max) before the best network is returned.
    max_neurons : int, default=None
        Stop, with a warning, when the network has this many neurons.
    warm_start : bool, default=False
        Start from the network of the previous fit.
    n_jobs : int, default=None
        Threads of the search.
    random_state : int, RandomState instance or None, default=0
        Seeds the starting points of the search.
    verbose : int, default=0
        1 prints a line for each round.

    Attributes
    ----------
    network_ : RidgeSpline
        The fit as a function of the *original* inputs, equal to `predict` up to rounding. Where a
        feature's offset is many times its spread, 10^k times say, it keeps k digits less than
        `predict` and `standardized_network`, which know the network of the solver.
    certificate_ : Certificate
        Objective, lower bound, gap and scope. They belong to the problem in *standardised*
        inputs: RTV depends on the units of the inputs, so `network_.rtv` differs from the RTV
        priced here. `standardized_problem` rebuilds that problem, and `standardized_network` is
        the network that was certified.
    alpha_ : float
        The `alpha` used, in standardised inputs.
    mean_, scale_ : ndarray of shape (n_features_in_,)
        z = (x - mean_) / scale_; zeros and ones if `standardize=False`.
    status_ : str
        How the solver ended, as a sentence (a value of `radontv.solvers.Status`).
    history_ : list of dict
        One record per round: the fields of `radontv.solvers.Event`.
    n_neurons_ : int
        Number of neurons.
    n_iter_ : int
        Number of rounds, at least 1.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `X` has names and all are strings.

    Notes
    -----
    Ctrl-C during `fit` ends the solver and keeps the best network so far: `fit` returns as usual,
    and, unless it meets the tolerance, `status_` says so and a `ConvergenceWarning` is given. A
    search such as `GridSearchCV` therefore counts an interrupted fit as any other, and goes on with
    the next one. To have it stop, turn the warning into an error,
    ``warnings.simplefilter("error", ConvergenceWarning)``, and use ``error_score="raise"``; fits
    that end by `time_limit` or `max_neurons` then raise too.

    Examples
    --------
    >>> import numpy as np
    >>> from radontv import RadonTVRegressor
    >>> X = np.linspace(-1, 1, 21)[:, None]
    >>> model = RadonTVRegressor(alpha=1e-3).fit(X, np.abs(X[:, 0]))
    >>> model.n_neurons_
    1
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **NetworkRegressor._parameter_constraints,
        **FixedPenalty._parameter_constraints,
    }

    def __init__(
        self,
        alpha: float | None = None,
        loss: Any = "squared",
        output_norm: str = "l2",
        standardize: bool = True,
        tol: float = 1e-4,
        scope: str = "local",
        time_limit: float | None = None,
        max_neurons: int | None = None,
        warm_start: bool = False,
        n_jobs: int | None = None,
        random_state: Any = 0,
        verbose: int = 0,
    ) -> None:
        self.alpha = alpha
        self.loss = loss
        self.output_norm = output_norm
        self.standardize = standardize
        self.tol = tol
        self.scope = scope
        self.time_limit = time_limit
        self.max_neurons = max_neurons
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose
