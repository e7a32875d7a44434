"""
The path of optima: from a straight line to interpolation
=========================================================

`alpha` is the only parameter, and `path` follows the optimum from alpha_max, where the best
function is affine, to small alpha, where it follows the data closely. Each solution starts from the
one before it and carries its own certificate.

On three measurements of scikit-learn's diabetes data (body mass index, blood pressure and a blood
serum value) the story is an honest one: the data are noisy, a slightly bent surface predicts a
little better than a straight one, and everything below that alpha only follows the noise.
"""

import os
import sys

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes

from radontv.problems import RadonTVProblem
from radontv.solvers import path

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#E69F00", "#009E73", "#777777"
QUICK = bool(os.environ.get("RADONTV_EXAMPLES_QUICK"))

# %%
# Standardised by the training rows: RTV depends on the units of the inputs.
data = load_diabetes(as_frame=True, scaled=False).frame
X, y = data[["bmi", "bp", "s5"]].to_numpy(), data["target"].to_numpy()
order = np.random.default_rng(0).permutation(len(y))
train, test = order[:300], order[300:]
mean, scale = X[train].mean(axis=0), X[train].std(axis=0)
Z = (X - mean) / scale

# %%
# Proofs along the whole path.
problem = RadonTVProblem(Z[train], y[train], alpha=1.0)
alpha_max = problem.alpha_max()
ratios = np.logspace(0, -1 if QUICK else -1.5, 5 if QUICK else 10)
solutions = path(problem, ratios * alpha_max, tol=1e-3, scope="global", time_limit=20)
certificates = [solution.certificate for solution in solutions]
errors = {
    name: [np.sqrt(np.mean((solution.network(Z[rows]) - y[rows]) ** 2)) for solution in solutions]
    for name, rows in (("training rows", train), ("test rows", test))
}
best = int(np.argmin(errors["test rows"]))
print(f"least test error at alpha = {ratios[best]:.3g} alpha_max: {solutions[best]}")

figure, axes = plt.subplots(2, 2, figsize=(10, 7), sharex=True, layout="constrained")
(neurons, variation), (error, gap) = axes
neurons.step(ratios, [c.n_neurons for c in certificates], "o-", color=BLUE, where="mid")
neurons.set(title="Neurons of the optimum", ylabel="number")
variation.plot(ratios, [s.network.rtv for s in solutions], "o-", color=BLUE)
variation.set(title="RTV", ylabel="sum of amplitudes")
for (name, values), colour in zip(errors.items(), (GREY, ORANGE), strict=True):
    error.plot(ratios, values, "o-", color=colour, label=name)
error.plot(
    ratios[best], errors["test rows"][best], "o", ms=13, mfc="none", mec="black",
    label="least test error",
)  # fmt: skip
error.set(title="Root mean square error", ylabel="disease progression")
error.legend(frameon=False)
for scope, marker in (("global", "o"), ("local", "s")):
    some = [k for k, c in enumerate(certificates) if c.scope.value == scope]
    if some:
        gaps = [max(certificates[k].relative_gap, 1e-12) for k in some]
        gap.plot(ratios[some], gaps, marker, color=GREEN, label=f"scope {scope}")
gap.axhline(1e-3, color="black", lw=1, ls="--", label="tolerance")
gap.set(yscale="log", title="Relative gap of the certificate", ylabel="gap / objective")
gap.legend(frameon=False)
for axis in axes.flat:
    axis.set_xscale("log")
    axis.axvline(ratios[best], color="black", lw=0.8, ls=":")
    axis.grid(alpha=0.25)
for axis in axes[1]:
    axis.set_xlabel(r"$\alpha / \alpha_{\max}$ (simple functions on the right)")

if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=120)
elif plt.get_backend().lower() != "agg":
    plt.show()
