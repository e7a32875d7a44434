"""
Tomography: a function from its averages along lines
====================================================

Nothing asks for values at points: measurements may be any weighted sums of values. Here a function
on the square is known only through its averages along random chords, as in X-ray tomography. The
convex problem is the same, with the matrix of measurements in between, and so is the proof that no
other network of any width fits and costs less.
"""

import os
import sys

import matplotlib.pyplot as plt
import numpy as np

from radontv.problems import RadonTVProblem
from radontv.problems.measurements import segment_averages
from radontv.solvers import solve

BLUE, GREY = "#0072B2", "#777777"
QUICK = bool(os.environ.get("RADONTV_EXAMPLES_QUICK"))


def truth(X):
    """A roof with two ridges."""
    return 1.0 - np.abs(X[:, 0] - 0.2) - 0.7 * np.abs(0.6 * X[:, 0] + 0.8 * X[:, 1] + 0.1)


rng = np.random.default_rng(0)
n = 60 if QUICK else 250
angles = rng.uniform(0, 2 * np.pi, size=(2, n))
starts, ends = (np.column_stack([np.cos(a), np.sin(a)]) for a in angles)
points, matrix = segment_averages(starts, ends, n_nodes=12)
y = matrix @ truth(points) + 0.01 * rng.normal(size=n)

# %%
problem = RadonTVProblem(points, y, 1.0, measurements=matrix)
problem = problem.with_alpha(0.02 * problem.alpha_max())
solution = solve(problem, tol=1e-6, scope="global")
print(f"{n} chords, {len(points)} points of the rule")
print(solution.certificate)
assert solution.certificate.relative_gap <= 1e-6

# %%
side = np.linspace(-1, 1, 201)
grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
inside = (np.hypot(*grid.T) <= 1.0).reshape(201, 201)
figure, axes = plt.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
images = {"truth": truth(grid), "certified optimum": solution.network(grid)}
low, high = images["truth"].min(), images["truth"].max()
for ax, (name, values) in zip(axes, images.items(), strict=False):
    image = np.where(inside, values.reshape(201, 201), np.nan)
    drawn = ax.imshow(image, extent=(-1, 1, -1, 1), origin="lower", vmin=low, vmax=high)
    ax.set_title(name)
for start, end in zip(starts[:40], ends[:40], strict=True):
    axes[0].plot(*np.column_stack([start, end]), color="white", lw=0.4, alpha=0.7)
figure.colorbar(drawn, ax=axes[:2], shrink=0.8)
axes[2].plot(matrix @ truth(points), matrix @ solution.network(points), ".", color=BLUE, ms=4)
axes[2].axline((0, 0), slope=1, color=GREY, lw=1)
error = solution.network(grid[inside.ravel()]) - truth(grid[inside.ravel()])
axes[2].set(
    xlabel="true average of a chord", ylabel="fitted average",
    title=f"{solution.network.n_neurons} neurons, root mean square error "
    f"{np.sqrt(np.mean(error**2)):.3f}",
)  # fmt: skip

if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=120)
elif plt.get_backend().lower() != "agg":
    plt.show()
