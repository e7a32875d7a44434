"""
Search is not proof
===================

A lower bound on the optimal value needs a bound on abs(eta) over *all* neurons. Whoever only looks
at some of them finds too small a maximum, hence too small a gap: the claim errs on the flattering
side, and it cannot know by how much.

We stop the solver early, so that its network is visibly not optimal, and then ask four times how
far it is from the optimum: by random neurons, by local search from many starts (scope LOCAL), by
branch and bound (scope GLOBAL), and in hindsight, by solving the problem to the end. Gaps that
random neurons claim are *below* the true distance until there are very many of them: they are
wrong. The gap by search turns out well here, but only the proof says so.
"""

import os
import sys

import matplotlib.pyplot as plt
import numpy as np

from radontv.problems import RadonTVProblem, Scope
from radontv.solvers import prove, solve

BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
QUICK = bool(os.environ.get("RADONTV_EXAMPLES_QUICK"))

# %%
# Four inputs, a few ridges and noise.
rng = np.random.default_rng(2)
n, d = (60, 3) if QUICK else (100, 4)
X = rng.normal(size=(n, d))
y = np.abs(X[:, 0] - X[:, 1]) + np.sin(2 * X[:, 2]) + 0.2 * rng.normal(size=n)
problem = RadonTVProblem(X, y, alpha=0.03)

# %%
# To the end, with a proof; and a network from a few rounds of the same solver.
finished = solve(problem, tol=1e-6, scope="global")
print("finished:", finished.certificate)
early = solve(problem, tol=1e-6, max_rounds=2)
local = early.certificate
proved = prove(problem, early.network, tol=1e-4)
truth = (local.primal - finished.certificate.dual) / local.primal
print("stopped, by search:", local)
print("stopped, proved:   ", proved)
print(f"stopped, in hindsight: the relative distance from the optimum is at most {truth:.4e}")
assert proved.relative_gap >= truth * (1 - 1e-6)

# %%
# The gap that m random neurons would claim: directions uniform, each with its best offset.
# The largest offset is at a data point, so that abs(eta) along a direction is known exactly.
q = problem.dual_point(early.network)
largest = np.zeros(20_000 if QUICK else 100_000)
for k in range(len(largest)):
    w = rng.normal(size=d)
    t = np.sort(X @ (w / np.linalg.norm(w)))
    weight = q[np.argsort(X @ w)]
    largest[k] = np.abs(np.cumsum((weight * t)[::-1]) - t[::-1] * np.cumsum(weight[::-1])).max()
largest = np.maximum.accumulate(largest)
counts = np.unique(np.logspace(0, np.log10(len(largest)), 25).astype(int))
claimed = [
    problem.certificate(early.network, largest[m - 1], Scope.DICTIONARY).relative_gap
    for m in counts
]

figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.8), layout="constrained")
right.plot(counts, claimed, "o-", ms=4, color=ORANGE, label="claimed by random neurons")
right.axhline(local.relative_gap, color=BLUE, ls="--", lw=2, label="by local search: LOCAL")
right.axhline(proved.relative_gap, color=GREEN, lw=2, label="proved: GLOBAL")
right.axhline(truth, color="black", ls=":", lw=1.5, label="true distance from the optimum")
right.axhspan(0, truth, color=RED, alpha=0.12, lw=0)
right.text(1.2, 0.5 * truth, "claims in here are false", color=RED, va="center")
right.set(
    xscale="log",
    xlabel="number of random neurons",
    ylabel="relative gap",
    ylim=(0, None),
    title="How far from optimal is the network stopped early?",
)
right.legend(frameon=False, fontsize=9)

# %%
# The way of the finished run: filled markers are bounds that hold over all neurons.
rounds = finished.history
for proof, style in (
    (False, {"mfc": "white", "label": "after a search (LOCAL)"}),
    (True, {"mfc": BLUE, "label": "after a proof (GLOBAL)"}),
):
    some = [event for event in rounds if (event.scope is Scope.GLOBAL) is proof]
    left.plot(
        [event.seconds for event in some],
        [max(event.gap, 1e-16) for event in some],
        "o", color=BLUE, ms=7, **style,
    )  # fmt: skip
left.plot([e.seconds for e in rounds], [max(e.gap, 1e-16) for e in rounds], color=BLUE, lw=1)
left.set(
    yscale="log",
    xlabel="seconds",
    ylabel="relative gap so far",
    title=f"The finished run: {finished.n_iter} rounds, relative gap "
    f"{finished.certificate.relative_gap:.0e}, {finished.certificate.scope.value}",
)
left.legend(frameon=False)

if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=120)
elif plt.get_backend().lower() != "agg":
    plt.show()
