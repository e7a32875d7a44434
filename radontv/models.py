"""A fitted model as one JSON file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .csv_files import DataError
from .problems import Certificate, RidgeSpline
from .problems.atomic_files import whole_file
from .problems.poisson_loss import MOST_LOG
from .quality import ClassQuality, Quality
from .scores import classes_of
from .standardization import Standardization
from .summaries import Summary
from .tables import Column
from .tuning import Tuning

Array = NDArray[np.float64]

FORMAT = "radontv-model"
FORMAT_VERSION = 2
READABLE = (1, FORMAT_VERSION)
"""Version 1 knew neither classes nor losses other than the squared one."""


@dataclass(frozen=True)
class Model:
    """A fitted network with all that is needed to use it on another file.

    Attributes
    ----------
    network : RidgeSpline
        In the original units of the features.
    columns : list of Column
        How columns of a file become features.
    target : str
    mean, scale : ndarray of shape (n_features,)
        z = (x - mean) / scale are the inputs that RTV was measured in.
    certificate : Certificate
        Of the problem in z.
    summary : Summary
    version : str
        Version of radontv that made the file.
    standard_network : RidgeSpline or None
        The network of the certificate, as a function of z, which knows more digits than `network`
        where the offset of a feature is many times its spread; None in old files.
    loss : str
        Name and parameters of the loss.
    classes : tuple of str or None
        Names of the classes in the order of their codes, None for numbers.
    """

    network: RidgeSpline
    columns: list[Column]
    target: str
    mean: Array
    scale: Array
    certificate: Certificate
    summary: Summary
    version: str
    standard_network: RidgeSpline | None = None
    loss: str = "squared"
    classes: tuple[str, ...] | None = None

    @property
    def loss_name(self) -> str:
        """Name of the loss, without its parameters."""
        return self.loss.partition("(")[0]

    @property
    def one_vs_rest(self) -> bool:
        """True if there was one problem for each class."""
        several = self.classes is not None and len(self.classes) > 2
        return several and self.loss_name in ("hinge", "squared_hinge")

    @property
    def has_probabilities(self) -> bool:
        """True if scores stand for probabilities of classes."""
        return self.loss_name in ("logistic", "multinomial")

    def predict(self, X: Array) -> Array:
        """Return predicted numbers, or codes of classes; the arguments are those of `values`."""
        values = self.values(X)
        if self.classes is not None:
            return classes_of(values).astype(np.float64)
        return np.exp(np.minimum(values, MOST_LOG)) if self.loss_name == "poisson" else values

    def values(self, X: Array) -> Array:
        """Return the values of the network for rows X (n, n_features) in the original units.

        Raises
        ------
        DataError
            If a row is so far from the data of the fit that the prediction overflows.
        """
        if self.standard_network is None:
            return self.network(X)
        try:
            inputs = Standardization(self.mean, self.scale).new_inputs(X)
        except ValueError as error:
            raise DataError(f"Rows are too far from the data of the fit: {error}") from None
        return self.standard_network(inputs)

    @property
    def feature_names(self) -> list[str]:
        """Return the names of the features, in order."""
        return [name for column in self.columns for name in column.features]


def package_version() -> str:
    """Return the version of radontv, "unknown" in a checkout that is not installed."""
    try:
        return metadata.version("radontv")
    except metadata.PackageNotFoundError:
        return "unknown"


def certificate_fields(certificate: Certificate) -> dict[str, Any]:
    """Return the fields of a certificate for JSON, infinities as the text "inf"."""
    return {
        name: str(value) if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in certificate.to_dict().items()
    }


def write_json(path: Path, fields: Mapping[str, Any]) -> None:
    """Write strict JSON, whose numbers read back exactly; an old file stays until that is done."""
    text = json.dumps(fields, indent=1, allow_nan=False) + "\n"
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")


def save_model(path: Path, model: Model) -> None:
    """Write the model to a JSON file; `load_model` returns it exactly."""
    standard = model.standard_network
    write_json(
        path,
        {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "radontv_version": model.version,
            "formula": "sum_k amplitudes_k relu(weights_k.x - biases_k) + coef.x + intercept",
            **report_fields(model),
            "features": model.feature_names,
            "columns": [asdict(column) for column in model.columns],
            "network": _network_fields(model.network),
            "standardisation": {
                "formula": "the same function of z = (x - mean) / scale, with more digits",
                "mean": model.mean.tolist(),
                "scale": model.scale.tolist(),
                "network": None if standard is None else _network_fields(standard),
            },
        },
    )


def report_fields(model: Model) -> dict[str, Any]:
    """Return all but the network: what was fitted, how well, and the certificate."""
    return {
        "target": model.target,
        "loss": model.loss,
        "classes": None if model.classes is None else list(model.classes),
        "certificate": certificate_fields(model.certificate),
        "summary": asdict(model.summary),
    }


def _network_fields(network: RidgeSpline) -> dict[str, Any]:
    return {
        "amplitudes": network.amplitudes.tolist(),
        "weights": network.weights.tolist(),
        "biases": network.biases.tolist(),
        "coef": network.coef.tolist(),
        "intercept": np.asarray(network.intercept).tolist(),
    }


def is_model(path: Path) -> bool:
    """Return True if a fit of radontv, of any version, wrote the file."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(fields, dict) and fields.get("format") == FORMAT


def load_model(path: Path) -> Model:
    """Read a model, or the file model.json of a folder.

    Raises
    ------
    DataError
        If there is no such file, or it is not a model that this version can read.
    """
    if path.is_dir():
        path = path / "model.json"
    if not path.exists():
        raise DataError(f"There is no model {path}; make one with 'radontv fit'.")
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise DataError(
            f"{path} is not JSON; name the model.json that 'radontv fit' wrote."
        ) from None
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        raise DataError(f"{path} is not a radontv model; name the model.json of 'radontv fit'.")
    if fields.get("format_version") not in READABLE:
        raise DataError(
            f"{path} has model format {fields.get('format_version')!r}, made by radontv "
            f"{fields.get('radontv_version')}, but this version reads format {FORMAT_VERSION} and "
            "before; install that version, or fit again."
        )
    try:
        return _from_fields(fields)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path} is damaged ({error!r}); fit the model again.") from None


def _from_fields(fields: dict[str, Any]) -> Model:
    """Return the model of a parsed file; any exception means that it is damaged."""
    network, change = fields["network"], fields["standardisation"]
    standard = change.get("network")
    columns = [
        Column(c["name"], None if c["levels"] is None else tuple(c["levels"]))
        for c in fields["columns"]
    ]
    certificate = {
        name: float(value) if value in ("inf", "-inf", "nan") else value
        for name, value in fields["certificate"].items()
    }
    summary = dict(fields["summary"])
    for name in ("train", "test", "train_affine", "test_affine"):
        summary[name] = _quality(summary[name])
    tuning = summary.get("tuning")  # missing in old files
    summary["tuning"] = None if tuning is None else Tuning(**tuning)
    classes = fields.get("classes")
    model = Model(
        network=RidgeSpline(**network),
        columns=columns,
        target=fields["target"],
        mean=np.asarray(change["mean"], dtype=np.float64),
        scale=np.asarray(change["scale"], dtype=np.float64),
        certificate=Certificate.from_dict(certificate),
        summary=Summary(**summary),
        version=fields["radontv_version"],
        standard_network=None if standard is None else RidgeSpline(**standard),
        loss=fields.get("loss", "squared"),
        classes=None if classes is None else tuple(classes),
    )
    outputs = 1 if model.classes is None or len(model.classes) == 2 else len(model.classes)
    if model.network.n_outputs != outputs:
        raise ValueError("the numbers of outputs and classes disagree")
    if not len(model.feature_names) == model.network.n_features == len(model.mean):
        raise ValueError("the numbers of features disagree")
    return model


def _quality(fields: dict[str, Any] | None) -> Quality | ClassQuality | None:
    if fields is None:
        return None
    return ClassQuality(**fields) if "accuracy" in fields else Quality(**fields)
