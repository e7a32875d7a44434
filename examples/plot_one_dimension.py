"""
One dimension: a linear spline and the proof beside it
======================================================

With one input a ridge spline is a continuous piecewise-linear function, and RTV(f) is the total
variation of its slope: the sum of all changes of slope. The penalty therefore asks for few and
gentle knots, but it says nothing about where they are or how many there should be. That is found
by the fit, and the lower panel shows why no other knots could do better.

It draws the dual certificate eta(b) = sum_i q_i relu(x_i - b), where q_i is the residual of row i
times its weight. A new knot at b pays only if abs(eta(b)) > alpha. In the picture the curve stays
within [-alpha, alpha], it touches the upper edge at the knots that bend upwards and the lower edge
at those that bend downwards, and nothing more is needed for a proof of optimality.
"""

import os
import sys

import matplotlib.pyplot as plt
import numpy as np

from radontv.problems import RadonTVProblem
from radontv.solvers import solve

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#E69F00", "#009E73", "#777777"
QUICK = bool(os.environ.get("RADONTV_EXAMPLES_QUICK"))

# %%
# Noisy samples of a function with four kinks.
rng = np.random.default_rng(3)
x = np.sort(rng.uniform(0, 10, 60 if QUICK else 120))
truth = np.array([[0, 1], [2, 3], [4.5, 0.5], [6, 0.5], [8, 3.5], [10, 2.5]])
y = np.interp(x, *truth.T) + 0.3 * rng.normal(size=len(x))

# %%
# In one dimension sup abs(eta) is found by a scan, so a proof costs nothing extra.
problem = RadonTVProblem(x[:, None], y, alpha=0.01)
solution = solve(problem, tol=1e-9, scope="global")
network, certificate = solution.network, solution.certificate
print(certificate)

# %%
# Knots and certificate. (w, b) and (-w, -b) are the same knot, since w can only be 1 or -1.
knots = network.biases * network.weights[:, 0]
up = network.amplitudes > 0
q = problem.dual_point(network)
eta_at_knots = problem.eta(q, network.weights, network.biases)
print("eta at the knots, as a multiple of alpha:", np.round(eta_at_knots / problem.alpha, 8))
assert np.allclose(eta_at_knots, problem.alpha * np.sign(network.amplitudes), rtol=1e-4)

figure, (top, bottom) = plt.subplots(2, 1, figsize=(8, 6.6), sharex=True, layout="constrained")
grid = np.sort(np.concatenate([[x[0], x[-1]], knots]))
top.plot(x, y, "o", ms=4, color=GREY, alpha=0.6, mew=0, label=f"data ({len(x)} points)")
top.plot(*truth.T, color=GREEN, lw=1.5, ls="--", label="function that made the data")
top.plot(grid, network(grid[:, None]), color=BLUE, lw=2.2, label="optimal spline")
eta = problem.eta(q, np.ones((len(x), 1)), x) / problem.alpha
bottom.axhspan(-1, 1, color="#F0F0F0", zorder=0)
for level in (-1, 1):
    bottom.axhline(level, color="black", lw=1, ls="--")
bottom.plot(x, eta, color=BLUE, lw=1.8)
for which, marker, text in ((up, "^", "upwards"), (~up, "v", "downwards")):
    style = {"ls": "none", "ms": 9, "marker": marker, "color": ORANGE, "mec": "black", "zorder": 3}
    top.plot(knots[which], network(knots[which, None]), label=f"knots that bend {text}", **style)
    bottom.plot(knots[which], eta_at_knots[which] / problem.alpha, **style)
for knot in knots:
    for axis in (top, bottom):
        axis.axvline(knot, color=GREY, lw=0.8, ls=":", zorder=0)
top.set(ylabel="y", title=f"{network.n_neurons} knots, RTV = {network.rtv:.3f}")
top.legend(frameon=False, fontsize=9, loc="upper right", ncols=2)
top.set_ylim(top=y.max() + 1.3)
bottom.set(
    xlabel="x, and place b of a knot",
    ylabel=r"$\eta(b)\,/\,\alpha$",
    ylim=(-1.25, 1.25),
    title="The certificate touches 1 and -1 where the knots are and is never beyond: "
    f"relative gap {certificate.relative_gap:.0e}, {certificate.scope.value}",
)
bottom.title.set_fontsize(10)

if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=120)
elif plt.get_backend().lower() != "agg":
    plt.show()
