"""Soundness campaign: every bound and certificate against everything that can be found.

    python tests/campaign.py                            5000 problems, both cores
    python tests/campaign.py --only grid --seed 17      one problem again

On each random problem, three dual points are bounded by every oracle that fits the dimension, and
three networks are certified. No plane that any oracle, search or, for few points, complete
enumeration finds may exceed any bound, no network may have an objective below any lower bound:
both decided in rational arithmetic, without tolerance. Exact oracles must agree to 1e-9. Exits
with 1, and says how to repeat the problem, if anything is contradicted.

Problems depend on kind and seed only. What a proof reaches within its time may vary.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from campaign_kinds import KINDS
from campaign_problem import NAMES, Report, examine


def examine_all(tasks: Iterable[tuple[str, int]], jobs: int, seconds: float) -> Iterator[Report]:
    """Yield the reports in order; none starts after the time is over."""
    end = time.monotonic() + seconds
    if jobs == 1:
        for kind, seed in tasks:
            if time.monotonic() > end:
                return
            yield examine(kind, seed)
        return
    todo = iter(tasks)
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        running = [pool.submit(examine, *task) for task in islice(todo, 4 * jobs)]
        while running:
            yield running.pop(0).result()
            if time.monotonic() < end:
                running += [pool.submit(examine, *task) for task in islice(todo, 1)]


def table(reports: list[Report]) -> str:
    """Return counts by kind and rank: bounds checked, and how many of them were incomplete."""
    rows: dict[tuple[str, str], list[Report]] = {}
    for r in reports:
        for key in ((r.kind, str(r.d)), (r.kind, "all"), ("all", str(r.d)), ("all", "all")):
            rows.setdefault(key, []).append(r)
    order = {kind: k for k, kind in enumerate((*KINDS, "all"))}
    lines = [f"{'kind':16s}{'d':>4s}{'problems':>9s}" + "".join(f"{name:>12s}" for name in NAMES)]
    for kind, d in sorted(rows, key=lambda key: (order[key[0]], key[1])):
        line = f"{kind:16s}{d:>4s}{len(rows[kind, d]):9d}"
        for name in NAMES:
            count = sum(r.checked[name] for r in rows[kind, d])
            left = sum(r.incomplete[name] for r in rows[kind, d])
            line += f"{f'{count} ({left})' if left else count or '-':>12}"
        lines.append(line)
    return "\n".join([*lines, "In brackets: not finished in time; b&b early is meant to."])


def main(arguments: list[str] | None = None) -> int:
    """Run the campaign; return 1 if anything was contradicted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", type=int, help="default 5000, or 1 with --only")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--time", type=float, default=math.inf, help="seconds")
    parser.add_argument("--only", choices=KINDS, help="one kind of problems")
    options = parser.parse_args(arguments)
    kinds = [options.only] if options.only else list(KINDS)
    count = options.problems or (1 if options.only else 5000)
    tasks = ((kinds[k % len(kinds)], options.seed + k // len(kinds)) for k in range(count))
    # Inherited by the processes; several threads per process only get in each other's way.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    start, reports = time.monotonic(), []
    for report in examine_all(tasks, min(options.jobs, count), options.time):
        reports.append(report)
        for failure in report.failures:
            print(f"--only '{report.kind}' --seed {report.seed}: {failure}", flush=True)
    wrong = sum(bool(report.failures) for report in reports)
    print(table(reports))
    print(f"problems: {len(reports)}, contradictions: {wrong}, {time.monotonic() - start:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
