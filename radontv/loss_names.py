"""The argument --loss: a name, or a name and the value of its parameter."""

from __future__ import annotations

from .classification import CLASSIFICATION_LOSSES
from .csv_files import DataError, is_number, listed
from .problems.losses import EpsilonInsensitiveLoss, HuberLoss, Loss, QuantileLoss
from .regression import REGRESSION_LOSSES

WITH_VALUE: dict[str, type] = {
    "huber": HuberLoss,
    "quantile": QuantileLoss,
    "epsilon_insensitive": EpsilonInsensitiveLoss,
}
"""Losses with a parameter that the command line sets."""
NUMBER_LOSSES = tuple(name for name in REGRESSION_LOSSES if name not in ("tube", "interpolation"))
"""Constraints are not for files: noise would rule the fit."""


def is_for_classes(text: str) -> bool:
    """Return whether the loss is one for classes; raise a DataError if there is no such loss."""
    name = text.partition("=")[0].strip()
    if name in CLASSIFICATION_LOSSES:
        if "=" in text:
            raise DataError(f"--loss {text}: {name!r} has no parameter; give the name alone.")
        return True
    if name not in NUMBER_LOSSES:
        raise DataError(
            f"--loss {text} is unknown; choose one of {listed(NUMBER_LOSSES)} for numbers, or of "
            f"{listed(CLASSIFICATION_LOSSES)} for classes."
        )
    return False


def loss_of(text: str) -> str | Loss:
    """Return the loss of "NAME" or "NAME=VALUE", as estimators take it."""
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals:
        return name
    if name not in WITH_VALUE:
        raise DataError(f"--loss {text}: {name!r} has no parameter; give the name alone.")
    if not is_number(value):
        raise DataError(f"--loss {text}: {value!r} is no number; write it as in {name}=0.5.")
    try:
        loss: Loss = WITH_VALUE[name](float(value))
    except (ValueError, TypeError) as error:
        raise DataError(f"--loss {text}: {error}") from None
    return loss
