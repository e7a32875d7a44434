"""The losses by name; the classes live with their kin, the protocol in `loss_base`."""

from __future__ import annotations

from typing import Any

from .classification_losses import HingeLoss, LogisticLoss, SquaredHingeLoss
from .exact_fit_losses import InterpolationLoss, TubeLoss
from .loss_base import BaseLoss, Loss
from .poisson_loss import PoissonLoss
from .regression_losses import (
    AbsoluteLoss,
    EpsilonInsensitiveLoss,
    HuberLoss,
    QuantileLoss,
    SquaredLoss,
)

__all__ = [
    "LOSSES",
    "AbsoluteLoss",
    "EpsilonInsensitiveLoss",
    "HingeLoss",
    "HuberLoss",
    "InterpolationLoss",
    "LogisticLoss",
    "Loss",
    "PoissonLoss",
    "QuantileLoss",
    "SquaredHingeLoss",
    "SquaredLoss",
    "TubeLoss",
    "get_loss",
]

LOSSES: dict[str, type[BaseLoss]] = {
    loss.name: loss
    for loss in (
        SquaredLoss,
        HuberLoss,
        AbsoluteLoss,
        QuantileLoss,
        EpsilonInsensitiveLoss,
        LogisticLoss,
        HingeLoss,
        SquaredHingeLoss,
        PoissonLoss,
        InterpolationLoss,
        TubeLoss,
    )
}
"""The losses by the name that `RadonTVProblem(loss=...)` accepts, with their default parameters."""


def get_loss(loss: str | Loss) -> Loss:
    """Return the loss of that name, or `loss` itself if it already is one."""
    if isinstance(loss, str):
        if loss not in LOSSES:
            raise ValueError(f"loss={loss!r} is unknown; choose one of {sorted(LOSSES)}.")
        found: Any = LOSSES[loss]()
        return found  # type: ignore[no-any-return]
    if isinstance(loss, type) or not isinstance(loss, Loss):
        raise TypeError(
            f"loss must be one of {sorted(LOSSES)} or an object with the methods of "
            f"radontv.problems.losses.Loss, got {loss!r}."
        )
    return loss
