"""What the summary says is true of the certificate, and advice fits how the fit ended."""

import numpy as np
import pytest

from radontv.models import Model
from radontv.problems import Certificate, RidgeSpline, Scope
from radontv.solvers import Status
from radontv.summaries import Quality, Summary, describe
from radontv.workflow import _search_gap

GOOD, BAD = Quality(20, 0.9, 0.1), Quality(20, 0.5, 0.3)


def certificate(**fields):
    known = {
        "primal": 1.0, "dual": 0.4, "gap": 0.6, "relative_gap": 0.6, "sup_bound": 0.2,
        "sup_attained": 0.1, "scope": Scope.GLOBAL, "alpha": 0.1, "scale": 1.0, "n_neurons": 1,
        "sparsity_bound": 9, "resolution": 1e-15,
    }  # fmt: skip
    return Certificate(**{**known, **fields})


def said(c=None, **fields):
    known = {
        "train": GOOD, "test": BAD, "train_affine": BAD, "test_affine": GOOD, "alpha_max": 1.0,
        "status": Status.TIME_LIMIT.value, "rounds": 1, "seconds": 2.0, "search_gap": 1e-6,
        "prove": True,
    }  # fmt: skip
    c = c or certificate()
    network = RidgeSpline.affine([1.0])
    zero, one = np.zeros(1), np.ones(1)
    summary = Summary(**{**known, **fields})
    return describe(Model(network, [], "y", zero, one, c, summary, "1"))


@pytest.mark.parametrize("status", list(Status))
def test_more_time_is_advised_only_where_time_ended_the_proof(status):
    stopped = status in (Status.TIME_LIMIT, Status.INTERRUPTED)
    text = said(status=status.value)
    assert ("more time" in text) == ("gap of 1.0e-06" in text) == stopped


def test_a_proof_that_was_not_begun_is_told():
    local = certificate(scope=Scope.LOCAL)
    assert "had not begun" in said(local)
    assert "--prove asks for)" in said(local, prove=False)
    assert "had not begun" not in said()


@pytest.mark.parametrize("primal", [1e-31, 1.0])
def test_a_gap_below_the_resolution_is_no_percentage(primal):
    text = said(certificate(primal=primal, dual=0.0, gap=primal, relative_gap=0.0, resolution=2.0))
    assert "%" not in text
    assert f"{primal:.2e} in the units of the objective" in text
    assert "resolution of floating point, 2.0e+00" in text


def test_no_gap_at_all():
    text = said(certificate(dual=1.0, gap=0.0, relative_gap=0.0))
    assert "no function has a lower objective" in text


def test_noise_is_not_blamed_on_a_network_without_neurons():
    assert "follows the noise" in said()
    assert "follows the noise" not in said(certificate(n_neurons=0))


def test_the_last_bound_of_the_search_counts():
    def event(dual, scope):
        return {"dual": dual, "scope": scope, "gap": 1.0 - dual}

    history = [event(0.5, "local"), event(1.0 - 1e-12, "local"), event(0.9, "local")]
    history.append(event(0.4, "global"))
    assert _search_gap(history, certificate()) == pytest.approx(0.1)
    assert _search_gap(history[3:], certificate()) is None


def test_r2_of_targets_that_do_not_vary_is_undefined():
    assert Quality.of(np.full(3, 0.1), np.arange(3.0)).r2 is None
    assert Quality.of(np.array([1.0]), np.array([2.0])).r2 is None
    weights = np.array([1.0, 1.0, 0.0])
    assert Quality.of(np.array([1.0, 1.0, 2.0]), np.zeros(3), weights).r2 is None
    assert "undefined" in said(test=Quality(1, None, 0.1))
    assert "On 1 held-out row," in said(test=Quality(1, None, 0.1))
    assert "(1 round," in said()
