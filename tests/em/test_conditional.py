"""ECM on the victims of crime (Schafer 1997): a table with missing margins, by iterative proportional fitting."""

import csv
import json

import numpy as np
import pytest

from seqem.em.conditional import Conditional
from seqem.em.driver import fit
from seqem.em.point import EMMap
from seqem.em.protocol import EStep
from seqem.em.stop import StopRule


class Table:
    """Cell probabilities of a two-by-two table of which some rows miss a variable."""

    def e_step(self, theta, rows):
        counts, log_likelihood = np.zeros((2, 2)), 0.0
        for first, second, n in rows:
            seen = np.ones((2, 2), bool)
            if first is not None:
                seen[1 - first] = False
            if second is not None:
                seen[:, 1 - second] = False
            share = np.where(seen, theta, 0.0)
            counts += n * share / share.sum()
            log_likelihood += n * np.log(share.sum())
        return EStep(counts, float(log_likelihood))

    def m_step(self, counts, theta):
        return counts / counts.sum()

    def log_prior(self, theta):
        return 0.0


def rows_fit(counts, theta):
    return theta * (counts.sum(1) / counts.sum() / theta.sum(1))[:, None]


def columns_fit(counts, theta):
    return theta * (counts.sum(0) / counts.sum() / theta.sum(0))


@pytest.fixture(scope="module")
def crimes(shared_data):
    def code(text):
        return None if text == "NA" else int(text) - 1

    with (shared_data / "em" / "crimes_cat.csv").open() as handle:
        return [(code(r["V1"]), code(r["V2"]), int(r["N"])) for r in csv.DictReader(handle)]


@pytest.fixture(scope="module")
def golden(shared_data):
    return json.loads((shared_data / "em" / "golden" / "ecm_cat_crimes.json").read_text())


RULE = StopRule(max_iter=2000, param_tol=1e-12)


def test_saturated_by_em(crimes, golden):
    result = fit(Table(), np.full((2, 2), 0.25), [crimes], stop=RULE)
    assert result.params == pytest.approx(np.array(golden["saturated"]["theta"]), abs=1e-6)
    assert result.log_likelihood == pytest.approx(golden["saturated"]["logpost"], abs=1e-6)


@pytest.mark.parametrize("between", [False, True])
def test_independence_by_ecm(crimes, golden, between):
    step = Conditional([rows_fit, columns_fit], between=between)
    result = fit(Table(), np.full((2, 2), 0.25), [crimes], stop=RULE, accelerate=step)
    assert result.params == pytest.approx(np.array(golden["independence"]["theta"]), abs=1e-6)
    assert result.log_likelihood == pytest.approx(golden["independence"]["logpost"], abs=1e-6)
    assert (np.diff(result.history.objective) >= -1e-9).all()
    assert result.history.kind[1] == "ecm"


def test_e_steps_between_are_counted(crimes):
    em = EMMap(Table(), [crimes])
    point = em.evaluate(np.full((2, 2), 0.25))
    Conditional([rows_fit, columns_fit], between=True)(em, point)
    assert em.n_evaluations == 3
