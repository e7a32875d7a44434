"""What a fit achieved, in numbers and in plain words."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .models import Model

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Quality:
    """How well predictions z fit targets y with weights s of sum 1.

    Attributes
    ----------
    rows : int
    r2 : float
        1 - sum_i s_i (y_i - z_i)^2 / sum_i s_i (y_i - mean)^2, 0 for constant targets.
    rmse : float
        sqrt(sum_i s_i (y_i - z_i)^2).
    """

    rows: int
    r2: float
    rmse: float

    @classmethod
    def of(cls, y: Array, z: Array, weights: Array | None = None) -> Quality:
        """Return the quality of predictions z (n,) of targets y (n,)."""
        s = np.full(len(y), 1.0 / len(y)) if weights is None else weights / weights.sum()
        error = float(s @ (y - z) ** 2)
        spread = float(s @ (y - s @ y) ** 2)
        return cls(len(y), 1.0 - error / spread if spread > 0 else 0.0, math.sqrt(error))


@dataclass(frozen=True)
class Summary:
    """What happened in a fit.

    Attributes
    ----------
    train, test : Quality
        On the rows that were fitted, and on those held out (None without).
    train_affine, test_affine : Quality
        The same for the least-squares affine function, as a yardstick.
    alpha_max : float
        The least alpha with an affine fit, as far as a search can tell.
    status : str
        How the solver ended.
    rounds : int
    seconds : float
    search_gap : float or None
        Smallest relative gap that the search reached, without proof; None if there is none.
    notes : list of str
        What was done to the file.
    """

    train: Quality
    test: Quality | None
    train_affine: Quality
    test_affine: Quality | None
    alpha_max: float
    status: str
    rounds: int
    seconds: float
    search_gap: float | None = None
    notes: list[str] = field(default_factory=list)


def describe(model: Model) -> str:
    """Return the summary of a fitted model in plain language."""
    parts = [_about_fit(model), _about_size(model), _about_optimum(model)]
    if model.summary.notes:
        parts.append("About the file\n" + "\n".join(f"  {n}" for n in model.summary.notes))
    return "\n\n".join(parts) + "\n"


def _about_fit(model: Model) -> str:
    summary, lines = model.summary, ["Quality of the fit"]
    for quality, affine, where in (
        (summary.test, summary.test_affine, "held-out rows, not used for the fit"),
        (summary.train, summary.train_affine, "fitted rows"),
    ):
        if quality is None or affine is None:
            continue
        lines += [
            f"  On the {quality.rows} {where}:",
            f"    R^2 = {quality.r2:.4f}, typical error {quality.rmse:.4g} "
            f"in units of {model.target!r}",
            f"    (the best affine function: R^2 = {affine.r2:.4f}, error {affine.rmse:.4g})",
        ]
    if summary.test and summary.test_affine and summary.test.rmse > summary.test_affine.rmse:
        lines.append(
            "  On new rows the affine function does better: the network follows the noise.\n"
            "  A larger --alpha-ratio makes it simpler."
        )
    if summary.test is None:
        lines.append("  No rows were held out, so nothing is known about new data.")
    return "\n".join(lines)


def _about_size(model: Model) -> str:
    n, bound = model.certificate.n_neurons, model.certificate.sparsity_bound
    size = f"{_neurons(n)} and an affine part" if n else "An affine function"
    return (
        "Size of the network\n"
        f"  {size}. The representer theorem promises an optimal network\n"
        f"  with at most {_neurons(bound)} for these data."
    )


def _neurons(n: int) -> str:
    return f"{n} neuron{'s' if n != 1 else ''}"


def _about_optimum(model: Model) -> str:
    c, summary = model.certificate, model.summary
    ratio = f" = {c.alpha / summary.alpha_max:.3g} alpha_max" if summary.alpha_max > 0 else ""
    fit = c.primal - c.alpha * _rtv(model)
    meaning = {
        "global": "This bound is proved for every possible network, of any size.",
        "local": "This bound rests on a thorough search for better neurons. It is strong\n"
        "  evidence but not a proof (which is what --prove asks for).",
    }.get(c.scope.value, c.scope.meaning)
    if c.scope.value == "global" and summary.search_gap is not None:
        if c.relative_gap > 2 * summary.search_gap:
            meaning += (
                f"\n  The search alone, which proves nothing, ended with a gap of "
                f"{summary.search_gap:.1e}; more time\n  lets the proof come nearer."
            )
    label = {"global": "proven gap", "local": "local gap"}.get(c.scope.value, "gap")
    return (
        "Distance from the optimum\n"
        f"  objective  1/2 mean squared error + alpha RTV = {fit:.6g} + {c.primal - fit:.6g} "
        f"= {c.primal:.9g}\n"
        f"             with alpha = {c.alpha:.4g}{ratio}\n"
        f"  optimum    at least {c.dual:.9g}\n"
        f"  {label:<10} {c.relative_gap:.2e}: by this bound, no function can lower the objective\n"
        f"             by more than {_percent(c.relative_gap)} of its value\n"
        f"  {meaning}\n"
        f"  {summary.status} ({summary.rounds} rounds, {summary.seconds:.1f} s)"
    )


def _percent(fraction: float) -> str:
    """Return the fraction in per cent with two significant digits."""
    fraction = min(fraction, 1.0)  # no objective is negative
    return f"{100 * fraction:.2g} %" if fraction >= 1e-6 else f"{100 * fraction:.0e} %"


def _rtv(model: Model) -> float:
    """Return RTV in standardised inputs, sum_k |a_k| ||w_k * scale||."""
    merged = model.network.merged()
    lengths = np.linalg.norm(merged.weights * model.scale, axis=1)
    return float(np.abs(merged.amplitudes) @ lengths)
