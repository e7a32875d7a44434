"""A shallow ReLU network of another program: its layers, and their shapes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .problems import Layers, RidgeSpline
from .problems.checks import Array, as_float_array

FAR = 1e6
"""A hyperplane that is this many times farther away than all rows leaves its neuron affine."""


@dataclass(frozen=True, eq=False)
class ForeignNetwork:
    """A network as it was trained.

    Parameters
    ----------
    kind : str
        What to call it.
    layers : Layers
        Its weights; a missing bias or skip connection is zero.
    has_skip : bool
        Whether the affine part is free, and not only a constant.
    has_hidden_bias : bool
    decays_all : bool
        Whether the usual optimiser decays biases and skip connection too.
    exact : RidgeSpline, default=None
        The network in unit form, if it came in that form.
    skip_bias : float, default=0.0
        The part of the output bias that belongs to the skip connection, a parameter of its own.
    """

    kind: str
    layers: Layers
    has_skip: bool
    has_hidden_bias: bool = True
    decays_all: bool = False
    exact: RidgeSpline | None = None
    skip_bias: float = 0.0

    @property
    def width(self) -> int:
        """Number of hidden neurons, dead ones included."""
        return len(self.layers.hidden_bias)

    @property
    def n_features(self) -> int:
        """Dimension of the inputs."""
        return len(self.layers.skip_weight)

    def squares(self, everything: bool) -> float:
        """Return sum_k v_k^2 + |omega_k|^2, plus the squares of biases and skip if `everything`."""
        W, t, v, skip, constant = self.layers
        weights = float(np.sum(W * W) + v @ v)
        if not everything:
            return weights
        own = constant - self.skip_bias
        return weights + float(t @ t + skip @ skip) + own**2 + self.skip_bias**2

    def network(self, X: Array) -> RidgeSpline:
        """Return the function in unit form.

        A neuron with |b| > `FAR` max |x_i|, whose hidden weights have decayed to nothing, is
        replaced by the affine function or the zero that it is on all |x| < |b|.
        """
        spline = RidgeSpline.from_layers(*self.layers) if self.exact is None else self.exact
        radius = float(np.linalg.norm(X, axis=1).max(initial=0.0))
        far = np.abs(spline.biases) > FAR * radius
        if not far.any():
            return spline
        above = far & (spline.biases < 0)
        near = ~far
        constant = spline.intercept - float(spline.amplitudes[above] @ spline.biases[above])
        return RidgeSpline(
            spline.amplitudes[near],
            spline.weights[near],
            spline.biases[near],
            spline.coef + spline.amplitudes[above] @ spline.weights[above],
            constant,
        )


def as_layers(kind: str, W1: Any, b1: Any, w2: Any, b2: Any, skip: Any) -> Layers:
    """Return w2.relu(W1 x + b1) + skip.x + b2 as `Layers`, or an error about the first misfit.

    Parameters
    ----------
    kind : str
        Whose weights they are, for messages.
    W1, b1, w2, b2, skip : array-like
        Shapes (K, d), (K,), (K,) or (1, K) or (K, 1), () or (1,), (d,) or (1, d); `None` for a
        bias or a skip connection that does not exist.
    """
    hidden = as_numbers("W1", W1, kind)
    if hidden.ndim != 2:
        raise ValueError(
            f"W1 of the {kind} has shape {hidden.shape}; it must be (n_neurons, n_features)."
        )
    width, d = hidden.shape
    offset = np.zeros(width) if b1 is None else as_numbers("b1", b1, kind)
    if offset.shape != (width,):
        turned = offset.shape == (d,)
        raise ValueError(
            f"W1 of the {kind} has shape {hidden.shape} and b1 has shape {offset.shape}; they must "
            "be (n_neurons, n_features) and (n_neurons,)"
            + ("; W1 looks transposed, pass W1.T." if turned else ".")
        )
    output = as_numbers("w2", w2, kind)
    if output.shape not in ((width,), (1, width), (width, 1)):
        raise ValueError(
            f"w2 of the {kind} has shape {output.shape}; for {width} neurons and one output it "
            f"must be ({width},), (1, {width}) or ({width}, 1). Several outputs are not supported; "
            "judge them one at a time."
        )
    constant = np.zeros(()) if b2 is None else as_numbers("b2", b2, kind)
    if constant.size != 1:
        raise ValueError(f"b2 of the {kind} has shape {constant.shape}; it must be one number.")
    straight = np.zeros(d) if skip is None else as_numbers("skip", skip, kind)
    if straight.shape not in ((d,), (1, d)):
        raise ValueError(
            f"skip of the {kind} has shape {straight.shape}; for {d} features it must be ({d},) "
            f"or (1, {d})."
        )
    return Layers(hidden, offset, output.ravel(), straight.ravel(), float(constant.item()))


def as_numbers(name: str, value: Any, kind: str) -> Array:
    """Return an array or tensor of any floating type as float64."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().double().numpy()
    try:
        raw = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} of the {kind} is not a rectangular array of numbers.") from None
    if raw.dtype.kind == "f" and not np.isfinite(raw).all():
        raise ValueError(
            f"{name} of the {kind} contains {'NaN' if np.isnan(raw).any() else 'infinity'}: its "
            "training diverged; train it again with smaller steps or scaled data."
        )
    shape = f"of {raw.ndim} dimensions"  # any: `as_layers` knows which is right
    return as_float_array(name, raw, ndim=raw.ndim, shape=shape)
