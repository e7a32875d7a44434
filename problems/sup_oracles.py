"""Who finds sup |eta|: rooms know no algorithm, so that solvers register theirs here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .checks import Array

SupOracle = Callable[[Any, Array], float]
"""Returns the largest |eta_q(w, b)| that it finds for a problem and a dual point q."""
LeastSup = Callable[[Any], float]
"""Returns the least sup |eta_q0| over all dual points q0 of the best affine fits of a problem."""

_SUP: dict[type, SupOracle] = {}
_LEAST: dict[type, LeastSup] = {}


def register_sup_oracle(kind: type, oracle: SupOracle, least: LeastSup | None = None) -> None:
    """Set how `alpha_max` of problems of a class finds sup |eta|.

    `least` is for losses with kinks, whose best affine fit has more than one dual point.
    """
    _SUP[kind] = oracle
    if least is not None:
        _LEAST[kind] = least


def sup_oracle(problem: Any) -> SupOracle:
    """Return the registered oracle; raise a RuntimeError if there is none."""
    found = _SUP.get(type(problem))
    if found is None:
        raise RuntimeError("alpha_max needs an oracle; import radontv.solvers to have one.")
    return found


def least_sup(problem: Any) -> LeastSup | None:
    """Return the registered function of this problem's class, if there is one."""
    return _LEAST.get(type(problem))
