"""One table of what the core reaches: local and global gaps, paths, real data, start-up.

    python benchmarks/core.py [--data FOLDER] [--quick] [--repeat 3] [--only local global ...]

FOLDER holds yacht.csv, energy.csv, concrete.csv, kin8nm.csv (target last); rows whose file is
absent are skipped with the reason. Times are medians after one warm-up; start-up is measured in
new processes with an empty compilation cache.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from instances import gaussian, read, standardised

from radontv.solvers import path, solve

Row = tuple[str, str, str, str]


def timed(work: Callable[[], object], repeat: int) -> tuple[object, float]:
    """Return the last result and the median seconds of `repeat` runs."""
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return result, statistics.median(seconds)


def local_rows(args: argparse.Namespace) -> Iterator[Row]:
    """Local gaps of 1e-8, beside the same loop with the Clarabel master."""
    cases = [(2, 200, 0.3), (3, 300, 0.5), (5, 100, 1), (5, 200, 1), (8, 200, 2)]
    for case in cases[:1] if args.quick else cases:
        problem = gaussian(*case)
        solve(problem, tol=1e-8)
        ours, seconds = timed(lambda p=problem: solve(p, tol=1e-8), args.repeat)
        gap = ours.certificate.relative_gap
        other = solve(problem, tol=1e-8, master="clarabel", time_limit=300)
        rest = (
            f"clarabel master {other.seconds:.1f} s (gap {other.certificate.relative_gap:.0e}), "
            f"{other.seconds / seconds:.0f}x; objectives differ by "
            f"{abs(other.certificate.primal / ours.certificate.primal - 1):.0e}"
        )
        neurons = f"{ours.certificate.n_neurons} neurons, {ours.n_iter} rounds, "
        yield f"G{case} local <= 1e-8", f"{gap:.1e}", f"{seconds:.2f}", neurons + rest


def global_rows(args: argparse.Namespace) -> Iterator[Row]:
    """Proved gaps of 1e-6."""
    cases = [(2, 500, 0.3), (3, 300, 0.5), (5, 100, 1)]
    for case in cases[:1] if args.quick else cases:
        problem = gaussian(*case)
        solve(problem, scope="global")
        found, seconds = timed(lambda p=problem: solve(p, scope="global"), args.repeat)
        boxes = sum(event.n_boxes for event in found.history)
        scope = found.certificate.scope.name
        gap = found.certificate.relative_gap
        yield f"G{case} {scope} <= 1e-6", f"{gap:.1e}", f"{seconds:.2f}", f"{boxes} boxes"


def path_rows(args: argparse.Namespace) -> Iterator[Row]:
    """Twelve penalties on yacht, warm-started."""
    if (missing := absent(args, "yacht")) is not None:
        yield missing
        return
    problem = standardised(*read(args.data, "yacht"), 1.0)
    alphas = problem.alpha * np.logspace(0, -3, 12)
    found, seconds = timed(lambda: path(problem, alphas, tol=1e-4), args.repeat)
    worst = max(solution.certificate.relative_gap for solution in found)
    neurons = [solution.certificate.n_neurons for solution in found]
    yield "yacht path, 12 alphas, local <= 1e-4", f"{worst:.1e}", f"{seconds:.1f}", f"K {neurons}"


def real_rows(args: argparse.Namespace) -> Iterator[Row]:
    """Energy and concrete to 1e-3."""
    for name in ("energy", "concrete"):
        if (missing := absent(args, name)) is not None:
            yield missing
            continue
        problem = standardised(*read(args.data, name), 3e-3)
        found, seconds = timed(lambda p=problem: solve(p, tol=1e-3), min(args.repeat, 3))
        rest = f"{found.certificate.n_neurons} neurons, {found.n_iter} rounds"
        gap = found.certificate.relative_gap
        yield f"{name} 3e-3 alpha_max, local <= 1e-3", f"{gap:.1e}", f"{seconds:.1f}", rest


def large_rows(args: argparse.Namespace) -> Iterator[Row]:
    """kin8nm to 1e-2, and how the time grows with n; one run each."""
    if (missing := absent(args, "kin8nm")) is not None:
        yield missing
        return
    cases = [(1000, 0.03), (2000, 0.03), (4000, 0.03), (8192, 0.03), (8192, 0.003)]
    for n, ratio in cases[:1] if args.quick else cases:
        problem = standardised(*read(args.data, "kin8nm", n), ratio)
        found, seconds = timed(lambda p=problem: solve(p, tol=1e-2, time_limit=900), 1)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        rest = (
            f"{found.certificate.n_neurons} neurons, {found.n_iter} rounds, "
            f"peak memory of the process so far {memory:.2f} GiB"
        )
        gap = found.certificate.relative_gap
        label = f"kin8nm n={n}, {ratio:g} alpha_max, local <= 1e-2"
        yield label, f"{gap:.1e}", f"{seconds:.0f}", rest


def startup_rows(args: argparse.Namespace) -> Iterator[Row]:
    """Import time; first fit with an empty and with a filled compilation cache."""
    imported = child("import radontv", None, args.repeat)
    nothing = child("pass", None, args.repeat)
    yield "import radontv", "-", f"{imported - nothing:.2f}", f"whole process {imported:.2f} s"
    first = (
        "import numpy as np; from radontv import RadonTVRegressor; "
        "X = np.random.default_rng(0).normal(size=(100, 3)); "
        "RadonTVRegressor().fit(X, np.abs(X[:, 0]) + X[:, 1])"
    )
    with tempfile.TemporaryDirectory() as cache:
        cold = child(first, cache, 1)
        warm = child(first, cache, args.repeat)
    rest = f"whole process; {warm:.2f} s with the cache filled"
    yield "first fit, compilation included", "-", f"{cold:.1f}", rest


def child(code: str, cache: str | None, repeat: int) -> float:
    """Return the median seconds of running `code` in a new interpreter."""
    environment = dict(os.environ)
    if cache is not None:
        environment["NUMBA_CACHE_DIR"] = cache
    command = [sys.executable, "-c", code]
    return timed(lambda: subprocess.run(command, check=True, env=environment), repeat)[1]


def absent(args: argparse.Namespace, name: str) -> Row | None:
    """Return the row that says why `name` is skipped, None if it is there."""
    if args.data is not None and (args.data / f"{name}.csv").is_file():
        return None
    where = "no --data folder given" if args.data is None else f"no {name}.csv in {args.data}"
    return name, "-", "-", f"skipped: {where}"


SECTIONS: dict[str, Callable[[argparse.Namespace], Iterator[Row]]] = {
    "startup": startup_rows,
    "local": local_rows,
    "global": global_rows,
    "path": path_rows,
    "real": real_rows,
    "large": large_rows,
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with the CSV files")
    parser.add_argument("--quick", action="store_true", help="one small case per section")
    parser.add_argument("--repeat", type=int, default=3, help="runs per timing (median)")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    args = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print("| instance | gap | seconds | more |\n|---|---|---|---|")
    for name in args.only:
        for row in SECTIONS[name](args):
            print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
