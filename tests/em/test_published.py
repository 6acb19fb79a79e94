"""Published answers of models that are a pair of steps for ``fit_em``: components of variance and linkage."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest

from seqem.chain.inference import log_likelihood
from seqem.chain.params import ChainParams
from seqem.em.accelerate import squarem
from seqem.em.driver import fit
from seqem.em.own import FunctionModel, fit_em
from seqem.em.rate import complete_information, rate_matrix
from seqem.em.stop import StopRule
from seqem.em.uncertainty import observed_information, standard_errors
from tests.em.models import LINKAGE, LINKAGE_THETA, LONDON, LONDON_START, PoissonMixture


@pytest.fixture(scope="module")
def folder(shared_data):
    return shared_data / "em"


@pytest.fixture(scope="module")
def golden(folder):
    return lambda name: json.loads((folder / "golden" / f"{name}.json").read_text())


def to_the_end(*, tol=1e-10, **steps):
    """Fit until the parameters stand still, which is long after the log-likelihood has no more digits to gain."""
    result = fit_em(**steps, monotone=False, tol=tol)
    assert result.converged
    assert (np.diff(result.history.objective) >= -1e-9).all()
    return result


# -- components of variance: y = X beta + X b + noise in each group, effects b and noise normal --------------


def effects(params, group):
    """E-step of one group, maximum likelihood; written without the inverse of a covariance that may be zero."""
    y, x = group[:, 0], group[:, 1:]
    between, residual = params["between"], y - x @ params["beta"]
    covariance = x @ between @ x.T + params["within"] * np.eye(len(y))
    weighted = np.linalg.solve(covariance, np.column_stack([residual, x @ between]))
    effect, spread = between @ x.T @ weighted[:, 0], between - between @ x.T @ weighted[:, 1:]
    rest = y - x @ effect
    stats = (
        np.array([1.0, len(y)]), spread + np.outer(effect, effect), x.T @ x, x.T @ rest,
        rest @ rest + np.trace(x @ spread @ x.T),
    )  # fmt: skip
    size = len(y) * np.log(2 * np.pi) + np.linalg.slogdet(covariance)[1]
    return stats, float(-0.5 * (size + residual @ weighted[:, 0]))


def variances(stats, _):
    (n_groups, n_rows), outer, squares, products, rest = stats
    beta = np.linalg.solve(squares, products)
    return {"beta": beta, "between": outer / n_groups, "within": (rest - beta @ products) / n_rows}


def grouped(path, by, y, *x):
    """Return for each group the columns y, 1 and x."""
    return [
        np.column_stack([part[y], np.ones(len(part)), *(part[c] for c in x)])
        for _, part in pd.read_csv(path).groupby(by)
    ]


def beginning(groups):
    rows = np.concatenate(groups)
    half, q = rows[:, 0].var() / 2, rows.shape[1] - 1
    return {"beta": np.append(rows[:, 0].mean(), np.zeros(q - 1)), "between": half * np.eye(q), "within": half}


def without_groups(params):
    """Set a small variance between groups to zero."""
    small = params["between"][0, 0] < 1e-3 * params["within"]
    return params | {"between": np.zeros((1, 1))} if small else None


@pytest.mark.parametrize("method", ["em", "squarem"])
def test_dyestuff_batches(folder, golden, method):
    groups, wanted = (
        grouped(folder / "dyestuff.csv", "Batch", "Yield"),
        golden("variance_components_lme4")["Dyestuff_ML"],
    )
    options = {"start": beginning(groups), "data": groups, "method": method, "edge": without_groups}
    result = to_the_end(e_step=effects, m_step=variances, tol=1e-8, **options)
    assert result.log_likelihood == pytest.approx(wanted["loglik"], abs=1e-9)
    assert result.params["beta"] == pytest.approx([wanted["mu"]], abs=1e-9)
    # The balanced design has the answer in closed form, which lme4's search misses by 9e-6 and 3e-6.
    assert result.params["between"][0, 0] == pytest.approx(1388 + 1 / 3, abs=1e-6)
    assert result.params["between"][0, 0] == pytest.approx(wanted["s2_batch"], abs=1e-5)
    assert result.params["within"] == pytest.approx(wanted["s2_res"], abs=1e-5)


def test_sleep_deprivation_with_correlated_slopes(folder, golden):
    groups = grouped(folder / "sleepstudy.csv", "Subject", "Reaction", "Days")
    wanted = golden("variance_components_lme4")["sleepstudy_ML"]
    result = to_the_end(
        e_step=effects, m_step=variances, start=beginning(groups), data=groups, method="squarem", tol=1e-9,
    )  # fmt: skip
    assert result.log_likelihood == pytest.approx(wanted["loglik"], abs=1e-9)
    assert result.params["beta"] == pytest.approx(wanted["beta"], abs=1e-8)
    # EM, SQUAREM and DAAREM agree to 1e-8; lme4's search stops up to 9.6e-5 away, 2e-7 of the variance.
    intercept, slope, both, residual = (row["vcov"] for row in wanted["vc"])
    assert result.params["between"] == pytest.approx(np.array([[intercept, both], [both, slope]]), abs=1e-4)
    assert result.params["within"] == pytest.approx(residual, abs=2e-5)


@pytest.mark.parametrize("method", ["squarem", "daarem"])
def test_dyestuff2_has_no_variance_between_batches(folder, golden, method):
    """The maximum is at the edge, which EM only creeps towards."""
    groups, wanted = (
        grouped(folder / "dyestuff2.csv", "Batch", "Yield"),
        golden("variance_components_lme4")["Dyestuff2_ML"],
    )
    steps = {"e_step": effects, "m_step": variances, "start": beginning(groups), "data": groups}
    crept = fit_em(**steps, max_iter=300)
    assert crept.params["between"][0, 0] > 1e-3
    assert crept.log_likelihood < wanted["loglik"] - 1e-3
    result = fit_em(**steps, method=method, edge=without_groups)
    assert result.params["between"][0, 0] == wanted["s2_batch"] == 0.0
    assert result.log_likelihood == pytest.approx(wanted["loglik"], abs=1e-6)
    assert result.params["within"] == pytest.approx(wanted["s2_res"], abs=1e-5)
    assert result.params["beta"] == pytest.approx([wanted["mu"]], abs=1e-9)


def restricted(params, rows):
    """E-step of one-way data, of which the mean has a flat prior: restricted maximum likelihood (REML)."""
    y, member = rows[:, 0], (rows[:, 1:2] == np.unique(rows[:, 1])).astype(float)
    between, within = params
    n, q = member.shape
    inverse = np.linalg.inv(between * member @ member.T + within * np.eye(n))
    weight = inverse.sum()
    project = inverse - np.outer(inverse.sum(1), inverse.sum(0)) / weight
    effect, noise = between * member.T @ project @ y, within * project @ y
    spread = q * between - between**2 * np.trace(member.T @ project @ member)
    blur = n * within - within**2 * np.trace(project)
    size = (n - 1) * np.log(2 * np.pi) - np.linalg.slogdet(inverse)[1] + np.log(weight)
    return np.array([effect @ effect + spread, q, noise @ noise + blur, n]), float(-0.5 * (size + y @ project @ y))


@pytest.mark.parametrize(("name", "table"), [("Dyestuff_REML", "dyestuff"), ("Dyestuff2_REML", "dyestuff2")])
def test_batches_by_restricted_likelihood(folder, golden, name, table):
    data, wanted = pd.read_csv(folder / f"{table}.csv"), golden("variance_components_lme4")[name]
    rows = np.column_stack([data["Yield"], data["Batch"].astype("category").cat.codes])
    half = rows[:, 0].var() / 2
    result = to_the_end(
        e_step=restricted, m_step=lambda s, _: np.array([s[0] / s[1], s[2] / s[3]]), start=np.array([half, half]),
        data=rows, method="squarem", tol=1e-8, pack=np.log, unpack=np.exp,
        edge=lambda p: np.array([0.0, p[1]]) if p[0] < 1e-3 * p[1] else None,
    )  # fmt: skip
    assert result.log_likelihood == pytest.approx(wanted["loglik"], abs=1e-6)
    assert result.params == pytest.approx(np.array([wanted["s2_batch"], wanted["s2_res"]]), abs=1e-5)


# -- linkage -------------------------------------------------------------------------------------------------


def crossings(r):
    """Return the transitions (intervals, 2, 2) of a backcross with recombination fractions r."""
    return np.stack([np.stack([1 - r, r], -1), np.stack([r, 1 - r], -1)], -2)


def recombinations(r, seen):
    """E-step of Lander and Green, recombinations in each interval; ``seen`` (rows, markers, 2) is what is possible."""
    trans, (n, n_markers, _) = crossings(r), seen.shape
    ahead, back, scale = np.empty_like(seen), np.ones_like(seen), np.empty((n, n_markers, 1))
    for t in range(n_markers):
        joint = seen[:, t] * (ahead[:, t - 1] @ trans[t - 1] if t else 0.5)
        scale[:, t] = joint.sum(axis=1, keepdims=True)
        ahead[:, t] = joint / scale[:, t]
    for t in range(n_markers - 1, 0, -1):
        back[:, t - 1] = (seen[:, t] * back[:, t] / scale[:, t]) @ trans[t - 1].T
    pairs = np.einsum("nti,tij,ntj->tij", ahead[:, :-1], trans, (seen * back / scale)[:, 1:])
    return np.stack([pairs[:, 0, 1] + pairs[:, 1, 0], pairs.sum(axis=(1, 2))]), float(np.log(scale).sum())


@pytest.mark.parametrize(("chromosome", "length"), [(1, 135.2681 - 3.3), (4, 103.4360)])
def test_genetic_maps_of_hypertension_in_mice(folder, golden, chromosome, length):
    wanted = golden("lander_green_rqtl_est_map")[f"hyper_chr{chromosome}"]
    genotypes = pd.read_csv(folder / f"qtl_hyper_chr{chromosome}_geno.csv").to_numpy(float)
    seen = np.stack([np.where(np.isnan(genotypes), 1.0, genotypes == code) for code in (1, 2)], axis=-1)
    start = np.full(genotypes.shape[1] - 1, 0.1)
    result = to_the_end(e_step=recombinations, m_step=lambda s, _: s[0] / s[1], start=start, data=seen, tol=1e-13)
    assert result.log_likelihood == pytest.approx(wanted["loglik"], abs=1e-8)
    haldane = -50 * np.log1p(-2 * result.params)
    assert haldane == pytest.approx(np.diff(list(wanted["map"].values())), abs=1e-7)
    assert haldane.sum() == pytest.approx(length, abs=1e-4)
    chain = ChainParams(np.full(2, 0.5), crossings(result.params))
    with np.errstate(divide="ignore"):
        by_chain = sum(log_likelihood(chain, frames) for frames in np.log(seen))
    assert by_chain == pytest.approx(wanted["loglik"], abs=1e-6)


def phases(theta, families):
    """E-step of families (n, k) of unknown phase: k of n meioses, or all others, recombined."""
    n, k = families.T
    first, other = theta**k * (1 - theta) ** (n - k), theta ** (n - k) * (1 - theta) ** k
    share = first / (first + other)
    return np.array([share @ k + (1 - share) @ (n - k), n.sum()]), float(np.log((first + other) / 2).sum())


def over_all_phases(theta, families):
    """Log-likelihood by the sum over every phase of all families together."""
    total = 0.0
    for flips in itertools.product((False, True), repeat=len(families)):
        counts = [n - k if flip else k for (n, k), flip in zip(families, flips, strict=True)]
        total += np.prod([theta**k * (1 - theta) ** (n - k) / 2 for (n, _), k in zip(families, counts, strict=True)])
    return np.log(total)


def test_small_pedigrees_of_unknown_phase(golden):
    wanted = golden("demo_numbers")["I_linkage_phase_unknown"]
    families = np.array(wanted["families_n_k"], dtype=float)
    result = to_the_end(e_step=phases, m_step=lambda s, _: s[0] / s[1], start=0.2, data=families, tol=1e-14)
    assert result.params == pytest.approx(wanted["theta"], abs=1e-12)
    assert result.log_likelihood == pytest.approx(wanted["loglik"], abs=1e-12)
    # One more from 0.1 or 0.3; the start of the published run is not known.
    assert result.n_iter == wanted["iters"]
    assert result.log_likelihood == pytest.approx(over_all_phases(result.params, families), abs=1e-12)
    lod = (result.log_likelihood - over_all_phases(0.5, families)) / np.log(10)
    assert lod == pytest.approx(wanted["lod_vs_half"], abs=1e-12)


def linked(theta, y):
    of_first = y[0] * theta / (2 + theta)
    kernel = y[0] * np.log(2 + theta) + (y[1] + y[2]) * np.log(1 - theta) + y[3] * np.log(theta)
    return np.array([of_first + y[3], y[1] + y[2]]), float(kernel)


def test_information_in_raos_linkage_data(golden):
    wanted, theta, data = golden("dlr_linkage"), LINKAGE_THETA, [np.array(LINKAGE)]
    model = FunctionModel(
        linked,
        lambda s, _: s[0] / s.sum(),
        expected=lambda s, t, _: float(s[0] * np.log(t) + s[1] * np.log(1 - t)),
    )
    whole = complete_information(model, theta, model.e_step(theta, data[0]).stats)[0, 0]
    # Differences of second order with steps of 1e-3 have errors of about 1e-6.
    assert whole == pytest.approx(wanted["I_complete"], rel=1e-5)
    assert observed_information(model, theta, data)[0, 0] == pytest.approx(wanted["I_obs"], rel=1e-5)
    assert standard_errors(model, theta, data) == pytest.approx(wanted["se"], rel=1e-5)
    trace = [fit(model, 0.5, data, stop=StopRule(max_iter=n)).params for n in range(len(wanted["trace_from_0.5"]))]
    assert trace == pytest.approx(wanted["trace_from_0.5"], abs=1e-14)
    steps = np.diff(trace)[: len(wanted["ratio"]) + 1]
    assert steps[1:] / steps[:-1] == pytest.approx(wanted["ratio"], rel=1e-6)


@pytest.mark.parametrize("factor", [1.0, 1.05, 1.1, 1.15, 1.2, 1.5, 1.9])
def test_over_relaxed_steps_on_raos_linkage_data(golden, factor):
    result = fit_em(
        e_step=linked, m_step=lambda s, t: t + factor * (s[0] / s.sum() - t), start=0.5, data=np.array(LINKAGE),
        monotone=False, tol=1e-15, callbacks=[lambda event: abs(event.point.params - LINKAGE_THETA) < 1e-12],
    )  # fmt: skip
    assert result.n_iter == golden("demo_numbers")["J_overrelaxed_dlr_iters_to_1e-12"][str(factor)]


# -- London's death notices ----------------------------------------------------------------------------------


def test_death_notices_in_all_digits(golden):
    wanted, model, shards = golden("poisson_mixture_london"), PoissonMixture(), [LONDON]
    rule = StopRule(max_iter=500, param_tol=1e-11)
    found = fit(model, LONDON_START, shards, stop=rule, accelerate=squarem)
    assert found.log_likelihood == pytest.approx(wanted["loglik"], abs=1e-8)
    assert [found.params.p, *found.params.rates] == pytest.approx(wanted["ml"], abs=1e-6)
    errors = standard_errors(model, found.params, shards)
    assert [errors.p, *errors.rates] == pytest.approx(wanted["se"], abs=1e-5)
    eigenvalues = np.sort(np.linalg.eigvals(rate_matrix(model, found.params, shards)).real)[::-1]
    assert eigenvalues == pytest.approx(wanted["em_jacobian_eigen"], abs=1e-6)


def test_em_on_death_notices_takes_the_published_number_of_steps(golden):
    best, model = golden("poisson_mixture_london")["loglik"], PoissonMixture()
    near = [lambda event: event.point.log_likelihood >= best - 1e-6]
    result = fit(model, LONDON_START, [LONDON], stop=StopRule(max_iter=3000), callbacks=near)
    assert result.n_iter == golden("demo_numbers")["A_em_vs_gradient_london"]["em_iters_to_1e-6_of_max"]
