"""What a fit achieved, in numbers and in plain words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from .one_vs_rest import split
from .problems import Certificate
from .quality import ClassQuality, Quality
from .solvers import Status
from .tuning import Tuning
from .wording import counted, percent

if TYPE_CHECKING:
    from .models import Model


@dataclass(frozen=True)
class Summary:
    """What happened in a fit.

    Attributes
    ----------
    train, test : Quality or ClassQuality
        On the rows that were fitted, and on those held out (None without).
    train_affine, test_affine : Quality or ClassQuality
        The same for the best affine function, as a yardstick.
    alpha_max : float
        The least alpha with an affine fit, as far as a search can tell.
    status : str
        How the solver ended.
    rounds : int
    seconds : float
    search_gap : float or None
        Relative gap to the last bound of the search, without proof; None if there is none.
    prove : bool
        Whether a proof was asked for.
    notes : list of str
        What was done to the file.
    tuning : Tuning or None
        How cross-validation chose alpha, if it did.
    """

    train: Quality | ClassQuality
    test: Quality | ClassQuality | None
    train_affine: Quality | ClassQuality
    test_affine: Quality | ClassQuality | None
    alpha_max: float
    status: str
    rounds: int
    seconds: float
    search_gap: float | None = None
    prove: bool = False
    notes: list[str] = field(default_factory=list)
    tuning: Tuning | None = None


def describe(model: Model) -> str:
    """Return the summary of a fitted model in plain language."""
    parts = [_about_fit(model), _about_size(model), _about_optimum(model)]
    if model.summary.tuning is not None:
        parts.append(model.summary.tuning.describe(model.summary.alpha_max))
    if model.summary.notes:
        parts.append("About the file\n" + "\n".join(f"  {n}" for n in model.summary.notes))
    return "\n\n".join(parts) + "\n"


def _about_fit(model: Model) -> str:
    summary, lines = model.summary, ["Quality of the fit"]
    units = "" if model.classes is not None else f" in units of {model.target!r}"
    for quality, affine, noun, more in (
        (summary.test, summary.test_affine, "held-out row", ", not used for the fit"),
        (summary.train, summary.train_affine, "fitted row", ""),
    ):
        if quality is None or affine is None:
            continue
        lines += [
            f"  On {counted(quality.rows, noun)}{more}:",
            f"    {quality}{units}",
            f"    (the best affine function: {affine})",
        ]
        if isinstance(quality, ClassQuality) and model.classes is not None:
            lines += [f"      {line}" for line in quality.table(model.classes)]
    worse = summary.test and summary.test_affine and summary.test.error > summary.test_affine.error
    if worse and model.certificate.n_neurons:
        lines.append(
            "  On new rows the affine function does better: the network follows the noise.\n"
            "  A larger --alpha or --alpha-ratio makes it simpler, and --cv looks for one."
        )
    if summary.test is None:
        lines.append("  No rows were held out, so nothing is known about new data.")
    return "\n".join(lines)


def _about_size(model: Model) -> str:
    n, bound = model.certificate.n_neurons, model.certificate.sparsity_bound
    size = f"{counted(n, 'neuron')} and an affine part" if n else "An affine function"
    return (
        "Size of the network\n"
        f"  {size}. The representer theorem promises an optimal network\n"
        f"  with at most {counted(bound, 'neuron')} for these data."
    )


def _about_optimum(model: Model) -> str:
    c, summary = model.certificate, model.summary
    ratio = f" = {c.alpha / summary.alpha_max:.3g} alpha_max" if summary.alpha_max > 0 else ""
    fit = c.primal - c.alpha * _rtv(model)
    return (
        "Distance from the optimum\n"
        f"  objective  {_formula(model)} = {fit:.6g} + {c.primal - fit:.6g} "
        f"= {c.primal:.9g}\n"
        f"             with alpha = {c.alpha:.4g}{ratio}\n"
        f"  optimum    at least {c.dual:.9g}\n"
        f"{_about_gap(c)}\n"
        f"  {_worth(c, summary)}\n"
        f"  {summary.status} ({counted(summary.rounds, 'round')}, {summary.seconds:.1f} s)"
    )


def _formula(model: Model) -> str:
    """Return the objective in words."""
    if model.loss == "squared":
        return "1/2 mean squared error + alpha RTV"
    where = ", summed over the classes," if model.one_vs_rest else ""
    return f"mean {model.loss} loss + alpha RTV{where}"


def _about_gap(c: Certificate) -> str:
    """Return the gap as a share of the objective, or in absolute terms where rounding hides it."""
    label = {"global": "proven gap", "local": "local gap"}.get(c.scope.value, "gap")
    if c.gap == 0.0:
        return f"  {label:<10} 0: by this bound, no function has a lower objective"
    if c.gap > 2.0 * c.relative_gap * abs(c.primal):  # set to 0 because it is below the resolution
        return (
            f"  {label:<10} {c.gap:.2e} in the units of the objective, not relative to it: it is "
            f"at\n             the resolution of floating point, {c.resolution:.1e} for these data"
        )
    return (
        f"  {label:<10} {c.relative_gap:.2e}: by this bound, no function can lower the objective\n"
        f"             by more than {percent(c.relative_gap)} of its value"
    )


def _worth(c: Certificate, summary: Summary) -> str:
    """Return what the bound rests on, and what a proof that did not finish is short of."""
    if c.scope.value == "local":
        proof = (
            "(the proof that\n  --prove asks for had not begun when the fit ended)."
            if summary.prove
            else "(which is what --prove asks for)."
        )
        return (
            "This bound rests on a thorough search for better neurons. It is strong\n"
            f"  evidence but not a proof {proof}"
        )
    if c.scope.value != "global":
        return c.scope.meaning
    meaning = "This bound is proved for every possible network, of any size."
    searched, stopped = summary.search_gap, (Status.TIME_LIMIT.value, Status.INTERRUPTED.value)
    if searched is not None and c.relative_gap > 2 * searched and summary.status in stopped:
        meaning += (
            f"\n  The search alone, which proves nothing, ended with a gap of {searched:.1e}; "
            "more time\n  lets the proof come nearer."
        )
    return meaning


def _rtv(model: Model) -> float:
    """Return RTV in standardised inputs, sum_k |a_k| ||w_k * scale||."""
    if model.standard_network is not None and model.one_vs_rest:
        return sum(part.rtv for part in split(model.standard_network))
    if model.standard_network is not None:
        return model.standard_network.merged().rtv
    merged = model.network.merged()
    lengths = np.linalg.norm(merged.weights * model.scale, axis=1)
    return float(np.abs(merged.amplitudes) @ lengths)
