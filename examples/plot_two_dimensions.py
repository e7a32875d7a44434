"""
Two dimensions: folds of a surface and the map of all neurons
=============================================================

With two inputs a ridge spline is a surface folded along straight lines, one line for each neuron.
Every line that could be a fold is a point (angle, offset): w = (cos angle, sin angle) is its
normal and b its signed distance from the centre. So all neurons there are fit on one map, and on
this map the certificate of optimality is a picture: the height abs(eta(w, b)) / alpha may nowhere
exceed 1, and it must be 1 at the folds of the network.

The highest point of the map is found exactly, by a sweep over the angles at which the order of the
data along w changes. This is why the gap below is of scope GLOBAL and not a matter of the grid that
the picture is drawn with.
"""

import os
import sys

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import BoundaryNorm

from radontv.problems import RadonTVProblem
from radontv.solvers import solve

UP, DOWN = "#D55E00", "#0072B2"
QUICK = bool(os.environ.get("RADONTV_EXAMPLES_QUICK"))

# %%
# A wave with a slanted front, observed at random places with noise.
rng = np.random.default_rng(0)
X = rng.uniform(-1, 1, size=(60 if QUICK else 150, 2))
y = np.sin(3 * X[:, 0] + 1.5 * X[:, 1]) + 0.5 * X[:, 1] ** 2 + 0.1 * rng.normal(size=len(X))

problem = RadonTVProblem(X, y, alpha=8e-3)
solution = solve(problem, tol=1e-6, scope="global")
network, certificate = solution.network, solution.certificate
print(certificate)

# %%
# Left: the surface from above. Right: abs(eta) / alpha on the map of all lines. For one angle,
# eta is piecewise linear in b with knots at the projected data, so it is exact at all offsets.
side = np.linspace(-1, 1, 201)
surface = network(np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)).reshape(201, 201)
q = problem.dual_point(network)
angles, offsets = np.linspace(-90, 90, 361), np.linspace(-1.42, 1.42, 301)
height = np.empty((len(offsets), len(angles)))
for column, angle in enumerate(np.radians(angles)):
    w = np.tile([np.cos(angle), np.sin(angle)], (len(offsets), 1))
    height[:, column] = np.abs(problem.eta(q, w, offsets)) / problem.alpha

figure, (left, right) = plt.subplots(1, 2, figsize=(12.6, 5), layout="constrained")
filled = left.contourf(side, side, surface, levels=20, cmap="Greys", vmax=2.5)
figure.colorbar(filled, ax=left, label="f(x)")
left.plot(*X.T, "o", ms=4, color="black", mec="white", mew=0.5)
# Narrow steps of colour near 1, where it matters.
levels = [0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99, 1.0]
norm = BoundaryNorm(levels, 256)
image = right.pcolormesh(angles, offsets, height, cmap="cividis", norm=norm, rasterized=True)
figure.colorbar(image, ax=right, ticks=levels, label=r"$|\eta(w, b)|\,/\,\alpha$")

# %%
# Every neuron is a line on the left and a point on the right; lines (w, b) and (-w, -b) are equal.
widest = np.abs(network.amplitudes).max()
for a, w, b in zip(network.amplitudes, network.weights, network.biases, strict=True):
    along = np.array([[-2.0], [2.0]]) * np.array([-w[1], w[0]]) + b * w
    colour, marker = (UP, "^") if a > 0 else (DOWN, "v")
    left.plot(*along.T, color=colour, lw=0.8 + 2.5 * abs(a) / widest)
    if w[0] < 0:
        w, b = -w, -b
    angle = np.degrees(np.arctan2(w[1], w[0]))
    right.plot(angle, b, marker, ms=5 + 5 * abs(a) / widest, color=colour, mec="white")
for colour, marker, which in (
    (UP, "^", network.amplitudes > 0),
    (DOWN, "v", network.amplitudes < 0),
):
    text = f"{'upwards' if marker == '^' else 'downwards'} ({which.sum()})"
    right.plot([], [], marker, ms=8, color=colour, mec="white", label=f"neurons that bend {text}")
right.legend(loc="lower left", frameon=False, labelcolor="white")
left.set(
    xlim=(-1, 1), ylim=(-1, 1), aspect="equal", xlabel="$x_1$", ylabel="$x_2$",
    title=f"The optimal surface and its {network.n_neurons} folds\n(thicker: sharper)",
)  # fmt: skip
right.set(
    xlabel="angle of the normal w (degrees)",
    ylabel="offset b",
    xticks=range(-90, 91, 30),
    title="The certificate: 1 at the neurons, nowhere more\n"
    f"relative gap {certificate.relative_gap:.0e}, {certificate.scope.value}",
)

if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=120)
elif plt.get_backend().lower() != "agg":
    plt.show()
