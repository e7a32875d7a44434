"""
How good is a trained MLPRegressor?
===================================

scikit-learn's `MLPRegressor` with one hidden layer minimises a mean of squares plus weight decay.
Its own `alpha`, divided by the number of rows, is the price of one unit of RTV in this package, so
both speak about the same quantity, and `certify` says how far a fitted network is from the least
value that any network of any width can reach.

Two optimisers, L-BFGS and Adam, train networks of several widths on the same data, from three
starts each. Some stop at five times the optimal value, some within a thousandth of it, and only the
bound tells one from the other. Width helps both, L-BFGS more, and the optimum needs seven neurons.
A network of scikit-learn has no skip connection, while the bounds grant one to its rivals: a part
of the distance may be the price of that.
"""

import os
import sys
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from radontv import certify

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#E69F00", "#009E73", "#777777"
QUICK = bool(os.environ.get("RADONTV_EXAMPLES_QUICK"))

rng = np.random.default_rng(1)
n = 80
X = np.sort(rng.uniform(-2, 2, size=(n, 1)), axis=0)
y = np.sin(3 * X[:, 0]) + np.abs(X[:, 0]) + 0.15 * rng.normal(size=n)

# %%
# Fit and judge. A report knows the alpha of its network and translates it.
widths = (5, 20) if QUICK else (5, 10, 20, 50, 100, 200)
seeds = range(1 if QUICK else 3)
reports = {}
warnings.simplefilter("ignore", ConvergenceWarning)  # how far they came is what we want to know
for solver, max_iter in (("lbfgs", 20000), ("adam", 2000)):
    for width in widths:
        for seed in seeds:
            model = MLPRegressor(
                hidden_layer_sizes=(width,), alpha=0.2, solver=solver, max_iter=max_iter,
                max_fun=50000,
                learning_rate_init=0.01, tol=1e-6, random_state=seed,
            ).fit(X, y)  # fmt: skip
            report = certify(model, X, y, tol=1e-6)
            reports[solver, width, seed] = report
            assert report.objective <= report.trained_objective
            assert report.lower_bound <= report.objective
shown = {solver: reports[solver, 20, 0] for solver in ("lbfgs", "adam")}
for report in shown.values():
    print(report, end="\n\n")
best = min(reports.values(), key=lambda report: report.upper_bound)

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
line = np.linspace(-2.2, 2.2, 800)[:, None]
names = {"lbfgs": "L-BFGS", "adam": "Adam"}
colours = {"lbfgs": ORANGE, "adam": GREEN}
left.plot(X[:, 0], y, ".", color=GREY, ms=5, label="data")
for solver, report in shown.items():
    label = f"{names[solver]}, 20 neurons: {report.relative_suboptimality:.1%} to save"
    left.plot(line[:, 0], report.network(line), color=colours[solver], lw=1.5, label=label)
optimum = best.best
left.plot(
    line[:, 0], optimum(line), color=BLUE, lw=2,
    label=f"certified optimum, {optimum.n_neurons} neurons",
)  # fmt: skip
folds = optimum.biases / optimum.weights[:, 0]
left.plot(folds, optimum(folds[:, None]), "o", color=BLUE, mec="black", ms=6)
left.set(xlabel="x", ylabel="y", title="What was fitted (dots: folds of the optimum)")
left.legend(frameon=False, fontsize="small")

for solver, colour in colours.items():
    most = np.array([
        [reports[solver, width, seed].relative_suboptimality for seed in seeds] for width in widths
    ])  # fmt: skip
    for column, jitter in zip(most.T, np.linspace(0.95, 1.05, len(seeds)), strict=True):
        right.plot(np.array(widths) * jitter, column, "o", ms=6, color=colour, mec="black", mew=0.5)
    right.plot(widths, np.median(most, axis=1), color=colour, lw=1.5, label=names[solver])
right.axvline(optimum.n_neurons, color=BLUE, lw=1.5, ls="--")
right.text(
    optimum.n_neurons * 1.06, 0.04, f"the optimum has {optimum.n_neurons}\nneurons; some optimum\n"
    f"has at most {best.sparsity_bound}", color=BLUE, transform=right.get_xaxis_transform(),
)  # fmt: skip
right.set(
    xscale="log",
    yscale="log",
    xlabel="hidden neurons",
    ylabel="share of the objective that could be saved",
    title=f"Proved distance from the optimum ({best.scope.value})",
)
right.set_xticks(widths, [str(width) for width in widths])
right.minorticks_off()
right.set_ylim(top=4)
right.legend(frameon=False, loc="upper right", ncols=2)

if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=120)
elif plt.get_backend().lower() != "agg":
    plt.show()
