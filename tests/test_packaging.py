"""What holds the package together: its folders, the arrows between them, and its imports."""

import ast
import importlib
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.version import Version  # comes with pytest

ROOT = Path(__file__).resolve().parents[1]
# Folder at the top -> name in Python. In an installed wheel these folders are not at the top,
# and there is nothing to compare with.
ROOMS = {"problems": "radontv.problems", "solvers": "radontv.solvers", "radontv": "radontv"}
IN_CHECKOUT = all((ROOT / folder).is_dir() for folder in ROOMS)
checkout_only = pytest.mark.skipif(not IN_CHECKOUT, reason="looks at the files of a checkout")

PLOTTING = {"matplotlib"}
CONIC = {"cvxpy", "clarabel"}
HEAVY = PLOTTING | CONIC | {"pandas"}


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def sources(folder: str) -> list[Path]:
    # A developer may keep links radontv/problems -> ../problems for an editor: not twice.
    inside = {ROOT / folder / other for other in ROOMS if (ROOT / folder / other).is_symlink()}
    return [p for p in sorted((ROOT / folder).rglob("*.py")) if not inside & set(p.parents)]


def package_of(path: Path) -> str:
    """Name of the package that the relative imports in a file start from."""
    folder, *between = path.relative_to(ROOT).parts[:-1]
    return ".".join([ROOMS.get(folder, folder), *between])


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and absolute dotted name of everything that a file imports, at any depth."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package_of(path).split(".")
                parents = parents[: len(parents) - node.level + 1]
                base = ".".join([*parents, base] if base else parents)
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def within(name: str, *packages: str) -> bool:
    return any(name == p or name.startswith(p + ".") for p in packages)


def violations(folder: str, forbidden) -> list[str]:
    """Imports in a room for which ``forbidden(path, name)`` holds."""
    return [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in sources(folder)
        for line, name in imports(path)
        if forbidden(path, name)
    ]


def run_python(code: str, cwd: Path) -> subprocess.CompletedProcess:
    """Run code in a new interpreter that sees the same radontv as this one."""
    env = dict(os.environ)
    if str(ROOT) in sys.path:
        env["PYTHONPATH"] = os.pathsep.join([str(ROOT), env.get("PYTHONPATH", "")]).rstrip(
            os.pathsep
        )
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env=env, capture_output=True, text=True, timeout=300
    )


# --- the list of packages, and what must agree with it -------------------------------------


@checkout_only
def test_packages_listed_are_the_packages_on_disk():
    tool = project()["tool"]["setuptools"]
    on_disk = [package_of(p) for room in ROOMS for p in sources(room) if p.name == "__init__.py"]
    assert sorted(tool["packages"]) == sorted(on_disk)
    assert tool["package-dir"] == {name: folder for folder, name in ROOMS.items() if folder != name}


@checkout_only
def test_every_module_lies_in_a_package():
    orphans = [
        str(p.relative_to(ROOT))
        for room in ROOMS
        for p in sources(room)
        if not (p.parent / "__init__.py").is_file()
    ]
    assert not orphans


@checkout_only
def test_oldest_requirements_are_the_lower_bounds():
    pins = dict(
        re.findall(
            r"^([\w-]+)==([\w.]+)",
            (ROOT / ".github" / "oldest-requirements.txt").read_text(encoding="utf-8"),
            re.MULTILINE,
        )
    )
    declared = project()["project"]
    extras = declared["optional-dependencies"]
    wanted = list(declared["dependencies"])
    for extra in ("reference", "cli", "plot", "test"):
        wanted += [r for r in extras[extra] if not r.startswith("radontv[")]
    for requirement in wanted:
        name, bound = requirement.split(">=")
        pin = pins.get(name, "0")
        assert Version(pin) == Version(bound), f"{requirement}: the pin is {pin}"


@checkout_only
def test_the_citation_names_this_version():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {project()['project']['version']}\n" in citation


def test_the_right_copy_is_tested():
    # Beside a checkout, the checkout; in a folder with only the tests, the installed wheel.
    folder = Path(importlib.import_module("radontv").__file__).resolve().parent
    assert (folder == ROOT / "radontv") == IN_CHECKOUT
    assert (folder / "py.typed").is_file()


# --- arrows: radontv -> solvers -> problems ------------------------------------------------


@checkout_only
def test_problems_import_nothing_but_numbers():
    outside = ("sklearn", "pandas", "typer", "rich", *PLOTTING, *CONIC)
    assert not violations(
        "problems",
        lambda path, name: (
            (within(name, "radontv") and not within(name, "radontv.problems"))
            or within(name, *outside)
        ),
    )


@checkout_only
def test_solvers_import_only_problems_and_themselves():
    outside = ("sklearn", "pandas", "typer", "rich", *PLOTTING)
    assert not violations(
        "solvers",
        lambda path, name: (
            (within(name, "radontv") and not within(name, "radontv.problems", "radontv.solvers"))
            or within(name, *outside)
        ),
    )


@checkout_only
def test_only_the_reference_solvers_import_a_conic_solver():
    for room in ROOMS:
        assert not violations(
            room,
            lambda path, name: (
                within(name, *CONIC)
                and not (
                    path.parent == ROOT / "solvers"
                    and path.name.startswith(("reference", "clarabel"))
                )
            ),
        )


@checkout_only
def test_only_the_plotting_files_import_matplotlib():
    assert not violations(
        "radontv",
        lambda path, name: (
            within(name, *PLOTTING)
            and not (path.parent == ROOT / "radontv" and path.name.startswith("plot"))
        ),
    )


@checkout_only
def test_nobody_imports_a_room_as_a_top_level_package():
    for folder in (*ROOMS, "tests", "examples", "benchmarks"):
        assert not violations(folder, lambda path, name: within(name, "problems", "solvers"))


def test_relative_imports_are_resolved(tmp_path, monkeypatch):
    # The tests above see only as far as this function does.
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    path = tmp_path / "problems" / "data" / "table.py"
    path.parent.mkdir(parents=True)
    path.write_text("from . import a\nfrom ..losses import b\nfrom ...solvers import c\n")
    assert [name for _, name in imports(path)] == [
        "radontv.problems.data.a",
        "radontv.problems.losses.b",
        "radontv.solvers.c",
    ]


# --- what an import does -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["radontv", "radontv.problems", "radontv.solvers"])
def test_star_import_gives_the_public_names(name):
    public = importlib.import_module(name).__all__
    assert isinstance(public, list | tuple)
    assert public
    assert all(isinstance(word, str) for word in public)
    assert len(set(public)) == len(public)
    namespace: dict[str, object] = {}
    exec(f"from {name} import *", namespace)
    assert set(public) <= namespace.keys()


def test_one_copy_of_every_class(tmp_path):
    code = """
import importlib, pkgutil, sys
import radontv, radontv.problems, radontv.solvers
for room in (radontv.problems, radontv.solvers):
    for module in pkgutil.walk_packages(room.__path__, room.__name__ + "."):
        if not module.name.split(".")[-1].startswith(("reference", "clarabel")):
            importlib.import_module(module.name)
doubled = {"problems", "solvers"} & sys.modules.keys()
assert not doubled, doubled
"""
    done = run_python(code, tmp_path)
    assert done.returncode == 0, done.stderr


def test_import_needs_and_loads_no_heavy_library(tmp_path):
    # scikit-learn itself loads pandas where it finds it, so a look at sys.modules would
    # blame radontv. Instead these libraries are made impossible to import.
    code = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {sorted(HEAVY)!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
import radontv, radontv.problems, radontv.solvers
"""
    done = run_python(code, tmp_path)
    assert done.returncode == 0, done.stderr


def test_import_does_not_load_matplotlib_or_cvxpy_when_they_are_there(tmp_path):
    code = f"""
import sys
import radontv, radontv.problems, radontv.solvers
loaded = {sorted(PLOTTING | CONIC)!r}
loaded = [name for name in loaded if name in sys.modules]
assert not loaded, loaded
"""
    done = run_python(code, tmp_path)
    assert done.returncode == 0, done.stderr
