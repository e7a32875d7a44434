"""Certified ridge splines: shallow ReLU networks with a proof of how good they are."""

import sys as _sys
from pathlib import Path as _Path

_root = _Path(__file__).resolve().parents[1]
if (_root / "pyproject.toml").is_file() and (_root / "problems").is_dir():
    # A checkout keeps problems/ and solvers/ beside this folder; a wheel keeps
    # them inside it and never reaches this line.
    __path__.append(str(_root))

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import problems, solvers
    from .certification import certify
    from .classifiers import RadonTVClassifier
    from .classifiers_cv import RadonTVClassifierCV
    from .estimators import RadonTVRegressor
    from .estimators_cv import RadonTVRegressorCV
    from .model_report import ModelReport

    __version__: str

__all__ = [
    "ModelReport",
    "RadonTVClassifier",
    "RadonTVClassifierCV",
    "RadonTVRegressor",
    "RadonTVRegressorCV",
    "__version__",
    "certify",
    "problems",
    "solvers",
]


_HOMES = {
    "ModelReport": "model_report",
    "RadonTVClassifier": "classifiers",
    "RadonTVClassifierCV": "classifiers_cv",
    "RadonTVRegressor": "estimators",
    "RadonTVRegressorCV": "estimators_cv",
    "certify": "certification",
}


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("radontv")
    except PackageNotFoundError:  # a checkout that is not installed
        return "0+unknown"


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "__version__":
        return _version()
    if name in ("problems", "solvers"):
        return import_module(f".{name}", __name__)
    # The estimators import scikit-learn, which takes as long as all the rest together.
    if name not in _HOMES:
        raise AttributeError(f"module 'radontv' has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def _is_command() -> bool:
    """Return whether Python was started as `radontv` or as `python -m radontv`."""
    # While `python -m` looks for its module, argv[0] is "-m".
    if _sys.argv[:1] == ["-m"]:
        given = _sys.orig_argv
        return given[given.index("-m") + 1 :][:1] == ["radontv"] if "-m" in given else False
    return _Path(*_sys.argv[:1]).stem == "radontv"


if not _is_command():
    # Solvers tell problems how to find sup |eta|, so that they come along with the package. The
    # command loads them in `__main__`, where Ctrl-C is awaited.
    from . import problems, solvers
