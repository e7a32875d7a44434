"""A sample of the soundness campaign, and that it finds oracles which are wrong by one per cent."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import campaign
import campaign_problem
import numpy as np
import pytest
from brute_force import brute_force, exceeds
from campaign_kinds import KINDS, make_problem
from campaign_problem import ORACLES, examine

from radontv.solvers import proving
from radontv.solvers.oracle import SupBound

PER_KIND = 9
MIXED = ("collinear", "flat", "sphere")
FIRST = 10_000
"""Seeds that the campaign itself does not reach by default."""


@pytest.mark.parametrize("kind", KINDS)
def test_no_bound_is_contradicted(kind: str) -> None:
    reports = [examine(kind, FIRST + k, budget=0.1) for k in range(PER_KIND)]
    assert [failure for r in reports for failure in r.failures] == []
    assert sum(r.checked["bound_sup"] for r in reports) == 3 * PER_KIND
    assert sum(r.checked["prove"] for r in reports) == 3 * PER_KIND


def test_the_campaign_reports_and_repeats(capsys: pytest.CaptureFixture[str]) -> None:
    assert campaign.main(["--only", "grid", "--problems", "6", "--jobs", "1"]) == 0
    printed = capsys.readouterr().out
    assert "problems: 6, contradictions: 0" in printed
    assert all(name in printed for name in campaign_problem.NAMES)
    assert campaign.main(["--only", "few", "--seed", "77", "--time", "60"]) == 0
    assert "problems: 1, contradictions: 0" in capsys.readouterr().out


def test_problems_depend_on_kind_and_seed_only() -> None:
    for kind in KINDS:
        one, two, other = make_problem(kind, 5), make_problem(kind, 5), make_problem(kind, 6)
        np.testing.assert_array_equal(one.X, two.X)
        np.testing.assert_array_equal(one.y, two.y)
        assert one.alpha == two.alpha
        assert one.X.shape != other.X.shape or (one.X != other.X).any()


def too_low(oracle: Callable[..., SupBound]) -> Callable[..., SupBound]:
    """Return an oracle whose bound is 1 % low, and which does not know better."""

    def broken(X: Any, q: Any, *args: Any, **options: Any) -> SupBound:
        found = oracle(X, q, *args, **options)
        return replace(
            found,
            attained=0.0,
            bound=0.99 * found.bound,
            bias=float(np.abs(found.bias) + 1e9),
            witnesses_weights=found.witnesses_weights[:0],
            witnesses_biases=found.witnesses_biases[:0],
        )

    return broken


@pytest.mark.parametrize(
    ("name", "reported"),
    [
        ("bound_sup", {"bound_sup"}),
        ("sup_eta_1d", {"1-D"}),
        ("sup_eta_2d", {"2-D"}),
        ("sup_eta_3d", {"3-D"}),
        ("branch_and_bound", {"b&b sup", "b&b proof", "b&b stop", "b&b early"}),
    ],
)
def test_a_bound_that_is_too_low_is_found(
    name: str, reported: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaign_problem, name, too_low(getattr(campaign_problem, name)))
    reports = [examine(kind, 500 + k, budget=0.1) for k in range(5) for kind in MIXED]
    failures = [failure for r in reports for failure in r.failures]
    blamed = {o for o in ORACLES if any(f.startswith(f"{o}: bound") for f in failures)}
    assert blamed and blamed <= reported


def test_the_campaign_fails_with_what_to_repeat(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(campaign_problem, "sup_eta_3d", too_low(campaign_problem.sup_eta_3d))
    assert campaign.main(["--only", "collinear", "--seed", "3", "--jobs", "1"]) == 1
    printed = capsys.readouterr().out
    assert "--only 'collinear' --seed 3: 3-D: bound" in printed
    assert "problems: 1, contradictions: 1" in printed


def test_a_certificate_with_too_good_a_bound_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proving, "bound_sup", too_low(proving.bound_sup))
    failures = [f for k in range(10) for f in examine("gaussian", 600 + k, budget=0.1).failures]
    assert any(f.startswith("prove: dual") for f in failures)
    assert all(f.startswith(("prove", "global")) for f in failures)


def test_an_exception_is_a_contradiction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign_problem, "best_biases", None)
    (failure,) = examine("gaussian", 1).failures
    assert "TypeError" in failure


def test_brute_force_knows_xor_and_compares_exactly() -> None:
    X = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    sup = brute_force(X, X[:, 0] * X[:, 1] / 4)[0]
    assert sup == pytest.approx(1 / (2 * math.sqrt(2)), rel=1e-15)
    # eta((1, 0), 0) = 1/2 on these three points, for any length of the normal.
    X, q = np.array([[1.0, 0.0], [0.0, 0.0], [-1.0, 0.0]]), np.array([0.5, -1.0, 0.5])
    for length in (1.0, 3.0):
        w = np.array([length, 0.0])
        assert exceeds(X, q, w, 0.0, math.nextafter(0.5, 0.0))
        assert not exceeds(X, q, w, 0.0, 0.5)
