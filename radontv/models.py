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
from .standardization import Standardization
from .summaries import Quality, Summary
from .tables import Column
from .tuning import Tuning

Array = NDArray[np.float64]

FORMAT = "radontv-model"
FORMAT_VERSION = 1


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

    def predict(self, X: Array) -> Array:
        """Return predictions for rows X (n, n_features) in the original units.

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
            "target": model.target,
            "features": model.feature_names,
            "columns": [asdict(column) for column in model.columns],
            "network": _network_fields(model.network),
            "standardisation": {
                "formula": "the same function of z = (x - mean) / scale, with more digits",
                "mean": model.mean.tolist(),
                "scale": model.scale.tolist(),
                "network": None if standard is None else _network_fields(standard),
            },
            "certificate": certificate_fields(model.certificate),
            "summary": asdict(model.summary),
        },
    )


def _network_fields(network: RidgeSpline) -> dict[str, Any]:
    return {
        "amplitudes": network.amplitudes.tolist(),
        "weights": network.weights.tolist(),
        "biases": network.biases.tolist(),
        "coef": network.coef.tolist(),
        "intercept": network.intercept,
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
    if fields.get("format_version") != FORMAT_VERSION:
        raise DataError(
            f"{path} has model format {fields.get('format_version')!r}, made by radontv "
            f"{fields.get('radontv_version')}, but this version reads format {FORMAT_VERSION}; "
            "install that version, or fit again."
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
        summary[name] = None if summary[name] is None else Quality(**summary[name])
    tuning = summary.get("tuning")  # missing in old files
    summary["tuning"] = None if tuning is None else Tuning(**tuning)
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
    )
    if not len(model.feature_names) == model.network.n_features == len(model.mean):
        raise ValueError("the numbers of features disagree")
    return model
