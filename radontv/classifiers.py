"""Classification with ridge splines, with scikit-learn's conventions."""

from __future__ import annotations

from typing import Any, ClassVar

from .classification import NetworkClassifier
from .fixed_penalty import FixedPenalty


class RadonTVClassifier(NetworkClassifier, FixedPenalty):
    """Classification with a shallow ReLU network of certified optimality.

    With two classes it minimises over all functions f

        sum_i s_i l(y_i, f(z_i)) + alpha RTV(f),        sum_i s_i = 1, y_i = -1 or 1,

    where z is the standardised input; see `RadonTVRegressor` for f and RTV. With C > 2 classes and
    loss="logistic" f has C outputs, l is the log-likelihood of their softmax, and a neuron with
    amplitudes a_k costs alpha ||a_k||_2, so that the classes share neurons. With the other losses
    there is one such problem for each class against all others.

    Parameters
    ----------
    alpha : float, default=None
        Price of RTV, > 0. None stands for 0.01 alpha_max, where alpha_max is the least value for
        which the fit is affine (for loss="hinge" a bound above it).
    loss : {"logistic", "hinge", "squared_hinge"}, default="logistic"
        log(1 + exp(-y f)), which gives probabilities; max(0, 1 - y f); or half the square of that.
    label_smoothing : float or "auto", default="auto"
        In [0, 1/2), for loss="logistic": a label counts as its class with probability
        1 - label_smoothing, the rest being shared by the other classes. "auto" is 0 if an optimum
        exists. It does not if an affine function separates a class, so that the loss falls for
        ever as coefficients grow; then "auto" is 0.01.
    class_weight : dict, "balanced" or None, default=None
        Factors > 0 of the sample weights, by class, 1 for classes that are not named; "balanced"
        gives all classes the same total.
    standardize : bool, default=True
        Give every feature weighted mean 0 and weighted standard deviation 1 first; the weights
        are those of samples times classes.
    tol : float, default=1e-4
        Stop when the duality gap, divided by the objective, is at most this.
    scope : {"local", "global"}, default="local"
        What the gap must be worth: "local" trusts a thorough search for violated neurons,
        "global" goes on to a proof, which can take exponentially long in many dimensions.
    time_limit : float, default=None
        Seconds of solving (without the search for alpha_max) before the best network is returned.
    max_neurons : int, default=None
        Stop, with a warning, when the network has this many neurons; for each class where there is
        one problem for each.
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
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted.
    label_smoothing_ : float
        The label smoothing used.
    network_ : RidgeSpline
        The scores as a function of the *original* inputs: one output for two classes, otherwise
        one for each class.
    certificate_ : Certificate
        Objective, lower bound, gap and scope, in standardised inputs, as in `RadonTVRegressor`. For
        one problem for each class it is the sum of theirs, without a dual point.
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
    Ctrl-C during `fit` keeps the best network so far, as in `RadonTVRegressor`.

    Examples
    --------
    >>> import numpy as np
    >>> from radontv import RadonTVClassifier
    >>> X = np.linspace(-1, 1, 40)[:, None]
    >>> y = np.where(np.abs(X[:, 0]) < 0.5, "inside", "outside")
    >>> model = RadonTVClassifier(alpha=1e-2).fit(X, y)
    >>> model.score(X, y), model.n_neurons_
    (1.0, 2)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **NetworkClassifier._parameter_constraints,
        **FixedPenalty._parameter_constraints,
    }

    def __init__(
        self,
        alpha: float | None = None,
        loss: str = "logistic",
        label_smoothing: Any = "auto",
        class_weight: Any = None,
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
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.standardize = standardize
        self.tol = tol
        self.scope = scope
        self.time_limit = time_limit
        self.max_neurons = max_neurons
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose
