"""Named problems with the best objective and the best lower bound that are known.

Usage::

    from radontv.problems import library

    instance = library.load("xor")
    instance.problem, instance.best_objective, instance.lower_bound

The data are made from fixed seeds, or read from the tables inside an installed scikit-learn. The
values are in ``values.json``, which ``benchmarks/library.py`` writes.
"""

from __future__ import annotations

import difflib
import json
from functools import cache
from importlib.resources import files
from typing import Any

from . import closed_forms, generated, real
from .instance import Instance, Run
from .recipe import Recipe

__all__ = ["Instance", "Run", "load", "names"]

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe for recipe in (*closed_forms.RECIPES, *generated.RECIPES, *real.RECIPES)
}
"""All instances without their values, by name."""


def names() -> tuple[str, ...]:
    """Return the names of all instances, by family."""
    return tuple(RECIPES)


def load(name: str) -> Instance:
    """Return the instance of that name; its problem is made when it is first asked for.

    Raises
    ------
    TypeError
        If `name` is not a text.
    ValueError
        If there is none; the message gives names that are close.
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be a text, got {name!r}; see library.names().")
    if name not in RECIPES:
        near = difflib.get_close_matches(name.lower(), RECIPES, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "see library.names()."
        raise ValueError(f"there is no instance {name!r}; {hint}")
    return Instance.of(RECIPES[name], _values()[name])


@cache
def _values() -> dict[str, Any]:
    text = files(__name__).joinpath("values.json").read_text(encoding="utf-8")
    values: dict[str, Any] = json.loads(text)
    return values
