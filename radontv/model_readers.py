"""The networks of other programs, read as layers."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.neural_network import MLPRegressor
from sklearn.utils.validation import check_is_fitted

from .foreign_networks import ForeignNetwork, as_layers, as_numbers
from .problems import Layers, RidgeSpline

SUPPORTED = (
    "a RidgeSpline, a fitted RadonTVRegressor or RadonTVClassifier, a fitted MLPRegressor (or a "
    "Pipeline that ends in one), a torch.nn.Sequential(Linear, ReLU, Linear), a tuple (Sequential, "
    "Linear) whose second part is the skip connection, a tuple (W1, b1, w2, b2) or (W1, b1, w2, "
    "b2, skip) of arrays, or radontv.problems.Layers"
)


def read_network(model: Any) -> ForeignNetwork:
    """Return the layers of any model that `certify` accepts, but estimators of this package.

    Raises
    ------
    TypeError, ValueError
        If the model is not a network with one hidden layer of ReLUs and one output.
    """
    if isinstance(model, RidgeSpline):
        return ForeignNetwork("RidgeSpline", model.to_layers(), has_skip=True, exact=model)
    if isinstance(model, Layers):
        W, t, v, skip, constant = model
        layers = as_layers("Layers", W, t, v, constant, skip)
        return ForeignNetwork("network of Layers", layers, has_skip=True)
    if isinstance(model, MLPRegressor):
        return _of_mlp(model)
    if _torch_name(model):
        return _of_torch(model, None)
    if isinstance(model, (list, tuple)):
        if any(_torch_name(part) and not hasattr(part, "detach") for part in model):
            return _of_torch_pair(model)
        return _of_arrays(model)
    hint = "; classifiers have another loss" if "Classifier" in type(model).__name__ else ""
    raise TypeError(f"model is a {type(model).__name__}{hint}; pass {SUPPORTED}.")


def _of_arrays(parts: Any) -> ForeignNetwork:
    if len(parts) not in (4, 5):
        raise ValueError(
            f"model is a {type(parts).__name__} of {len(parts)} parts; it must be (W1, b1, w2, b2) "
            "or (W1, b1, w2, b2, skip): one hidden layer."
        )
    W1, b1, w2, b2, skip = parts if len(parts) == 5 else (*parts, None)
    if skip is not None and not np.ndim(as_numbers("skip", skip, "tuple")):
        raise ValueError(
            "the fifth part of model is a number, but skip must have shape (n_features,); for the "
            "order of radontv.problems.Layers pass a Layers."
        )
    layers = as_layers("tuple", W1, b1, w2, b2, skip)
    return ForeignNetwork("network of arrays", layers, skip is not None, b1 is not None)


def _of_mlp(model: Any) -> ForeignNetwork:
    check_is_fitted(model)
    if model.activation != "relu":
        raise ValueError(
            f"model has activation={model.activation!r}; only 'relu' can be compared with ridge "
            "splines."
        )
    if getattr(model, "loss", "squared_error") != "squared_error":
        raise ValueError(f"model has loss={model.loss!r}; only 'squared_error' is supported.")
    if len(model.coefs_) != 2:
        raise ValueError(
            f"model has {len(model.coefs_) - 1} hidden layers (hidden_layer_sizes="
            f"{model.hidden_layer_sizes!r}); only one hidden layer is supported."
        )
    if model.n_outputs_ != 1:
        raise ValueError(
            f"model has {model.n_outputs_} outputs; only one is supported, fit one model each."
        )
    (W1, W2), (b1, b2) = model.coefs_, model.intercepts_
    return ForeignNetwork("MLPRegressor", as_layers("MLPRegressor", W1.T, b1, W2, b2, None), False)


def _torch_name(value: Any) -> str:
    """Return the name of the first class of torch among the types of `value`, "" if none is."""
    kinds = type(value).__mro__
    return next((k.__name__ for k in kinds if k.__module__.partition(".")[0] == "torch"), "")


def _is_torch(value: Any, name: str) -> bool:
    """Return whether `value` is of that class of torch itself: subclasses may compute anything."""
    return _torch_name(value) == name == type(value).__name__


def _of_torch_pair(parts: Any) -> ForeignNetwork:
    if len(parts) != 2 or not _is_torch(parts[1], "Linear"):
        names = ", ".join(type(part).__name__ for part in parts)
        raise TypeError(
            f"model is a {type(parts).__name__} of ({names}); with modules of torch it must be "
            "(Sequential, Linear), where the Linear is the skip connection."
        )
    return _of_torch(*parts)


def _of_torch(model: Any, skip: Any) -> ForeignNetwork:
    if not _is_torch(model, "Sequential"):
        raise TypeError(
            f"model is a torch module of class {type(model).__name__}, whose forward pass is not "
            "known; pass torch.nn.Sequential(Linear, ReLU, Linear), a tuple of that and a Linear "
            "as skip connection, or its arrays (W1, b1, w2, b2, skip)."
        )
    parts = [part for part in model if not _is_torch(part, "Identity")]
    order = ("Linear", "ReLU", "Linear")
    if len(parts) != 3 or not all(map(_is_torch, parts, order)):
        names = ", ".join(type(part).__name__ for part in parts)
        raise ValueError(
            f"model is Sequential({names}); only Sequential(Linear, ReLU, Linear) is supported, "
            "one hidden layer of ReLUs."
        )
    first, _, last = parts
    layers = as_layers(
        "Sequential",
        first.weight,
        first.bias,
        last.weight,
        last.bias,
        None if skip is None else skip.weight,
    )
    shift = 0.0
    if skip is not None and skip.bias is not None:
        shift = float(
            as_numbers("bias", skip.bias, "skip connection").sum()
        )  # one output: one bias
    return ForeignNetwork(
        "torch.nn.Sequential",
        layers._replace(output_bias=layers.output_bias + shift),
        has_skip=skip is not None,
        has_hidden_bias=first.bias is not None,
        decays_all=True,
        skip_bias=shift,
    )
