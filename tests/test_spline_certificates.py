"""Certificates of splines of order m in files."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from power_cases import data, problem, random_spline

from radontv.problems import Certificate, Scope


def solved(d: int, order: int) -> Certificate:
    """Return the certificate of some spline, with that spline."""
    return problem(order, n=30, d=d).certificate(random_spline(order, d), 0.0, Scope.LOCAL)


DAMAGES: dict[str, tuple[str, Callable[[dict[str, Any]], Any]]] = {
    "exponents": ("no integers", lambda n: n["polynomial"].update(exponents=[[0.5]])),
    "negative exponents": ("exponents >= 0", lambda n: n["polynomial"].update(exponents=[[-1]])),
    "coefficients": ("do not fit", lambda n: n["polynomial"].update(coefficients=[1.0] * 7)),
    "maps": ("not a number", lambda n: n["polynomial"].update(maps=[["a"]])),
    "no centre": ("'centre' is missing", lambda n: n["polynomial"].pop("centre")),
    "no polynomial": ("'polynomial' is missing", lambda n: n.pop("polynomial")),
    "polynomial": ("another form", lambda n: n.update(polynomial=3.0)),
    "order": ("order", lambda n: n.update(order=7)),
    "order text": ("another form", lambda n: n.update(order="3")),
    "amplitudes": ("do not agree", lambda n: n.update(amplitudes=[1.0] * 9)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_splines_are_refused_with_a_reason(damage: str, tmp_path: Path) -> None:
    path, (message, spoil) = tmp_path / "proof.json", DAMAGES[damage]
    solved(1, 3).save(path)
    content = json.loads(path.read_text())
    spoil(content["network"])
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message) as error:
        Certificate.load(path)
    assert str(path) in str(error.value)


def test_splines_are_read_back_exactly(tmp_path: Path) -> None:
    certificate = solved(2, 4)
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    certificate.save(first)
    read = Certificate.load(first)
    read.save(second)
    assert first.read_bytes() == second.read_bytes()
    X = data(9, 2, seed=3)[0]
    given, network = certificate.network, read.network
    assert given is not None and network is not None
    assert type(network) is type(given)
    np.testing.assert_array_equal(network(X), given(X))
    flat = replace(certificate, network=problem(3).polynomial_fit())
    flat.save(first)
    read = Certificate.load(first)
    assert read.network is not None
    assert read.network.weights.shape == (0, 2)
