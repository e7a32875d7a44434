"""
Other losses: outliers, quantiles, counts, and a tube
=====================================================

The loss is an exchangeable part. Squared errors pull the fit towards outliers; the Huber and the
absolute loss bound the pull of one row, the quantile loss fits a chosen quantile instead of the
mean, the Poisson deviance fits the log of the mean of counts, and a tube asks for the function of
least RTV within a given distance of all targets.

Every fit here is proved to be within a relative 1e-6 of the best function there is, for its own
loss: kinks in the loss are no obstacle, since the multipliers of the kinks are the dual point.
"""

import os
import sys

import matplotlib.pyplot as plt
import numpy as np

from radontv.problems import RadonTVProblem, losses
from radontv.solvers import solve

BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#777777"
QUICK = bool(os.environ.get("RADONTV_EXAMPLES_QUICK"))

rng = np.random.default_rng(0)
n = 60 if QUICK else 200
x = np.sort(rng.uniform(-2, 2, size=n))
truth = np.abs(x) + 0.5 * np.maximum(x - 1, 0)
y = truth + 0.1 * rng.normal(size=n)
outliers = rng.uniform(size=n) < 0.08
y[outliers] += 3.0


def fit(x, y, loss, share):
    """Return the certified solution for `share` of the largest useful penalty."""
    problem = RadonTVProblem(x[:, None], y, 1.0, loss=loss)
    if loss.name == "tube":
        return solve(problem, tol=1e-6, scope="global")
    return solve(problem.with_alpha(share * problem.alpha_max()), tol=1e-6, scope="global")


def show(name, solution):
    proof = solution.certificate
    print(f"{name:28s} {proof.n_neurons:2d} neurons, relative gap {proof.relative_gap:.1e}")
    assert proof.relative_gap <= 1e-6, proof


# %%
figure, axes = plt.subplots(2, 2, figsize=(11, 7.5), layout="constrained")
line = np.linspace(-2, 2, 600)
ax = axes[0, 0]
ax.plot(x, y, ".", color=GREY, ms=4)
for loss, colour in (
    (losses.SquaredLoss(), ORANGE), (losses.HuberLoss(0.2), GREEN), (losses.AbsoluteLoss(), BLUE),
):  # fmt: skip
    solution = fit(x, y, loss, 0.02)
    show(loss.key, solution)
    ax.plot(line, solution.network(line[:, None]), color=colour, lw=1.8, label=loss.name)
ax.set(title="8 % outliers", xlabel="x", ylabel="y")
ax.legend(frameon=False)

# %%
# Quantiles of data whose spread grows with x.
ax = axes[0, 1]
spread = truth + (0.1 + 0.3 * (x + 2)) * rng.normal(size=n)
ax.plot(x, spread, ".", color=GREY, ms=4)
for quantile, colour in ((0.1, BLUE), (0.5, GREEN), (0.9, BLUE)):
    solution = fit(x, spread, losses.QuantileLoss(quantile), 0.03)
    show(f"quantile {quantile}", solution)
    below = float(np.mean(spread <= solution.network(x[:, None]) + 1e-9))
    ax.plot(
        line, solution.network(line[:, None]), color=colour, lw=1.8,
        label=f"{quantile:.0%} quantile, {below:.0%} of the rows below",
    )  # fmt: skip
ax.set(title="Quantiles", xlabel="x", ylabel="y")
ax.legend(frameon=False)

# %%
ax = axes[1, 0]
counts = rng.poisson(np.exp(truth)).astype(float)
solution = fit(x, counts, losses.PoissonLoss(), 0.03)
show("poisson", solution)
ax.plot(x, counts, ".", color=GREY, ms=4)
ax.plot(line, np.exp(np.abs(line) + 0.5 * np.maximum(line - 1, 0)), color="black", lw=1, ls=":",
        label="true mean")  # fmt: skip
ax.plot(line, np.exp(solution.network(line[:, None])), color=RED, lw=1.8, label="exp(f)")
ax.set(title="Counts: f is the log of the mean", xlabel="x", ylabel="count")
ax.legend(frameon=False)

# %%
ax = axes[1, 1]
clean = truth + rng.uniform(-0.15, 0.15, size=n)
solution = fit(x, clean, losses.TubeLoss(0.15), 1.0)
show("tube of radius 0.15", solution)
ax.fill_between(x, clean - 0.15, clean + 0.15, color=GREY, alpha=0.3, lw=0, label="allowed")
network = solution.network
ax.plot(line, network(line[:, None]), color=BLUE, lw=1.8,
        label=f"least RTV within the tube: {network.rtv:.3g}")  # fmt: skip
ax.set(title="A tube instead of a loss", xlabel="x", ylabel="y")
ax.legend(frameon=False)

if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=120)
elif plt.get_backend().lower() != "agg":
    plt.show()
