"""One table of proofs alone: what is proved, in how long, in how many boxes.

    python benchmarks/proofs.py [--data FOLDER] [--quick] [--repeat 3] [--limit 600]

FOLDER holds servo.csv, yacht.csv and energy.csv (target last); rows whose file is absent are
skipped with the reason. Networks are solved first to a tenth of the tolerance of the proof, without
being timed. Times are medians after one warm-up; rows that take longer than 20 s run once.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from instances import gaussian, read, standardised
from sklearn.datasets import load_diabetes

from radontv.problems import RadonTVProblem, RidgeSpline
from radontv.solvers import prove, solve
from radontv.solvers.core import Core
from radontv.solvers.proof import bound_sup, proof_threshold

LONG = 20.0


def instances(data: Path | None) -> Iterator[tuple[str, float, Callable[[], RadonTVProblem]]]:
    """Yield name, relative gap to prove, and how to make the problem."""
    for d, n, lam, tol in (
        (2, 2000, 0.3, 1e-6),
        (3, 300, 0.5, 1e-6),
        (3, 1000, 1, 1e-6),
        (4, 300, 1, 1e-6),
        (5, 100, 1, 1e-6),
        (5, 200, 1, 1e-6),
        (6, 150, 1.5, 1e-4),
        (8, 100, 2, 1e-2),
    ):
        yield f"G({d},{n},{lam:g})", tol, lambda d=d, n=n, lam=lam: gaussian(d, n, lam)
    for name, ratio, tol in (
        ("servo", 0.1, 1e-6),
        ("yacht", 0.1, 1e-6),
        ("yacht", 0.03, 1e-4),
        ("yacht", 0.01, 1e-4),
        ("energy", 0.1, 1e-3),
    ):
        label = f"{name} {ratio:g} alpha_max"
        if data is None or not (data / f"{name}.csv").is_file():
            print(f"| {label} | - | - | - | skipped: no {name}.csv in {data} |", flush=True)
            continue
        yield label, tol, lambda n=name, r=ratio: standardised(*read(data, n), r)
    diabetes = load_diabetes(return_X_y=True, scaled=False)
    yield "diabetes 0.3 alpha_max", 1e-3, lambda: standardised(*diabetes, 0.3)


def count_boxes(problem: RadonTVProblem, network: RidgeSpline, tol: float, limit: float) -> int:
    """Return the number of boxes (or candidates of a sweep) of the same proof."""
    core, reduction = Core.of(problem), problem.reduction
    q = reduction.reduce_dual(problem.dual_point(network))
    primal = core.state(core.from_network(reduction.lower_network(network))).primal
    constant = reduction.constant / reduction.y_scale**2
    threshold = proof_threshold(core, q, primal, 0.9 * tol * (primal + constant), constant=constant)
    found = bound_sup(
        core, q, threshold, time_limit=limit, n_threads=os.cpu_count() or 1, stop_at_violation=False
    )
    return found.n_boxes


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with the CSV files")
    parser.add_argument("--quick", action="store_true", help="two small cases")
    parser.add_argument("--repeat", type=int, default=3, help="runs per timing (median)")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds per proof")
    args = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print("| instance | to prove | proved | seconds | boxes |\n|---|---|---|---|---|")
    for number, (name, tol, make) in enumerate(instances(args.data)):
        if args.quick and number >= 2:
            break
        problem = make()
        network = solve(problem, tol=0.1 * tol).network
        if number == 0:
            prove(problem, network, tol=tol)
        seconds: list[float] = []
        while len(seconds) < args.repeat and (not seconds or seconds[0] < LONG):
            start = time.perf_counter()
            proof = prove(problem, network, tol=tol, time_limit=args.limit)
            seconds.append(time.perf_counter() - start)
        middle = statistics.median(seconds)
        boxes = f"{count_boxes(problem, network, tol, args.limit):.2e}" if middle < LONG else "-"
        print(
            f"| {name} | {tol:.0e} | {proof.relative_gap:.1e} | {middle:.2f} | {boxes} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
