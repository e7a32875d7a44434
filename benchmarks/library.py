"""Find again what `radontv.problems.library` knows, and write its values and docs/library.md.

    python benchmarks/library.py [--only NAME ...] [--time-limit 60] [--tol 1e-8]
    python benchmarks/library.py --check [--only NAME ...]
    python benchmarks/library.py --page

Each instance is solved with a proof over all neurons and a time limit. A stored value is replaced
only by a better one, unless the data of its instance have changed. With --check nothing is written,
and the exit status says whether new and stored values agree: no lower bound above an objective.
--page only writes the page from the stored values.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from pathlib import Path
from typing import Any

import numpy as np

from radontv.problems import RadonTVProblem, Scope, library
from radontv.problems.library.recipe import Recipe, digest
from radontv.solvers import solve

ROOT = Path(__file__).resolve().parents[1]
VALUES = ROOT / "problems" / "library" / "values.json"
PAGE = ROOT / "docs" / "library.md"
ROUNDING = 1e-12
"""Relative; a few hundred roundings. Bounds may overlap by this, and better means by more."""
HEADER = """\
| name | data | n | d | alpha | best objective | lower bound | gap | neurons | seconds |
|---|---|---|---|---|---|---|---|---|---|"""

Entry = dict[str, Any]


def measured(recipe: Recipe, tol: float, time_limit: float) -> Entry:
    """Return the entry of one instance, from one run of the solver."""
    problem = recipe.build()
    solution = solve(problem, tol=tol, scope="global", time_limit=time_limit)
    certificate = solution.certificate
    if certificate.scope is not Scope.GLOBAL:
        raise SystemExit(f"{recipe.name}: interrupted before anything was proved")
    run = {
        "method": "solve, scope='global'",
        "tolerance": tol,
        "time_limit": time_limit,
        "seconds": float(f"{solution.seconds:.2g}"),
        "version": version(),
    }
    return {
        "digest": digest(problem),
        "n_samples": problem.n_samples,
        "n_features": problem.n_features,
        "alpha": problem.alpha,
        "best_objective": float(certificate.primal),
        "neurons": certificate.n_neurons,
        "obtained": run,
        "lower_bound": float(certificate.dual),
        "scope": certificate.scope.value,
        "proved": run,
    }


def version() -> str:
    """Return the version of this checkout, whether it is installed or not."""
    declared: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return declared


def contradictions(old: Entry | None, new: Entry, exact: float | None) -> list[str]:
    """Return what cannot be true at the same time, one sentence each."""
    found = []
    uppers = {"new objective": new["best_objective"]}
    lowers = {"new lower bound": new["lower_bound"]}
    if exact is not None:
        uppers["closed form"] = lowers["closed form"] = exact
    if old is not None and old["digest"] == new["digest"]:
        uppers["stored objective"] = old["best_objective"]
        lowers["stored lower bound"] = old["lower_bound"]
    for low, least in lowers.items():
        for high, most in uppers.items():
            if least > most + ROUNDING * abs(most):
                found.append(f"the {low} {least!r} is above the {high} {most!r}")
    return found


def best_of(old: Entry | None, new: Entry) -> tuple[Entry, list[str]]:
    """Return the better objective and the better bound of both, and what was kept."""
    if old is None or old["digest"] != new["digest"]:
        return new, []
    best, kept = dict(new), []
    margin = ROUNDING * abs(old["best_objective"])
    if new["best_objective"] >= old["best_objective"] - margin:
        best |= {key: old[key] for key in ("best_objective", "neurons", "obtained")}
        kept.append("objective")
    if new["lower_bound"] <= old["lower_bound"] + margin:
        best |= {key: old[key] for key in ("lower_bound", "scope", "proved")}
        kept.append("lower bound")
    return best, kept


def compile_kernels() -> None:
    """Solve one small problem per kind of proof, so that no time includes compilation."""
    rng = np.random.default_rng(0)
    for d in (1, 2, 3):
        X = rng.normal(size=(20, d))
        solve(RadonTVProblem(X, np.abs(X[:, 0]), 0.01), scope="global", tol=1e-4)


def outward(value: float, rounding: str) -> str:
    """Return a value with nine digits, rounded up or down so that what is said stays true."""
    return f"{Context(prec=9, rounding=rounding).create_decimal(Decimal(value)):f}"


def row(instance: library.Instance) -> str:
    """Return the row of an instance in the table of its family."""
    gap = f"{instance.relative_gap:.0e}" if instance.solved else f"**{instance.relative_gap:.2g}**"
    cells = (
        f"`{instance.name}`",
        instance.description.replace("|", "\\|"),
        str(instance.n_samples),
        str(instance.n_features),
        f"{instance.alpha:.6g}",
        outward(instance.best_objective, ROUND_CEILING),
        outward(instance.lower_bound, ROUND_FLOOR),
        gap,
        str(instance.neurons),
        f"{instance.proved.seconds:g}",
    )
    return "| " + " | ".join(cells) + " |"


def tables() -> dict[str, str]:
    """Return what the page says between its markers, from the stored values alone."""
    instances = [library.load(name) for name in library.names()]
    found = {
        family: [HEADER, *(row(instance) for instance in instances if instance.family == family)]
        for family in {instance.family: None for instance in instances}
    }
    unsolved = [f"`{instance.name}`" for instance in instances if not instance.solved]
    found["open"] = [
        f"Open: {', '.join(unsolved) or 'none'} ({len(unsolved)} of {len(instances)})."
    ]
    return {name: "\n".join(lines) for name, lines in found.items()}


def page(text: str) -> str:
    """Return the text of docs/library.md with its tables replaced by those of the values."""
    for name, table in tables().items():
        start, end = f"<!-- generated: {name} -->\n", "<!-- end -->\n"
        if text.count(start) != 1:
            raise SystemExit(f"{PAGE} must have the line {start.strip()!r} once")
        before, rest = text.split(start)
        text = f"{before}{start}\n{table}\n\n{end}{rest.partition(end)[2]}"
    return text


def regenerate(names: Iterable[str], args: argparse.Namespace) -> int:
    """Solve the instances, print a line for each, write unless --check; return the exit status."""
    stored: dict[str, Entry] = json.loads(VALUES.read_text()) if VALUES.is_file() else {}
    compile_kernels()
    wrong = 0
    for name in names:
        recipe, old = library.RECIPES[name], stored.get(name)
        new = measured(recipe, args.tol, args.time_limit)
        clashes = contradictions(old, new, None if recipe.exact is None else recipe.exact())
        best, kept = best_of(old, new)
        if args.check and (old is None or old["digest"] != new["digest"]):
            clashes.append("there are no stored values for these data")
        gap = 1.0 - new["lower_bound"] / new["best_objective"]
        line = f"{name}: {new['lower_bound']!r} <= F* <= {new['best_objective']!r}, gap {gap:.1e}"
        line += f", {new['neurons']} neurons, {new['obtained']['seconds']:g} s"
        if kept and not args.check:
            line += f"; kept the stored {' and '.join(kept)}, no worse"
        print("\n  WRONG: ".join([line, *clashes]), flush=True)
        wrong += bool(clashes)
        if not args.check and not clashes:
            stored[name] = best
            write({key: stored[key] for key in stored if key in library.RECIPES})
    return int(wrong > 0)


def write(values: dict[str, Entry]) -> None:
    """Write the values, sorted, one number a line; floats are written by repr."""
    VALUES.write_text(json.dumps(values, indent=1, sort_keys=True, allow_nan=False) + "\n")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=library.names())
    parser.add_argument("--time-limit", type=float, default=60.0, help="seconds per instance")
    parser.add_argument("--tol", type=float, default=1e-8, help="relative gap to be proved")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument("--page", action="store_true", help="only write docs/library.md")
    args = parser.parse_args()
    status = 0 if args.page else regenerate(args.only or library.names(), args)
    if not args.check:
        PAGE.write_text(page(PAGE.read_text()))
    raise SystemExit(status)


if __name__ == "__main__":
    main()
