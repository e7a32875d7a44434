"""One dimension: time over n, and the same problems for general solvers.

    python benchmarks/line.py [--smoke] [--repeats 3]

First table: `solve_line` (squared loss, relative gap 1e-10) on 1e2 to 1e6 points. Second table: the
same objective by Clarabel and OSQP (cvxpy) as trend filtering, and by sklearn's Lasso on the
dictionary of hinges, at sizes that they can do; *excess* is their objective over ours less one,
for which our gap is the yardstick. Third table: complete paths. Fourth: the trend-filtering package
`trendfilter` (0.3.2 on PyPI, if it is installed), which has the Huber loss; it looks for a file
`bokeh_theme.yaml` where it is run, of which `attrs: {}` will do. Medians of wall-clock times after
a warm-up.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from radontv.problems.losses import HuberLoss, get_loss
from radontv.solvers.line.path import line_path
from radontv.solvers.line.spline_fit import alpha_max_line, solve_line

Array = NDArray[np.float64]

FRACTIONS = (1e-1, 1e-3, 1e-6)
"""alpha in units of alpha_max."""
SIGNALS = ("noisy sine", "noise", "smooth", "walk")


def signal(kind: str, n: int) -> tuple[Array, Array, Array]:
    """Return inputs, targets and weights 1/n."""
    rng = np.random.default_rng(0)
    x = np.sort(rng.random(n))
    y = {
        "noisy sine": lambda: np.sin(12 * x) + 0.3 * rng.standard_normal(n),
        "noise": lambda: rng.standard_normal(n),
        "smooth": lambda: np.exp(np.sin(12 * x)) * np.sign(np.sin(30 * x)),
        "walk": lambda: np.cumsum(rng.standard_normal(n)) / np.sqrt(n),
    }[kind]()
    return x, y, np.full(n, 1.0 / n)


def median_time(run: Callable[[], object], repeats: int) -> float:
    """Return the median of the wall-clock times."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def second_differences(x: Array):  # type: ignore[no-untyped-def]
    """Return the sparse matrix of slope changes."""
    from scipy import sparse

    a, b = 1.0 / np.diff(x)[:-1], 1.0 / np.diff(x)[1:]
    return sparse.diags([a, -a - b, b], [0, 1, 2], shape=(len(x) - 2, len(x)), format="csc")


def objective(x: Array, y: Array, s: Array, z: Array, alpha: float) -> float:
    """Return the objective of fitted values."""
    return float(0.5 * s @ (y - z) ** 2 + alpha * np.abs(np.diff(np.diff(z) / np.diff(x))).sum())


def by_cvxpy(x: Array, y: Array, s: Array, alpha: float, solver: str) -> Array:
    """Return the fitted values of trend filtering."""
    import cvxpy as cp

    z = cp.Variable(len(x))
    loss = 0.5 * cp.sum(cp.multiply(s, cp.square(y - z)))
    problem = cp.Problem(cp.Minimize(loss + alpha * cp.norm1(second_differences(x) @ z)))
    options = {"eps_abs": 1e-9, "eps_rel": 1e-9, "max_iter": 100000} if solver == "OSQP" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        problem.solve(solver=solver, **options)
    return np.asarray(z.value, dtype=np.float64)


def by_lasso(x: Array, y: Array, s: Array, alpha: float) -> Array:
    """Return the fitted values of the Lasso on hinges, the affine part projected out."""
    from sklearn.linear_model import Lasso

    hinges = np.maximum(x[:, None] - x[None, 1:-1], 0.0)
    affine = np.linalg.qr(np.stack([np.ones_like(x), x], axis=1))[0]
    residual = y - affine @ (affine.T @ y)
    columns = hinges - affine @ (affine.T @ hinges)
    lasso = Lasso(alpha, fit_intercept=False, tol=1e-8, max_iter=20000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lasso.fit(columns, residual)
    return np.asarray(y - residual + columns @ lasso.coef_)


def scaling(sizes: list[int], repeats: int) -> None:
    """Print the first table."""
    print(f"{'signal':>11} {'n':>8} {'alpha/max':>9} {'kinks':>6} {'rounds':>6} {'gap':>8} seconds")
    loss = get_loss("squared")
    for n in sizes:
        for kind in SIGNALS:
            x, y, s = signal(kind, n)
            top = alpha_max_line(x, y, s)
            for fraction in FRACTIONS:
                run = partial(solve_line, x, y, s, fraction * top, loss)
                fit, seconds = run(), median_time(run, repeats)
                print(
                    f"{kind:>11} {n:>8} {fraction:>9.0e} {len(fit.knots):>6} {fit.iterations:>6} "
                    f"{fit.relative_gap:>8.1e} {seconds:.4f}",
                    flush=True,
                )


def solvers_for(x: Array, y: Array, s: Array) -> dict[str, Callable[[float], Array]]:
    """Return what solves the problem for an alpha, by name; many points take minutes."""
    found: dict[str, Callable[[float], Array]] = {
        "clarabel": lambda alpha: by_cvxpy(x, y, s, alpha, "CLARABEL")
    }
    if len(x) <= 1000:
        found["osqp"] = lambda alpha: by_cvxpy(x, y, s, alpha, "OSQP")
        found["sklearn lasso"] = lambda alpha: by_lasso(x, y, s, alpha)
    return found


def side_by_side(sizes: list[int], repeats: int) -> None:
    """Print the second table."""
    print(f"{'n':>8} {'alpha/max':>9} {'solver':>14} {'excess':>9} seconds")
    loss = get_loss("squared")
    for n in sizes:
        x, y, s = signal("noisy sine", n)
        rivals, top = solvers_for(x, y, s), alpha_max_line(x, y, s)
        for fraction in FRACTIONS:
            alpha = fraction * top
            ours = solve_line(x, y, s, alpha, loss)
            seconds = median_time(partial(solve_line, x, y, s, alpha, loss), repeats)
            print(
                f"{n:>8} {fraction:>9.0e} {'radontv':>14} {ours.relative_gap:>9.1e} {seconds:.4f}"
            )
            for name, rival in rivals.items():
                start = time.perf_counter()
                try:
                    excess = objective(x, y, s, rival(alpha), alpha) / ours.primal - 1.0
                    text = f"{excess:9.1e}"
                except Exception as error:  # a solver that gives up is a result
                    text = type(error).__name__
                seconds = time.perf_counter() - start
                print(f"{n:>8} {fraction:>9.0e} {name:>14} {text:>9} {seconds:.4f}", flush=True)


def paths(sizes: list[int]) -> None:
    """Print times of whole paths."""
    print(f"{'n':>8} {'breakpoints':>11} seconds")
    for n in sizes:
        x, y, s = signal("noisy sine", n)
        start = time.perf_counter()
        path = line_path(x, y, s)
        print(f"{n:>8} {len(path.pieces):>11} {time.perf_counter() - start:.2f}", flush=True)


def by_trendfilter(x: Array, y: Array, alpha: float) -> tuple[Array, float]:
    """Return the fitted values of trendfilter for 1/n sum_i Huber_delta + alpha TV, and delta.

    Its objective is sum_i 2 Huber_1((y_i - z_i) / delta) + alpha_2 TV, with delta^2 the sum of
    y_err^2 = 1 and (median |y| / 100)^2.
    """
    from trendfilter import trend_filter

    delta = float(np.hypot(1.0, 0.01 * np.median(np.abs(y))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = trend_filter(x, y, l_norm=1, alpha_2=2.0 * len(x) * alpha / delta**2)
    return np.asarray(found["y_fit"], dtype=np.float64), delta


def trend_filtering(sizes: list[int], repeats: int) -> None:
    """Print the fourth table."""
    print(f"{'n':>8} {'alpha/max':>9} {'solver':>14} {'excess':>9} seconds")
    for n in sizes:
        x, y, s = signal("noisy sine", n)
        y = 3.0 * y
        top = alpha_max_line(x, y, s)
        for fraction in FRACTIONS:
            alpha = fraction * top
            start = time.perf_counter()
            z, delta = by_trendfilter(x, y, alpha)
            seconds = time.perf_counter() - start
            loss = HuberLoss(delta)
            run = partial(solve_line, x, y, s, alpha, loss)
            ours, own = run(), median_time(run, repeats)
            value = float(s @ loss.value(y, z)) + alpha * np.abs(second_differences(x) @ z).sum()
            print(f"{n:>8} {fraction:>9.0e} {'radontv':>14} {ours.relative_gap:>9.1e} {own:.4f}")
            excess = value / ours.primal - 1.0
            print(f"{n:>8} {fraction:>9.0e} {'trendfilter':>14} {excess:>9.1e} {seconds:.4f}")


def main() -> None:
    """Run all tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="small sizes only")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    solve_line(*signal("noise", 50), 1e-3, get_loss("squared"))
    scaling([100, 1000] if options.smoke else [10**k for k in range(2, 7)], options.repeats)
    side_by_side([100] if options.smoke else [100, 1000, 10000], options.repeats)
    paths([100] if options.smoke else [100, 300, 1000])
    if find_spec("trendfilter") is not None:
        trend_filtering([100] if options.smoke else [100, 1000, 10000], options.repeats)


if __name__ == "__main__":
    main()
