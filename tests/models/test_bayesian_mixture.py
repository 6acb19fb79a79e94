"""Variational Bayes of other families against evidence in closed form, numeric divergences, and simulated groups."""

import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.special import betaln, gammaln
from sklearn.utils.estimator_checks import parametrize_with_checks

from seqem import BayesianMixture
from seqem.core.rows import Rows
from seqem.core.tree import tree_map, tree_vector
from seqem.distributions.bernoulli import Bernoulli
from seqem.distributions.categorical import Categorical
from seqem.distributions.conjugate import POSTERIORS, posterior_of
from seqem.distributions.conjugate_families import ChancePosterior, RatePosterior
from seqem.distributions.exponential import Exponential
from seqem.distributions.gamma import Gamma
from seqem.distributions.gaussian import Gaussian
from seqem.distributions.independent import Independent
from seqem.distributions.multinomial import Multinomial
from seqem.distributions.poisson import Poisson
from seqem.distributions.posteriors import SymbolPosterior
from seqem.errors import DataError, NotFittedError, ParameterError
from seqem.models.variational_mixture import BayesianGaussianMixture

DIRICHLET = {"weight_concentration_prior_type": "dirichlet_distribution"}
MIXED = Independent([(Poisson(), 0), (Bernoulli(), [1, 2]), (Categorical(3), 3), (Gaussian("full"), [4, 5])])
FAMILIES = {
    "poisson": Poisson(),
    "exponential": Exponential(),
    "bernoulli": Bernoulli(),
    "multinomial": Multinomial(),
    "categorical": Categorical(4),
    "gaussian": Gaussian("full"),
    "independent": MIXED,
}
every_family = pytest.mark.parametrize("family", FAMILIES)
every_prior = pytest.mark.parametrize("kind", ["dirichlet_process", "dirichlet_distribution"])


def draws(family, seed=0, n=300):
    """Return rows of two groups that lie apart, four tenths of them in the first."""
    rng = np.random.default_rng(seed)
    which = rng.random(n) < 0.4
    pick = which[:, None]
    return {
        "poisson": lambda: rng.poisson(np.where(pick, (2.0, 12.0), (11.0, 3.0))).astype(float),
        "exponential": lambda: rng.exponential(np.where(pick, (1.0, 1.0, 30.0), (20.0, 30.0, 1.0))),
        "bernoulli": lambda: (rng.random((n, 8)) < np.where(pick, 0.1, 0.85)).astype(float),
        "multinomial": lambda: rng.multinomial(15, np.where(pick, (0.7, 0.2, 0.1), (0.1, 0.2, 0.7))).astype(float),
        "categorical": lambda: np.where(which, rng.integers(0, 2, n), rng.integers(1, 4, n))[:, None].astype(float),
        "gaussian": lambda: rng.normal(size=(n, 2)) + np.where(pick, -4.0, 4.0),
        "independent": lambda: np.column_stack(
            [
                rng.poisson(np.where(which, 2.0, 9.0)),
                rng.random((n, 2)) < np.where(pick, 0.2, 0.8),
                np.where(which, rng.integers(0, 2, n), 2),
                rng.normal(size=(n, 2)) + np.where(pick, -2.0, 2.0),
            ]
        ),
    }[family]().astype(float)


@parametrize_with_checks(
    [BayesianMixture(Gaussian("diag"), 2)],
    expected_failed_checks=lambda _: {
        "check_sample_weight_equivalence_on_dense_data": "k-means starts draw among the rows: other rows, other draws"
    },
)
def test_scikit_learns_checks(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        check(estimator)


@every_family
@every_prior
def test_the_bound_never_falls(family, kind):
    x = draws(family)
    model = BayesianMixture(FAMILIES[family], 4, weight_concentration_prior_type=kind, random_state=0).fit(x)
    assert (np.diff(model.history_.objective) >= -1e-12 * abs(model.lower_bound_)).all()
    assert model.history_.objective[-1] > model.history_.objective[0]
    assert model.converged_
    assert model.predict_proba(x).sum(axis=1) == pytest.approx(np.ones(len(x)))


# -- one component: the posterior is exact, and so is the evidence ---------------------------------------


def _dirichlet_evidence(counts, alpha):
    """Return the log evidence of one order of the symbols counted."""
    after = counts + alpha
    return gammaln(alpha.sum()) - gammaln(after.sum()) + (gammaln(after) - gammaln(alpha)).sum()


def _poisson(x, shape, rate):
    after, exposure = shape + x.sum(axis=0), rate + len(x)
    terms = shape * np.log(rate) - gammaln(shape) + gammaln(after) - after * np.log(exposure)
    return (after, exposure), terms.sum() - gammaln(x + 1.0).sum()


def _exponential(x, shape, rate):
    after, waited = shape + len(x), rate + x.sum(axis=0)
    terms = shape * np.log(rate) - gammaln(shape) + gammaln(after) - after * np.log(waited)
    return (np.full(x.shape[1], after), waited), terms.sum()


def _bernoulli(x, ones, zeros):
    after = ones + x.sum(axis=0), zeros + (1.0 - x).sum(axis=0)
    return after, (betaln(*after) - betaln(ones, zeros)).sum()


def _multinomial(x, alpha):
    orders = gammaln(x.sum(axis=1) + 1.0).sum() - gammaln(x + 1.0).sum()
    return (alpha + x.sum(axis=0),), orders + _dirichlet_evidence(x.sum(axis=0), alpha)


def _categorical(x, alpha):
    counts = np.bincount(x[:, 0].astype(int), minlength=len(alpha))
    return (alpha + counts,), _dirichlet_evidence(counts, alpha)


ALPHA = np.array([1.5, 2.0, 1.0])
CLOSED = {
    "poisson": (Poisson(), _poisson, lambda x: (1.0, 1.0 / x.mean(axis=0))),
    "poisson told": (Poisson(prior_shape=2.5, prior_rate=0.3), _poisson, lambda x: (2.5, 0.3)),
    "exponential": (Exponential(), _exponential, lambda x: (1.0, x.mean(axis=0))),
    "exponential told": (Exponential(prior_shape=3.0, prior_rate=0.7), _exponential, lambda x: (3.0, 0.7)),
    "bernoulli": (Bernoulli(), _bernoulli, lambda x: (1.0, 1.0)),
    "bernoulli told": (Bernoulli(prior_ones=2.0, prior_zeros=3.5), _bernoulli, lambda x: (2.0, 3.5)),
    "multinomial": (Multinomial(), _multinomial, lambda x: (np.ones(3),)),
    "multinomial told": (Multinomial(prior=ALPHA), _multinomial, lambda x: (ALPHA,)),
    "categorical": (Categorical(4), _categorical, lambda x: (np.ones(4),)),
    "categorical told": (Categorical(prior=[2.0, 1.0, 1.5, 4.0]), _categorical, lambda x: ([2.0, 1.0, 1.5, 4.0],)),
}


@pytest.mark.parametrize("case", CLOSED)
def test_one_component_has_the_textbook_posterior_and_the_exact_evidence(case):
    family, closed, prior = CLOSED[case]
    x = draws(case.split()[0], n=60)
    expected, evidence = closed(x, *(np.asarray(p) for p in prior(x)))
    model = BayesianMixture(family, 1, random_state=0, **DIRICHLET).fit(x)
    for ours, theirs in zip(model.result_.params.component, expected, strict=True):
        np.testing.assert_allclose(ours[0], theirs, rtol=1e-12)
    assert model.lower_bound_ == pytest.approx(evidence, rel=1e-9)
    # One stick of a process has a length of its own, which costs the divergence of its posterior.
    process = BayesianMixture(family, 1, weight_concentration_prior=1.0, random_state=0).fit(x)
    assert process.lower_bound_ < evidence - 1.0


def test_parts_that_are_independent_have_the_sum_of_the_evidences():
    x = np.column_stack([draws("poisson", n=60), draws("bernoulli", n=60)])
    one = BayesianMixture(Independent([(Poisson(), [0, 1]), (Bernoulli(), range(2, 10))]), 1, **DIRICHLET).fit(x)
    evidence = _poisson(x[:, :2], np.ones(2), 1.0 / x[:, :2].mean(axis=0))[1]
    evidence += _bernoulli(x[:, 2:], np.ones(8), np.ones(8))[1]
    assert one.lower_bound_ == pytest.approx(evidence, rel=1e-9)


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_gaussians_are_those_of_the_estimator_for_them(kind):
    x = draws("gaussian")
    ours = BayesianMixture(Gaussian(kind), 3, random_state=0, tol=1e-9).fit(x)
    theirs = BayesianGaussianMixture(3, covariance_type=kind, random_state=0).fit(x)
    assert ours.lower_bound_ == theirs.lower_bound_
    np.testing.assert_array_equal(ours.params_.mean, theirs.means_)
    np.testing.assert_array_equal(ours.sample(9, random_state=1)[0], theirs.sample(9, random_state=1)[0])


# -- terms of the bound, one by one ----------------------------------------------------------------------


def _integrated(after, before):
    """Return KL(after || before) of densities of one variable, numerically."""
    low, high = after.ppf([1e-15, 1.0 - 1e-15])
    divergence = quad(lambda t: after.pdf(t) * (after.logpdf(t) - before.logpdf(t)), low, high, epsabs=1e-12, limit=400)
    return divergence[0]


def test_divergences_are_those_of_numeric_integration():
    prior = RatePosterior(np.array([[1.3]]), np.array([[0.4]]))
    gamma = posterior_of(Poisson(), prior)
    numeric = _integrated(stats.gamma(7.0, scale=1 / 2.5), stats.gamma(1.3, scale=1 / 0.4))
    after = RatePosterior(np.array([[7.0]]), np.array([[2.5]]))
    assert -gamma.log_prior(after) == pytest.approx(numeric, rel=1e-8)
    assert -posterior_of(Exponential(), prior).log_prior(after) == pytest.approx(numeric, rel=1e-8)

    chance = posterior_of(Bernoulli(), ChancePosterior(np.array([[1.5]]), np.array([[2.0]])))
    numeric = _integrated(stats.beta(6.0, 3.0), stats.beta(1.5, 2.0))
    assert -chance.log_prior(ChancePosterior(np.array([[6.0]]), np.array([[3.0]]))) == pytest.approx(numeric, rel=1e-8)
    # A Dirichlet distribution of two symbols is a Beta distribution.
    for family in (Multinomial(), Categorical(2)):
        symbols = posterior_of(family, SymbolPosterior(np.array([[1.5, 2.0]])))
        assert -symbols.log_prior(SymbolPosterior(np.array([[6.0, 3.0]]))) == pytest.approx(numeric, rel=1e-8)


EXPECTED = {
    "poisson": (Poisson(), (7.0, 2.5), stats.gamma(7.0, scale=1 / 2.5), lambda t, v: stats.poisson.logpmf(v, t), 4.0),
    "exponential": (
        Exponential(), (7.0, 2.5), stats.gamma(7.0, scale=1 / 2.5), lambda t, v: stats.expon.logpdf(v, scale=1 / t), 0.6,
    ),
    "bernoulli": (Bernoulli(), (6.0, 3.0), stats.beta(6.0, 3.0), lambda t, v: stats.bernoulli.logpmf(v, t), 0.0),
}  # fmt: skip


@pytest.mark.parametrize("case", EXPECTED)
def test_expected_densities_are_those_of_numeric_integration(case):
    family, values, after, log_density, value = EXPECTED[case]
    params = (ChancePosterior if case == "bernoulli" else RatePosterior)(*(np.array([[v]]) for v in values))
    low, high = after.ppf([1e-15, 1.0 - 1e-15])
    numeric = quad(lambda t: after.pdf(t) * log_density(t, value), low, high, epsabs=1e-12, limit=400)[0]
    ours = posterior_of(family, params).log_likelihood(params, np.array([[value], [np.nan]]))
    assert ours[0, 0] == pytest.approx(numeric, rel=1e-7)
    assert ours[1, 0] == 0.0


@pytest.mark.parametrize("family", [Multinomial(), Categorical(3)], ids=["multinomial", "categorical"])
def test_expected_densities_of_symbols_are_those_of_draws(family):
    params = SymbolPosterior(np.array([[6.0, 3.0, 1.5]]))
    chances = np.random.default_rng(0).dirichlet(params.posterior[0], 400_000)
    logs = np.log(chances[:, 1])
    x = np.array([[0.0, 1.0, 0.0]]) if isinstance(family, Multinomial) else np.array([1])
    ours = posterior_of(family, params).log_likelihood(params, x)[0, 0]
    assert ours == pytest.approx(logs.mean(), abs=5.0 * logs.std() / np.sqrt(len(logs)))


# -- mixtures --------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
@every_prior
@pytest.mark.parametrize("family", ["poisson", "exponential", "bernoulli", "multinomial", "gaussian", "independent"])
def test_superfluous_components_empty(family, kind, seed):
    x = draws(family, seed, n=600)
    model = BayesianMixture(
        FAMILIES[family], 6, weight_concentration_prior_type=kind, weight_concentration_prior=1e-2, random_state=seed,
        n_init=5, tol=1e-8,
    ).fit(x)  # fmt: skip
    weights = np.sort(model.weights_)[::-1]
    assert weights[:2] == pytest.approx([0.6, 0.4], abs=0.07)
    # A few rows may hold a third: the bound has local optima, which starts from the same clusters share.
    assert (weights > 0.005).sum() in (2, 3)
    assert model.weights_.sum() == pytest.approx(1.0)
    assert model.weight_concentration_.shape == ((2, 6) if kind == "dirichlet_process" else (6,))


@pytest.mark.parametrize("seed", range(5))
@every_prior
def test_three_groups_of_counts_are_found_among_six_components(kind, seed):
    rng = np.random.default_rng(seed)
    truth = np.array([[1.0, 40.0], [20.0, 20.0], [50.0, 2.0]])
    x = rng.poisson(truth[rng.choice(3, 600, p=[0.5, 0.3, 0.2])])
    model = BayesianMixture(
        Poisson(), 6, weight_concentration_prior_type=kind, weight_concentration_prior=1e-2, random_state=seed, n_init=5,
        tol=1e-8,
    ).fit(x)  # fmt: skip
    kept = np.argsort(model.weights_)[-3:]
    kept = kept[np.argsort(model.params_.rate[kept, 0])]
    assert (model.weights_ > 0.005).sum() in (3, 4)
    assert model.params_.rate[kept] == pytest.approx(truth, rel=0.12)
    assert model.weights_[kept] == pytest.approx([0.5, 0.3, 0.2], abs=0.06)


# The prior of Gaussians does not see weights: it is left out here.
@pytest.mark.parametrize("family", [f for f in FAMILIES if f not in ("gaussian", "independent")])
@pytest.mark.parametrize("k", [1, 2])
def test_weights_are_repetitions(family, k):
    x = draws(family, n=120)
    times = np.random.default_rng(1).integers(0, 4, len(x))
    # Sticks of a process have an order, which starts give by chance.
    model = BayesianMixture(FAMILIES[family], k, random_state=0, tol=1e-13, **DIRICHLET)
    weighted = model.fit(x, sample_weight=times).lower_bound_
    assert weighted == pytest.approx(model.fit(np.repeat(x, times, axis=0)).lower_bound_, rel=1e-9)
    assert weighted != pytest.approx(model.fit(x).lower_bound_, rel=1e-3)


@pytest.mark.parametrize("family", ["gaussian", "independent"])
def test_twice_the_weight_is_every_row_twice(family):
    x = draws(family, n=80)
    component = BayesianMixture(FAMILIES[family], 3, random_state=0, **DIRICHLET).fit(x)._model()
    start = BayesianMixture(FAMILIES[family], 3, random_state=1, **DIRICHLET).fit(x).result_.params
    heavy = component.e_step(start, Rows(FAMILIES[family].check(x), weights=np.full(80, 2.0)))
    double = component.e_step(start, Rows(FAMILIES[family].check(np.tile(x, (2, 1)))))
    assert heavy.log_likelihood == pytest.approx(double.log_likelihood, rel=1e-12)
    np.testing.assert_allclose(tree_vector(heavy.stats), tree_vector(double.stats), rtol=1e-9, atol=1e-9)


@every_family
def test_components_that_change_places_change_nothing_else(family):
    x = draws(family, n=150)
    model = BayesianMixture(FAMILIES[family], 3, random_state=0, max_iter=4, **DIRICHLET).fit(x)
    one, rows = model._model(), Rows(model._rows(x, reset=False))
    order = np.array([2, 0, 1])
    params = model.result_.params
    moved = tree_map(lambda a: a[order], params)
    step, other = one.e_step(params, rows), one.e_step(moved, rows)
    assert step.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-12)
    assert one.log_prior(params) == pytest.approx(one.log_prior(moved), rel=1e-12)
    expected = tree_map(lambda a: a[order], one.m_step(step.stats, params))
    np.testing.assert_allclose(tree_vector(one.m_step(other.stats, moved)), tree_vector(expected), rtol=1e-9)


@pytest.mark.parametrize("family", ["poisson", "exponential", "bernoulli", "multinomial", "categorical"])
def test_rows_without_any_observation_change_nothing(family):
    x = draws(family, n=120)
    holes = np.vstack([np.full((7, x.shape[1]), np.nan), x])
    model = BayesianMixture(FAMILIES[family], 1, random_state=0, **DIRICHLET)
    assert model.fit(holes).lower_bound_ == pytest.approx(model.fit(x).lower_bound_, rel=1e-12)
    assert model.fit(holes).weight_concentration_ == pytest.approx([1.0 + 120.0])
    assert np.isfinite(model.predict_proba(holes)).all()
    with pytest.raises(DataError, match="every row is missing"):
        model.fit(holes[:7])


def test_missing_entries_have_the_evidence_of_what_is_there():
    x = draws("poisson", n=60)
    x[:20, 0] = np.nan
    model = BayesianMixture(Poisson(), 1, random_state=0, **DIRICHLET).fit(x)
    columns = (x[20:, :1], x[:, 1:])
    assert model.lower_bound_ == pytest.approx(sum(_poisson(c, 1.0, 1.0 / c.mean())[1] for c in columns), rel=1e-9)


@every_family
def test_executors_give_the_same_bits(family, monkeypatch):
    monkeypatch.setattr("seqem.models.variational_base.BLOCK", 64)
    x = draws(family, n=4000)
    model = BayesianMixture(FAMILIES[family], 3, random_state=0, max_iter=20)
    alone = model.fit(x).result_
    with ThreadPoolExecutor(3) as pool:
        shared = model.fit(x, executor=pool).result_
    assert alone.objective == shared.objective
    assert alone.n_iter == shared.n_iter


def test_samples_are_of_the_posterior_means():
    x = draws("poisson")
    model = BayesianMixture(Poisson(), 2, random_state=0).fit(x)
    drawn, which = model.sample(20_000, random_state=1)
    assert np.bincount(which) / len(which) == pytest.approx(model.weights_, abs=0.02)
    assert drawn[which == 0].mean(axis=0) == pytest.approx(model.params_.rate[0], rel=0.03)
    assert model.score(x) == pytest.approx(model.score_samples(x).mean())


def test_a_column_of_zeros_has_a_proper_prior():
    x = np.column_stack([draws("poisson")[:, 0], np.zeros(300)])
    for family in (Poisson(), Exponential()):
        model = BayesianMixture(family, 2, random_state=0).fit(x)
        assert np.isfinite(model.lower_bound_)
        assert (model._prior.rate[:, 1] == 1.0).all()


def test_what_cannot_be_is_refused():
    x = draws("poisson")
    with pytest.raises(ParameterError, match=r"Gamma\(.*Poisson, Exponential, Bernoulli, Multinomial, Categorical"):
        BayesianMixture(Gamma(), 2).fit(x)
    with pytest.raises(ParameterError, match="no conjugate posterior is known"):
        BayesianMixture(Independent([(Poisson(), 0), (Gamma(), 1)]), 2).fit(x + 1.0)
    with pytest.raises(ParameterError, match="fixed"):
        BayesianMixture(Poisson(fixed={"rate": True}), 2).fit(x)
    with pytest.raises(ParameterError, match="BayesianGaussianMixture"):
        BayesianMixture(Gaussian(mean_prior=0.0, mean_weight=1.0), 2).fit(x)
    with pytest.raises(ParameterError, match="groups"):
        BayesianMixture(Gaussian("tied", groups=2), 2).fit(x)
    with pytest.raises(ParameterError, match="weight_concentration_prior_type"):
        BayesianMixture(Poisson(), 2, weight_concentration_prior_type="beta").fit(x)
    with pytest.raises(ParameterError, match="weight_concentration_prior is off"):
        BayesianMixture(Poisson(), 2, weight_concentration_prior=0.0).fit(x)
    with pytest.raises(ParameterError, match="n_components"):
        BayesianMixture(Poisson(), 0).fit(x)
    with pytest.raises(ParameterError, match="n_samples"):
        BayesianMixture(Poisson(), 2).fit(x).sample(0)
    with pytest.raises(DataError, match="not a count"):
        BayesianMixture(Poisson(), 2).fit(x + 0.5)
    with pytest.raises(DataError, match="fewer rows"):
        BayesianMixture(Poisson(), 9).fit(x[:5])
    with pytest.raises(DataError, match="at least 2"):
        BayesianMixture(Gaussian(), 1).fit(x[:1])
    with pytest.raises(DataError, match="NaN"):
        BayesianMixture(MIXED, 2, random_state=0).fit(draws("independent")).predict(np.full((1, 6), np.nan))


@pytest.mark.parametrize("name", ["params_", "weights_", "weight_concentration_", "lower_bound_"])
def test_nothing_is_learned_before_a_fit(name):
    with pytest.raises(NotFittedError):
        getattr(BayesianMixture(Poisson(), 2), name)


def test_the_table_is_of_families_that_the_docstring_names():
    assert all(kind.__name__ in BayesianMixture.__doc__ for kind in POSTERIORS)
