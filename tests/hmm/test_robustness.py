"""Input at the edge: what breaks other packages works here, and what cannot work says so."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from seqem import GMMHMM, HMM, CategoricalHMM, GaussianHMM, MultinomialHMM, PoissonHMM
from seqem.core.batch import SequenceBatch
from seqem.distributions.exponential import Exponential
from seqem.errors import DataError, DegenerateWarning, NumericalError, ParameterError, SeqemError
from tests.hmm.cases import LENGTHS, problem, with_parameters


def fitted(name, **options):
    """Return an estimator with the parameters of a problem, and the data."""
    estimator, given, known, x = problem(name)
    return with_parameters(estimator(**given, init_params="", **options), known), x


# -- what hmmlearn 0.3.3 does badly --------------------------------------------------------------------


@pytest.mark.parametrize("covariance_type", ["diag", "full"])
def test_a_frame_30_sd_off_in_39_dimensions_gives_the_answer_of_log_space(covariance_type):
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (200, 39)) + np.repeat([0.0, 1.0], 100)[:, None]
    x[50] += 30.0
    scaled, logs = (
        GaussianHMM(2, covariance_type, implementation=i, random_state=0, n_iter=5, tol=-1).fit(x)
        for i in ("scaling", "log")
    )
    assert np.isfinite(scaled.log_likelihood_)
    assert_allclose(scaled.log_likelihood_, logs.log_likelihood_, rtol=1e-12)
    assert_allclose(scaled.means_, logs.means_, atol=1e-8)
    assert_allclose(scaled.predict_proba(x), logs.predict_proba(x), atol=1e-9)
    assert scaled.score(x[50:51]) < -1000


def test_a_missing_row_is_no_row_of_data():
    model, x = fitted("gaussian-diag")
    gap = x.astype(float)
    gap[10] = np.nan
    expected = model.predict_proba(gap[:20])[:, None, :]
    # The same by a state prior of ones: the row says nothing, the chain moves on.
    frames = model.score_rows(gap[:20])
    assert_array_equal(frames[10], 0.0)
    assert_allclose(expected.sum(-1), 1.0)
    two_steps = model.filter_proba(x[:10])[-1] @ model.transmat_
    assert_allclose(model.filter_proba(gap[:11])[-1], two_steps, rtol=1e-12)
    # A coordinate alone: the other one counts.
    gap[10, 0] = x[10, 0]
    alone = with_parameters(GaussianHMM(3, "diag", init_params=""), problem("gaussian-diag")[2])
    alone.means_, alone.covars_ = alone.means_[:, :1], np.diagonal(alone.covars_, axis1=1, axis2=2)[:, :1]
    assert_allclose(model.score_rows(gap[10:11]), alone.score_rows(x[10:11, :1]), rtol=1e-12)


@pytest.mark.parametrize(
    "name", ["gaussian-full", "gaussian-tied", "gmm-diag", "poisson", "multinomial", "categorical"]
)
def test_missing_rows_are_fitted_around(name):
    estimator, given, _, x = problem(name)
    x = x.astype(float)
    x[::7] = np.nan
    if name == "categorical":
        given = {**given, "n_features": 4}
    model = estimator(**given, random_state=0, n_iter=5, tol=-1).fit(x, LENGTHS)
    assert model.n_iter_ == 5
    assert np.isfinite(model.log_likelihood_)
    assert np.diff([r.objective for r in model.history_]).min() > -1e-8


def test_sequences_of_length_one_keep_the_transitions_and_warn():
    model, x = fitted("poisson")
    before = model.transmat_.copy()
    with pytest.warns(DegenerateWarning, match=r"states \[0, 1, 2\] were never left"):
        model.fit(x, np.ones(len(x), dtype=int))
    assert_array_equal(model.transmat_, before)
    assert_allclose(model.startprob_.sum(), 1.0)


@pytest.mark.parametrize("covariance_type", ["spherical", "diag", "full", "tied"])
def test_a_state_without_mass_keeps_its_parameters_and_leaves_the_others_alone(covariance_type):
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (60, 2)) + np.repeat([[0.0, 6.0]], 30).reshape(-1, 1)
    options = {"covariance_type": covariance_type, "init_params": "", "n_iter": 3, "tol": -1}
    three, two = GaussianHMM(3, **options), GaussianHMM(2, **options)
    shape = {"spherical": (3,), "diag": (3, 2), "full": (3, 2, 2), "tied": (2, 2)}[covariance_type]
    covars = np.ones(shape) if covariance_type in ("spherical", "diag") else np.broadcast_to(np.eye(2), shape)
    three.startprob_, two.startprob_ = np.array([0.5, 0.5, 0.0]), np.array([0.5, 0.5])
    two.transmat_ = np.array([[0.9, 0.1], [0.1, 0.9]])
    three.transmat_ = np.array([[0.9, 0.1, 0.0], [0.1, 0.9, 0.0], [0.2, 0.3, 0.5]])
    three.means_ = np.array([[0.0, 0.0], [6.0, 6.0], [50.0, 50.0]])
    two.means_ = three.means_[:2]
    three.covars_, two.covars_ = covars, covars if covariance_type == "tied" else covars[:2]
    with pytest.warns(DegenerateWarning):
        three.fit(x)
    two.fit(x)
    assert_array_equal(three.means_[2], [50.0, 50.0])
    assert_array_equal(three.transmat_[2], [0.2, 0.3, 0.5])
    assert_allclose(three.means_[:2], two.means_, rtol=1e-12)
    assert_allclose(three.covars_[:2], two.covars_, rtol=1e-12)
    assert_allclose(three.transmat_[:2, :2], two.transmat_, rtol=1e-12)
    assert_allclose(three.log_likelihood_, two.log_likelihood_, rtol=1e-12)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("seed", [0, 1])
def test_repeated_rows_do_not_break_a_mixture(covariance_type, seed):
    rng = np.random.default_rng(seed)
    x = np.repeat(rng.normal(0, 1, (6, 2)), 20, axis=0)
    model = GMMHMM(2, 2, covariance_type=covariance_type, random_state=seed, n_iter=60, tol=1e-4)
    model.fit(x)
    assert np.diff([r.objective for r in model.history_]).min() > -1e-9
    assert np.isfinite(model.log_likelihood_)
    covars = model.covars_ if model.covars_.ndim > 2 else np.abs(model.covars_)[..., None, None]
    if covariance_type in ("full", "tied"):
        assert np.linalg.eigvalsh(covars).min() >= model.covar_floor * (1 - 1e-9)
    else:
        assert model.covars_.min() >= model.covar_floor * (1 - 1e-9)


def test_a_symbol_that_was_not_seen_is_named():
    model = CategoricalHMM(2, random_state=0).fit([0, 1, 2, 1, 0])
    with pytest.raises(DataError, match=r"symbol out of range in row 1; got 7"):
        model.score([0, 7])
    # Or it has a place from the start: then it is only improbable.
    model = CategoricalHMM(2, n_features=8, emissionprob_prior=1.1, random_state=0).fit([0, 1, 2, 1, 0])
    assert np.isfinite(model.score([0, 7]))


def impossible():
    model = CategoricalHMM(2, init_params="")
    model.startprob_, model.transmat_ = np.array([1.0, 0.0]), np.eye(2)
    model.emissionprob_ = np.array([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]])
    return model


@pytest.mark.parametrize("implementation", ["scaling", "log"])
def test_a_sequence_of_probability_zero(implementation):
    model = impossible().set_params(implementation=implementation)
    x, lengths = [0, 1, 0, 2, 1], [2, 3]
    assert model.score(x, lengths) == -np.inf
    assert model.score_sequences(x, lengths).tolist() == [2 * np.log(0.5), -np.inf]
    for ask in (model.predict, model.decode, model.predict_proba, model.score_samples, model.filter_proba):
        with pytest.raises(NumericalError, match="sequence 1 has probability zero"):
            ask(x, lengths)
    with pytest.raises(NumericalError, match="sequence 1 has probability zero"):
        model.decode(x, lengths, "map")
    with pytest.raises(NumericalError, match="probability zero"):
        model.fit(x, lengths)
    with pytest.raises(NumericalError, match="'second' has probability zero"):
        model.predict(SequenceBatch.from_lengths(np.array(x), lengths, names=("first", "second")))


# -- input that cannot be -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("gaussian-diag", np.inf, "infinite observation in row 3, column 1"),
        ("gaussian-full", -np.inf, "infinite observation in row 3, column 1"),
        ("poisson", -1, "not a count in row 3, column 1; got -1"),
        ("poisson", 0.5, "not a count in row 3, column 1; got 0.5"),
        ("poisson", np.inf, "infinite observation in row 3, column 1"),
        ("multinomial", -2, "not a count in row 3, column 1"),
        ("multinomial", 100, "do not add up in row 3"),
    ],
)
def test_a_bad_value_is_named_by_row_and_column(name, value, message):
    model, x = fitted(name)
    bad = x.astype(float)
    bad[3, 1] = value
    for ask in (model.score, model.fit, model.predict, lambda v, n: model.score(list(np.split(v, [40])))):
        with pytest.raises(DataError, match=message):
            ask(bad, LENGTHS)


@pytest.mark.parametrize("value", [-1, 9, 1.5, np.inf])
def test_a_bad_symbol_is_named_by_its_row(value):
    model, x = fitted("categorical")
    bad = x.astype(float)
    bad[3] = value
    for ask in (model.score, model.fit, model.predict):
        with pytest.raises(DataError, match=r"symbol out of range in row 3"):
            ask(bad, LENGTHS)


def test_nan_is_refused_only_where_no_code_stands_for_it():
    with pytest.raises(DataError, match=r"missing symbol.*n_symbols"):
        CategoricalHMM(2, random_state=0).fit([0, 1, np.nan, 1])
    assert np.isfinite(CategoricalHMM(2, n_features=2, random_state=0).fit([0, 1, np.nan, 1]).log_likelihood_)
    with pytest.raises(DataError, match="some counts are missing"):
        MultinomialHMM(2, random_state=0).fit([[1, 2], [np.nan, 3]])


@pytest.mark.parametrize("name", ["categorical", "gaussian-tied", "gmm-full", "poisson", "multinomial"])
@pytest.mark.parametrize("lengths", [[10, 20], [len(LENGTHS)] * 200, [-5, 105], [[100]]])
def test_lengths_that_do_not_add_up(name, lengths):
    model, x = fitted(name)
    for ask in (model.score, model.fit, model.predict):
        with pytest.raises(DataError, match="lengths do not add up"):
            ask(x, lengths)


@pytest.mark.parametrize("name", ["gaussian-diag", "gaussian-full", "gaussian-tied", "gmm-diag", "poisson"])
def test_other_features_than_those_of_the_fit(name):
    model, x = fitted(name, n_iter=1)
    model.fit(x, LENGTHS)
    for other in (x[:, :1], np.hstack([x, x])):
        for ask in (model.score, model.predict, model.predict_proba, model.filter_proba):
            with pytest.raises(DataError, match="number of features"):
                ask(other)


def test_other_symbols_than_those_of_the_fit():
    model, x = fitted("multinomial", n_iter=1)
    model.fit(x, LENGTHS)
    with pytest.raises(DataError, match="number of features"):
        model.score(np.array([[3, 4]]))


@pytest.mark.parametrize("name", ["categorical", "gaussian-diag", "gmm-diag", "poisson", "multinomial"])
def test_empty_input_cannot_be_fitted(name):
    estimator, given, _, x = problem(name)
    for nothing in (x[:0], [], [x[:0]], [x[:0], x[:0]]):
        with pytest.raises(SeqemError):
            estimator(**given, random_state=0).fit(nothing)


@pytest.mark.parametrize("name", ["categorical", "gaussian-diag", "gmm-full", "poisson", "multinomial"])
def test_sequences_of_length_zero_and_one_are_legal(name):
    model, x = fitted(name, n_iter=2, tol=-1)
    parts = [x[:0], x[:5], x[:0], x[5:6], x[6:20], x[:0]]
    lengths = [0, 5, 0, 1, 14, 0]
    assert model.score(parts) == model.score(x[:20], lengths)
    assert_allclose(model.score(parts), model.score(x[:20], [5, 1, 14]), rtol=1e-14)
    assert model.score_sequences(parts)[[0, 2, 5]].tolist() == [0, 0, 0]
    assert model.predict(parts).shape == (20,)
    assert model.predict_proba(parts).shape == (20, model.n_components)
    assert model.score(x[:0]) == 0.0
    assert model.predict(x[:0]).shape == (0,)
    assert model.score_samples(x[:0])[1].shape == (0, model.n_components)
    short = with_parameters(type(model)(**model.get_params()), problem(name)[2])
    model.fit(parts)
    short.fit(x[:20], [5, 1, 14])
    assert_allclose(model.transmat_, short.transmat_, rtol=1e-12)
    assert_allclose(model.startprob_, short.startprob_, rtol=1e-12)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_components": 0}, "n_components"),
        ({"n_components": 2.5}, "n_components"),
        ({"implementation": "fast"}, "implementation"),
        ({"topology": "star"}, "topology"),
        ({"topology": np.zeros((2, 2))}, "topology"),
        ({"training": "gibbs"}, "training"),
        ({"method": "newton"}, "method"),
        ({"n_init": 0}, "n_init"),
        ({"n_iter": -1}, "max_iter|n_iter"),
        ({"startprob_prior": 0.5}, "prior"),
        ({"transmat_prior": -1.0}, "prior"),
        ({"tied_transitions": [[1, 2]]}, "tied"),
        ({"fixed": {"lambda_": True}}, "fixed"),
        ({"stationary": True, "tied_transitions": [[1, 2], [1, 2]]}, "stationary"),
    ],
)
def test_hyper_parameters_that_cannot_be(changes, message):
    with pytest.raises(SeqemError, match=message):
        PoissonHMM(**{"n_components": 2, "random_state": 0, **changes}).fit([1, 2, 3, 2, 1])


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("startprob_", [0.5, 0.6, 0.1], "startprob does not sum to one"),
        ("startprob_", [0.5, 0.5], "does not fit|wrong shape"),
        ("startprob_", [1.5, -0.5, 0.0], "negative"),
        ("transmat_", np.full((3, 3), 0.5), "transmat does not sum to one"),
        ("transmat_", np.full((2, 2), 0.5), "transmat has the wrong shape"),
        ("transmat_", np.full((3, 3), np.nan), "not finite"),
        ("means_", np.zeros((2, 2)), "means_|shape"),
        ("covars_", np.ones((3, 5)), "covars_ has the wrong shape"),
        ("covars_", -np.ones((3, 2)), "covars_"),
        ("covars_", np.full((3, 2), np.nan), "covars_"),
    ],
)
def test_parameters_that_cannot_be(attribute, value, message):
    model, x = fitted("gaussian-diag")
    setattr(model, attribute, np.asarray(value, dtype=float))
    with pytest.raises(ParameterError, match=message):
        model.score(x)
    with pytest.raises(ParameterError, match=message):
        model.fit(x)


def test_what_is_known_beside_the_data_must_fit():
    model, x = fitted("poisson")
    with pytest.raises(DataError, match="labels does not fit"):
        model.fit(x, LENGTHS, labels=[0, 1])
    with pytest.raises(DataError, match="labels"):
        model.fit(x, LENGTHS, labels=np.full(len(x), 3))
    with pytest.raises(DataError, match="state_prior"):
        model.fit(x, LENGTHS, state_prior=np.ones((len(x), 2)))
    with pytest.raises(DataError, match="sample_weight does not fit"):
        model.fit(x, LENGTHS, sample_weight=[1.0])
    for bad in (-1.0, np.nan):
        with pytest.raises(DataError, match="sample_weight"):
            model.fit(x, LENGTHS, sample_weight=[1.0, 1.0, bad, 1.0])
    with pytest.raises(DataError, match="given twice"):
        model.score(SequenceBatch.of([x]), [len(x)])


def test_other_domains_are_kept_too():
    with pytest.raises(DataError, match="row 1"):
        HMM(Exponential(), 2, random_state=0).fit([1.0, -1.0, 2.0])
    with pytest.raises(DataError, match="not numbers"):
        GaussianHMM(2).fit([["a"], ["b"]])
    with pytest.raises(DataError, match="shape"):
        GaussianHMM(2).fit(np.zeros((3, 2, 2)))
