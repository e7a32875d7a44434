"""
XOR: an optimum known in closed form, and two that tie
======================================================

The four points (+-1, +-1) with the target y = x_1 x_2 are the smallest problem that no affine
function can fit. Everything about it can be worked out by hand, because n = d + 2 points leave only
one direction for the dual point, q = tau y:

* the least RTV of a function through all four points is 2 sqrt 2;
* the optimum is affine (here: zero) from alpha_max = 1 / (2 sqrt 2) on;
* below it, F* = 2 sqrt 2 alpha - 4 alpha^2, and RTV = 2 sqrt 2 - 8 alpha.

The optimal *function* is not unique. A ridge and a valley, folded along the two diagonals, reach
the same value, and so does every mixture of them. The certificate does not mind: it proves each
one optimal with the same dual point.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np

from radontv.problems import RadonTVProblem, RidgeSpline
from radontv.solvers import prove, solve

BLUE, ORANGE = "#0072B2", "#E69F00"
ROOT8 = 2 * np.sqrt(2)

X = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
y = X[:, 0] * X[:, 1]
problem = RadonTVProblem(X, y, alpha=0.1)
assert np.isclose(problem.alpha_max(), 1 / ROOT8)

# %%
# The solver against the formulas, on both sides of alpha_max.
alphas = np.linspace(0.01, 0.45, 23)
solutions = [solve(problem.with_alpha(alpha), tol=1e-9, scope="global") for alpha in alphas]
values = np.array([solution.certificate.primal for solution in solutions])
rtv = np.array([solution.network.rtv for solution in solutions])
expected = np.where(alphas < 1 / ROOT8, ROOT8 * alphas - 4 * alphas**2, 0.5)
assert np.allclose(values, expected, rtol=1e-8)
assert np.allclose(rtv, np.maximum(ROOT8 - 8 * alphas, 0), atol=1e-6)

# %%
# Two optima and their mean, built by hand: abs(t) = 2 relu(t) - t, shrunk by 1 - 2 sqrt 2 alpha.
shrink = 1 - ROOT8 * problem.alpha
diagonal = np.array([[1.0, -1.0], [1.0, 1.0]]) / np.sqrt(2)
size = shrink * ROOT8
ridge = RidgeSpline([-size], diagonal[:1], [0.0], [shrink, -shrink], shrink)
valley = RidgeSpline([size], diagonal[1:], [0.0], [-shrink, -shrink], -shrink)
mean = RidgeSpline([-size / 2, size / 2], diagonal, [0.0, 0.0], [0.0, -shrink], 0.0)
networks = {"ridge": ridge, "valley": valley, "their mean": mean}
certificates = {name: prove(problem, network, tol=1e-9) for name, network in networks.items()}
for name, certificate in certificates.items():
    print(f"{name}: {certificate}")
    assert certificate.relative_gap < 1e-8

# %%
figure, axes = plt.subplot_mosaic(
    [["ridge", "valley", "their mean"], ["curve", "curve", "curve"]],
    figsize=(9.5, 7), height_ratios=[1, 0.9], layout="constrained",
)  # fmt: skip
side = np.linspace(-1.3, 1.3, 201)
square = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
for name, network in networks.items():
    axis, surface = axes[name], network(square).reshape(201, 201)
    filled = axis.contourf(side, side, surface, levels=np.linspace(-1.6, 1.6, 17), cmap="cividis")
    axis.scatter(*X.T, c=y, cmap="cividis", vmin=-1.6, vmax=1.6, s=110, ec="white", lw=2)
    for w in network.weights:
        axis.axline((0, 0), (-w[1], w[0]), color="white", lw=1.5, ls="--")
    gap = certificates[name].relative_gap
    axis.set(
        aspect="equal", xlim=(-1.3, 1.3), ylim=(-1.3, 1.3), xlabel="$x_1$", ylabel="$x_2$",
        title=f"{name}: {network.n_neurons} neuron{'s' * (network.n_neurons > 1)}\n"
        f"F = {problem.objective(network):.6f}, gap {gap:.0e}",
    )  # fmt: skip
    if name != "ridge":
        axis.set(ylabel="", yticklabels=[])
figure.colorbar(filled, ax=axes["their mean"], label="f (surface) and y (dots)", shrink=0.8)
curve, fine = axes["curve"], np.linspace(0, 0.45, 400)
below = np.minimum(fine, 1 / ROOT8)
curve.plot(fine, ROOT8 * below - 4 * below**2, color=BLUE, lw=2, label="optimal value F*")
curve.plot(fine, (ROOT8 - 8 * below) / ROOT8, color=ORANGE, lw=2, label=r"RTV / $2\sqrt{2}$")
style = {"ls": "none", "marker": "o", "ms": 5, "mec": "black"}
curve.plot(alphas, values, color=BLUE, **style)
curve.plot(alphas, rtv / ROOT8, color=ORANGE, **style)
curve.axvline(1 / ROOT8, color="black", lw=1, ls=":")
curve.annotate(r"$\alpha_{\max} = 1 / (2\sqrt{2})$", (1 / ROOT8 + 0.005, 0.75))
curve.set(xlabel=r"$\alpha$", title="Formulas (lines) and solver (dots)", xlim=(0, 0.45))
curve.legend(frameon=False, loc="center left")

if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=120)
elif plt.get_backend().lower() != "agg":
    plt.show()
