"""A certificate in a file: one JSON object, read back exactly or refused with a reason."""

from __future__ import annotations

import json
import math
import os
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from .atomic_files import whole_file
from .certificate import Certificate
from .checks import Array
from .network import RidgeSpline
from .power.polynomials import Polynomial
from .power.spline import PowerSpline

FORMAT = "radontv-certificate"
VERSION = 1
CLAIM = (
    "F(f) = sum_i s_i l(y_i, f(x_i)) + alpha sum_k |a_k| (or what else the problem with this "
    "digest charges for a neuron) of the network f(x) = "
    "sum_k a_k relu(w_k.x - b_k) + coef.x + intercept is 'primal', and no function has less than "
    "'dual'. Proof: with q = dual_point, sum_i q_i = 0, sum_i q_i x_i = 0 up to rounding, and "
    "|sum_i q_i relu(w.x_i - b)| <= sup_bound for all unit w and all b (within 'scope'), so that "
    "'dual' <= D(t q) = -sum_i s_i l*(y_i, -t q_i / s_i) with |t| <= alpha / sup_bound. For a "
    "network with 'order' m and 'polynomial' p, relu(t) is max(t, 0)^(m-1) / (m-1)!, the affine "
    "part is p(x) = sum_j c_j prod_k u_k^e_jk, u = maps^T (x - centre), and q is orthogonal to all "
    "polynomials of degree below m."
)
"""What a certificate says, for a reader without this package."""

_INTEGERS = ("n_neurons", "sparsity_bound")
_FIELDS = {f.name: f for f in fields(Certificate) if f.name not in ("network", "dual_point")}
_NEURONS = ("amplitudes", "weights", "biases")


def save_certificate(certificate: Certificate, path: str | os.PathLike[str]) -> None:
    """Write the certificate to `path`; see `Certificate.save`."""
    network, q = certificate.network, certificate.dual_point
    if network is None or q is None:
        raise ValueError(
            "this certificate has no network or no dual point, so nobody could check it; save the "
            "one that solve, prove or RadonTVProblem.certificate returned."
        )
    text = json.dumps(
        {
            "format": FORMAT,
            "version": VERSION,
            "claim": CLAIM,
            "certificate": {k: _plain(v) for k, v in certificate.to_dict().items()},
            "network": _content_of(network),
            "dual_point": q.tolist(),
        },
        indent=1,
        allow_nan=False,
    )
    target = Path(path)
    if target.is_dir():
        raise IsADirectoryError(f"{target} is a folder; name a file in it.")
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"{target} cannot be written: there is no folder {target.parent}; make it first."
        )
    with whole_file(target) as part:
        part.write_text(text + "\n", encoding="utf-8")


def load_certificate(path: str | os.PathLike[str]) -> Certificate:
    """Return the certificate in the file `path`; see `Certificate.load`."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"), parse_constant=_refuse)
    except ValueError as error:  # also bytes that are not UTF-8
        raise ValueError(f"{path} is damaged or not JSON ({error}).") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"{path} is not a certificate: it has no 'format': '{FORMAT}'.")
    if content.get("version") != VERSION:
        raise ValueError(
            f"{path} has version {content.get('version')!r} of the format, but this radontv reads "
            f"version {VERSION}."
        )
    try:
        return _certificate(content)
    except KeyError as error:
        raise ValueError(f"{path} is damaged: {error} is missing.") from None
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    except (TypeError, AttributeError):  # of no use to a reader: list indices and the like
        raise ValueError(f"{path} is damaged: a part of it has another form.") from None


def _certificate(content: dict[str, Any]) -> Certificate:
    """Return the certificate of a parsed file; errors mean that it is damaged."""
    numbers, network = content["certificate"], content["network"]
    for name, part in (("certificate", numbers), ("network", network)):
        if not isinstance(part, dict):
            raise ValueError(f"{name} is not an object with named parts.")
    for name in sorted(numbers.keys() - _FIELDS.keys()):
        raise ValueError(f"{name!r} is no field of a certificate.")
    for name, field in _FIELDS.items():
        if name not in numbers and field.default is MISSING:
            raise KeyError(name)
    numbers = dict(numbers)
    for name, value in numbers.items():
        if name not in ("scope", "digest"):
            numbers[name] = _number(name, value)
    certificate = Certificate.from_dict(numbers)
    spline: Any = _power_spline(network) if "order" in network else _ridge_spline(network)
    n_axes = spline.coef.ndim if isinstance(spline, RidgeSpline) else 1
    q = _floats("dual_point", content["dual_point"])
    if q.ndim != n_axes or q.size == 0:
        raise ValueError(
            f"dual_point has shape {q.shape}, not (n_samples,), or with several outputs "
            "(n_samples, n_outputs)."
        )
    if not isinstance(certificate.digest, str):
        raise ValueError("digest is not a text.")
    return replace(certificate, network=spline, dual_point=q)


def _content_of(network: Any) -> dict[str, Any]:
    """Return the arrays of a network, by name."""
    neurons = {name: getattr(network, name).tolist() for name in _NEURONS}
    if not isinstance(network, PowerSpline):
        intercept = np.asarray(network.intercept).tolist()
        return {**neurons, "coef": network.coef.tolist(), "intercept": intercept}
    free = network.polynomial
    polynomial = {f.name: getattr(free, f.name).tolist() for f in fields(free)}
    return {**neurons, "polynomial": polynomial, "order": network.order}


def _ridge_spline(network: dict[str, Any]) -> RidgeSpline:
    """Return the network that `_content_of` wrote."""
    neurons = _neurons(network, len(network["coef"]))
    coef, intercept = _floats("coef", network["coef"]), _floats("intercept", network["intercept"])
    return RidgeSpline(
        **neurons, coef=coef, intercept=intercept if intercept.ndim else float(intercept)
    )


def _power_spline(network: dict[str, Any]) -> PowerSpline:
    """Return the spline of order m that `_content_of` wrote."""
    content = network["polynomial"]
    d = len(content["centre"])
    exponents = _floats("exponents", content["exponents"]).reshape(-1, d)
    if (exponents != np.floor(exponents)).any():
        raise ValueError("exponents holds numbers that are no integers.")
    values = {f.name: _floats(f.name, content[f.name]) for f in fields(Polynomial)[1:]}
    polynomial = Polynomial(exponents=exponents.astype(np.int64), **values)
    neurons = _neurons(network, d)
    return PowerSpline(**neurons, polynomial=polynomial, order=network["order"])


def _neurons(network: dict[str, Any], n_features: int) -> dict[str, Array]:
    """Return amplitudes, weights and biases."""
    arrays = {name: _floats(name, network[name]) for name in _NEURONS}
    if not network["weights"]:
        arrays["weights"] = np.zeros((0, n_features))
    return arrays


def _plain(value: Any) -> Any:
    """Return the value with infinities as text; NaN is left to be refused."""
    infinite = isinstance(value, float) and math.isinf(value)
    return str(value) if infinite else value


def _number(name: str, value: Any) -> float | int:
    """Return a number of the file, an integer where the field is one."""
    if value in ("inf", "-inf"):
        return float(value)
    wanted = int if name in _INTEGERS else (int, float)
    if isinstance(value, bool) or not isinstance(value, wanted):
        raise ValueError(f"{name} is {value!r}, not a number.")
    return value if name in _INTEGERS else float(value)


def _floats(name: str, values: Any) -> Array:
    """Return a float64 array of finite numbers, or raise a ValueError that names it."""
    array = np.asarray(values)
    if array.size and array.dtype.kind not in "if":
        raise ValueError(f"{name} holds something that is not a number.")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds numbers beyond the range of float64.")
    return array


def _refuse(constant: str) -> float:
    raise ValueError(f"it holds {constant}")
