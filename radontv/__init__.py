"""Certified ridge splines: shallow ReLU networks with a proof of how good they are."""

from pathlib import Path as _Path

_root = _Path(__file__).resolve().parents[1]
if (_root / "pyproject.toml").is_file() and (_root / "problems").is_dir():
    # A checkout keeps problems/ and solvers/ beside this folder; a wheel keeps
    # them inside it and never reaches this line.
    __path__.append(str(_root))
