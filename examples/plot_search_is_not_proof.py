"""
Search is not proof
===================

A lower bound on the optimal value needs a bound on abs(eta) over *all* neurons. Whoever looks only
at some of them finds too small a maximum, hence too small a gap, and cannot know by how much.

A popular shortcut shows it. Draw m random neurons and find the best amplitudes for them, which is a
Lasso. Among these m neurons no improvement is left, so the gap of scope DICTIONARY is zero to
rounding, for every m. The true distance from the optimum is far from zero. Branch and bound proves
a gap of scope GLOBAL, which is never less than the truth; a local search from many starts (scope
LOCAL) arrives at the same number here, but only the proof says so.
"""

import os
import sys

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import Lasso

from radontv.problems import RadonTVProblem, RidgeSpline, Scope
from radontv.solvers import prove, solve
from radontv.solvers.proof import search_sup

BLUE, ORANGE, GREEN = "#0072B2", "#E69F00", "#009E73"
QUICK = bool(os.environ.get("RADONTV_EXAMPLES_QUICK"))

# %%
# Four inputs, a few ridges and noise. First the optimum, with a proof.
rng = np.random.default_rng(2)
n, d = (60, 3) if QUICK else (100, 4)
X = rng.normal(size=(n, d))
y = np.abs(X[:, 0] - X[:, 1]) + np.sin(2 * X[:, 2]) + 0.2 * rng.normal(size=n)
problem = RadonTVProblem(X, y, alpha=0.03)
optimum = solve(problem, tol=1e-6, scope="global")
print("optimum:", optimum.certificate)


# %%
# The best network from m random neurons whose hyperplanes meet data points. Affine functions cost
# nothing: they are projected out of the columns and of y, and the problem refits them in the end.
# `alpha` has the same scale in both packages.
def best_amplitudes(weights, biases):
    """Return the best network from the given neurons."""
    affine = np.linalg.qr(np.column_stack([np.ones(n), X]))[0]
    columns = np.maximum(X @ weights.T - biases, 0)
    columns -= affine @ (affine.T @ columns)
    lasso = Lasso(problem.alpha, fit_intercept=False, tol=1e-10, max_iter=100_000)
    lasso.fit(columns, y - affine @ (affine.T @ y))
    used = lasso.coef_ != 0
    network = RidgeSpline(lasso.coef_[used], weights[used], biases[used], np.zeros(d))
    return problem.refit_affine(network)


counts = (10, 100, 1000) if QUICK else (10, 30, 100, 300, 1000, 3000, 10_000)
all_weights = rng.normal(size=(counts[-1], d))
all_weights /= np.linalg.norm(all_weights, axis=1, keepdims=True)
all_biases = np.sum(all_weights * X[rng.integers(n, size=counts[-1])], axis=1)
names = ("dictionary", "local", "global", "truth")
gaps = {name: [] for name in names}
for m in counts:
    weights, biases = all_weights[:m], all_biases[:m]
    network = best_amplitudes(weights, biases)
    q = problem.dual_point(network)
    largest = np.abs(problem.eta(q, weights, biases)).max()
    certificates = (
        problem.certificate(network, largest, Scope.DICTIONARY),
        problem.certificate(network, search_sup(problem, q), Scope.LOCAL),
        prove(problem, network, tol=1e-3, time_limit=5),
    )
    for certificate in certificates:
        gaps[certificate.scope.value].append(certificate.relative_gap)
    objective = problem.objective(network)
    gaps["truth"].append((objective - optimum.certificate.primal) / objective)
    print(f"{m} random neurons, proved: {certificates[-1]}")
assert (np.array(gaps["global"]) >= gaps["truth"]).all()

# %%
# Left: the claims. Right: how the solver gets to its own proof.
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.8), layout="constrained")
left.fill_between(counts, 1e-13, gaps["truth"], color="#EEEEEE", label="gaps in here are false")
left.plot(counts, gaps["truth"], "k:", lw=2, label="true distance from the optimum")
left.plot(counts, gaps["global"], "o-", color=GREEN, ms=6, lw=2, label="gap by proof: GLOBAL")
left.plot(counts, gaps["local"], "s", color=BLUE, ms=11, mfc="none", label="gap by search: LOCAL")
dictionary = np.maximum(gaps["dictionary"], 1e-13)
left.plot(counts, dictionary, "v-", color=ORANGE, label="gap among the m: DICTIONARY")
left.set(
    xscale="log", yscale="log", xlabel="m random neurons", ylabel="relative gap", ylim=(1e-13, 3),
    title="Optimal among m neurons is not optimal",
)  # fmt: skip
left.legend(frameon=False, fontsize=9, loc=(0.02, 0.3))
events = optimum.history
start = events[0].seconds
right.plot(
    [e.seconds - start for e in events], [max(e.gap, 1e-16) for e in events], color=BLUE, lw=1
)
for scope, fill in ((Scope.LOCAL, "white"), (Scope.GLOBAL, GREEN)):
    some = [event for event in events if event.scope is scope]
    right.plot(
        [event.seconds - start for event in some], [max(event.gap, 1e-16) for event in some],
        "o", color=BLUE, mfc=fill, ms=8, label=f"bound of scope {scope.name}",
    )  # fmt: skip
right.set(
    yscale="log",
    xlabel="seconds after the first round",
    ylabel="relative gap so far",
    title=f"The solver: {optimum.network.n_neurons} neurons, relative gap "
    f"{optimum.certificate.relative_gap:.0e}, {optimum.certificate.scope.value}",
)
right.legend(frameon=False)

if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=120)
elif plt.get_backend().lower() != "agg":
    plt.show()
