"""
Trained networks against the certified optimum
==============================================

A shallow ReLU network with a skip connection, trained with weight decay, minimises

    (1/n) sum_i 1/2 (y_i - f(x_i))^2 + (alpha/2) sum_k (v_k^2 + |omega_k|^2),

and for balanced weights the second term is alpha RTV(f). So the certified optimum of this package
is the best that any training run can reach, at any width, and its lower bound D is one that no
network can get below.

Here L-BFGS trains networks of several widths from random starts, and each is compared with D. It is
given every advantage: it runs until it makes no more progress or for 3000 iterations, RTV is
charged instead of the weight decay, which is no smaller, and the affine part is refitted.
"""

import os
import sys

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import minimize

from radontv.problems import RadonTVProblem, RidgeSpline
from radontv.solvers import solve

BLUE, ORANGE, GREY = "#0072B2", "#E69F00", "#777777"
QUICK = bool(os.environ.get("RADONTV_EXAMPLES_QUICK"))

rng = np.random.default_rng(0)
n, d = 80, 2
X = rng.uniform(-1, 1, size=(n, d))
y = np.cos(4 * X[:, 0]) * X[:, 1] + np.abs(X[:, 0] + X[:, 1]) + 0.1 * rng.normal(size=n)
problem = RadonTVProblem(X, y, alpha=2e-3)
solution = solve(problem, tol=1e-8, scope="global")
certificate = solution.certificate
print(certificate)
own_gap = max(certificate.relative_gap, 1e-16)  # a logarithmic axis has no zero


# %%
# Loss and gradient of the layers omega, tau, v, skip and bias, as one vector.
def loss(theta, width):
    """Return the objective with weight decay, and its gradient."""
    omega, tau, v, skip, bias = unpack(theta, width)
    before = X @ omega.T + tau
    hidden = np.maximum(before, 0)
    residual = hidden @ v + X @ skip + bias - y
    value = residual @ residual / (2 * n) + problem.alpha / 2 * (v @ v + np.sum(omega**2))
    back = (before > 0) * np.outer(residual / n, v)
    gradient = (
        back.T @ X + problem.alpha * omega,
        back.sum(axis=0),
        hidden.T @ residual / n + problem.alpha * v,
        X.T @ residual / n,
        np.array([residual.mean()]),
    )
    return value, np.concatenate([part.ravel() for part in gradient])


def unpack(theta, width):
    """Return the layers of a parameter vector."""
    omega, tau, v, skip, bias = np.split(theta, np.cumsum([width * d, width, width, d]))
    return omega.reshape(width, d), tau, v, skip, float(bias[0])


# %%
# Train every width from every seed.
widths = (2, 4, 8, 16) if QUICK else (2, 4, 8, 16, 32, 64, 128)
seeds = range(3 if QUICK else 8)
excess = np.empty((len(widths), len(seeds)))
for row, width in enumerate(widths):
    for seed in seeds:
        start = np.random.default_rng(seed).normal(size=width * (d + 2) + d + 1)
        start *= np.sqrt(2 / (width + d))
        end = minimize(loss, start, (width,), "L-BFGS-B", jac=True, options={"maxiter": 3000}).x
        network = problem.refit_affine(RidgeSpline.from_layers(*unpack(end, width)))
        excess[row, seed] = (problem.objective(network) - certificate.dual) / certificate.primal
        assert excess[row, seed] >= 0, "a network below the lower bound"
for width, values in zip(widths, excess, strict=True):
    print(f"width {width:3d}: {values.min():8.2%} to {values.max():8.2%} above the lower bound")

figure, axis = plt.subplots(figsize=(8, 5), layout="constrained")
for row, width in enumerate(widths):
    jitter = np.linspace(0.93, 1.07, len(seeds))
    axis.plot(width * jitter, excess[row], "o", ms=6, color=ORANGE, mec="black", mew=0.5)
axis.plot(widths, np.median(excess, axis=1), color=ORANGE, lw=1.5)
axis.plot([], [], "o-", color=ORANGE, mec="black", label=f"trained ({len(seeds)} seeds; median)")
axis.plot(
    solution.network.n_neurons, own_gap, "*", ms=16, color=BLUE, mec="black",
    label=f"certified optimum: {solution.network.n_neurons} neurons",
)  # fmt: skip
axis.axhline(own_gap, color=BLUE, lw=1, ls="--")
axis.text(
    widths[-1], own_gap * 1.4, "its own gap: what is left to know", color=BLUE,
    ha="right",
)  # fmt: skip
axis.set_xscale("log", base=2)
axis.set_xticks(widths, [str(width) for width in widths])
axis.set(
    yscale="log",
    xlabel="neurons",
    ylabel="objective above the lower bound, relative",
    title="No run gets below the bound; width helps, but a distance remains",
)
axis.legend(frameon=False, loc="center left")

if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=120)
elif plt.get_backend().lower() != "agg":
    plt.show()
