"""The shared models against hmmlearn 0.3.3: the same numbers, and the same names around them."""

import inspect
import pickle

import hmmlearn.hmm
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

import seqem
from seqem.errors import NotFittedError
from seqem.hmm.monitor import ConvergenceMonitor
from tests.hmm.cases import COVARIANCES, LENGTHS, PROBLEMS, problem, with_parameters

NAMES = list(PROBLEMS)
CLASSES = ("CategoricalHMM", "GaussianHMM", "GMMHMM", "MultinomialHMM", "PoissonHMM")


def both(name, seed=0, **options):
    """Return our model and theirs with the same parameters, and the data."""
    ours, given, known, x = problem(name, seed)
    theirs = getattr(hmmlearn.hmm, ours.__name__)
    options = {"init_params": "", "tol": -np.inf, **given, **options}
    return with_parameters(ours(**options), known), with_parameters(theirs(**options), known), x


def learned(model, name):
    return model._covars_ if name == "covars_" and hasattr(model, "_covars_") else getattr(model, name)


@pytest.mark.parametrize("implementation", ["scaling", "log"])
@pytest.mark.parametrize("name", NAMES)
def test_inference_agrees(name, implementation):
    ours, theirs, x = both(name, implementation=implementation)
    close = {"rtol": 0, "atol": 1e-9}
    per_frame = len(x) * 1e-9
    assert_allclose(ours.score(x, LENGTHS), theirs.score(x, LENGTHS), rtol=0, atol=per_frame)
    log_prob, posteriors = ours.score_samples(x, LENGTHS)
    their_log_prob, their_posteriors = theirs.score_samples(x, LENGTHS)
    assert_allclose(log_prob, their_log_prob, rtol=0, atol=per_frame)
    assert_allclose(posteriors, their_posteriors, **close)
    assert_allclose(ours.predict_proba(x, LENGTHS), theirs.predict_proba(x, LENGTHS), **close)
    for algorithm in ("viterbi", "map", None):
        score, path = ours.decode(x, LENGTHS, algorithm)
        their_score, their_path = theirs.decode(x, LENGTHS, algorithm)
        assert_allclose(score, their_score, rtol=0, atol=per_frame)
        assert_array_equal(path, their_path)
    assert_array_equal(ours.predict(x, LENGTHS), theirs.predict(x, LENGTHS))
    assert_allclose(ours.get_stationary_distribution(), theirs.get_stationary_distribution(), **close)


# GMMHMM is compared below: its M-step in hmmlearn is not the maximum of its own objective.
@pytest.mark.parametrize("name", [n for n in NAMES if not n.startswith("gmm")])
def test_a_fit_from_the_same_start_agrees(name):
    ours, theirs, x = both(name, n_iter=7)
    start = ours.startprob_.copy()
    ours.fit(x, LENGTHS)
    theirs.fit(x, LENGTHS)
    assert np.abs(ours.startprob_ - start).max() > 1e-3
    assert_same_parameters(ours, theirs, problem(name)[2])
    # hmmlearn reports the log-likelihood before each M-step, ours also the one after the last.
    assert_allclose(list(ours.monitor_.history)[:-1], theirs.monitor_.history, rtol=0, atol=len(x) * 1e-9)
    assert ours.monitor_.iter == theirs.monitor_.iter == ours.n_iter_ == 7
    assert_allclose(ours.log_likelihood_, theirs.score(x, LENGTHS), rtol=0, atol=1e-6)


def assert_same_parameters(ours, theirs, names, atol=1e-6):
    for attribute in names:
        mine, other = learned(ours, attribute), np.asarray(learned(theirs, attribute))
        if attribute == "covars_" and mine.ndim < other.ndim:
            other = other[:, 0]  # after a fit hmmlearn repeats a spherical variance over the features
        assert mine.shape == other.shape
        assert_allclose(mine, other, rtol=0, atol=atol, err_msg=attribute)
    if getattr(ours, "covariance_type", "spherical") != "spherical":
        # hmmlearn's covars_ of spherical Gaussians has K * D matrices after a fit, an oversight.
        assert_allclose(ours.covars_, theirs.covars_, rtol=0, atol=atol)


PRIORS = {
    "categorical": {"emissionprob_prior": 1.5},
    "gaussian-spherical": {"means_prior": 0.5, "means_weight": 2.0, "covars_prior": 0.3, "covars_weight": 3.0},
    "gaussian-diag": {"means_prior": 0.5, "means_weight": 2.0, "covars_prior": 0.3, "covars_weight": 3.0},
    "gaussian-full": {"means_prior": 0.5, "means_weight": 2.0, "covars_prior": 0.3, "covars_weight": 5.0},
    "gaussian-tied": {"means_prior": 0.5, "means_weight": 2.0, "covars_prior": 0.3, "covars_weight": 5.0},
}


@pytest.mark.parametrize("name", PRIORS)
def test_a_fit_with_priors_agrees(name):
    ours, theirs, x = both(name, n_iter=5, startprob_prior=1.3, transmat_prior=2.0, **PRIORS[name])
    ours.fit(x, LENGTHS)
    theirs.fit(x, LENGTHS)
    assert_same_parameters(ours, theirs, problem(name)[2])


def test_a_fit_of_counts_with_a_prior_agrees_for_one_state():
    # hmmlearn adds the prior to n * mean with n the rows of ALL states, which is no mode unless there is one state only.
    x = problem("poisson")[3]
    options = {"init_params": "", "lambdas_prior": 2.0, "lambdas_weight": 0.5, "n_iter": 2, "tol": -np.inf}
    known = {"startprob_": np.ones(1), "transmat_": np.ones((1, 1)), "lambdas_": np.ones((1, 2))}
    ours, theirs = (with_parameters(m(1, **options), known).fit(x) for m in (seqem.PoissonHMM, hmmlearn.hmm.PoissonHMM))
    assert_allclose(ours.lambdas_, theirs.lambdas_, rtol=1e-12)
    assert_allclose(ours.lambdas_[0], (2.0 + x.sum(0)) / (0.5 + len(x)))


HELD = [
    *((name, letter, attribute) for name in ("categorical", "gaussian-diag", "poisson", "multinomial")
      for letter, attribute in (("s", "startprob_"), ("t", "transmat_"))),
    ("categorical", "e", "emissionprob_"),
    ("multinomial", "e", "emissionprob_"),
    ("gaussian-diag", "m", "means_"),
    ("gaussian-diag", "c", "covars_"),
    ("poisson", "l", "lambdas_"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "letter", "attribute"), HELD)
def test_params_letters_choose_what_is_fitted(name, letter, attribute):
    letters = inspect.signature(problem(name)[0]).parameters["params"].default
    ours, theirs, x = both(name, n_iter=3, params=letters.replace(letter, ""))
    ours.fit(x, LENGTHS)
    if letter != "m":  # without the means' letter hmmlearn takes covariances from sums it has not made
        assert_same_parameters(ours, theirs.fit(x, LENGTHS), problem(name)[2])
    assert_array_equal(learned(ours, attribute), problem(name)[2][attribute])
    assert not np.array_equal(ours.transmat_, problem(name)[2]["transmat_"]) or letter == "t"


# hmmlearn's M-step of GMMHMM takes the scatter about the means of the E-step and not about the new ones, so with means
# and covariances both free it is no maximum of any density, only its fixed points are. Each half of it is one where the
# other is held. And of the default covars_prior (inverse gamma or Wishart parameters, some negative so as to cancel their
# own normaliser) those of "spherical" cancel only where n_mix equals n_features: -(n_features + 2) / 2 does everywhere.
def gmm_pair(covariance_type, **options):
    flat = {"covars_prior": -2.0} if covariance_type == "spherical" else {}  # D = 2
    ours, given, known, x = problem(f"gmm-{covariance_type}")
    options = {"init_params": "", "tol": -np.inf, **given, **options}
    theirs = with_parameters(hmmlearn.hmm.GMMHMM(**options, **flat), known)
    return with_parameters(ours(**options), known), theirs, known, x


@pytest.mark.parametrize("params", ["stmw", "stcw"])
@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_a_fit_of_mixtures_agrees_in_each_half(covariance_type, params):
    ours, theirs, known, x = gmm_pair(covariance_type, n_iter=6, params=params)
    ours.fit(x, LENGTHS)
    theirs.fit(x, LENGTHS)
    assert_same_parameters(ours, theirs, known)


@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_a_fit_of_mixtures_ends_at_a_fixed_point_of_hmmlearn(covariance_type):
    ours, _, known, x = gmm_pair(covariance_type, n_iter=4000, tol=1e-13)
    ours.fit(x, LENGTHS)
    _, theirs, _, _ = gmm_pair(covariance_type, n_iter=1)
    with_parameters(theirs, {name: learned(ours, name) for name in known}).fit(x, LENGTHS)
    assert_same_parameters(ours, theirs, known, atol=1e-4)


@pytest.mark.parametrize("name", [n for n in NAMES if not n.startswith("gmm")])
def test_criteria_agree(name):
    ours, theirs, x = both(name)
    if name.startswith("gaussian"):  # hmmlearn counts parameters of what was fitted, so it wants n_features
        theirs.n_features = x.shape[1]
    theirs._check()
    assert_allclose(ours.aic(x, LENGTHS), theirs.aic(x, LENGTHS), rtol=1e-10)
    assert_allclose(ours.bic(x, LENGTHS), theirs.bic(x, LENGTHS), rtol=1e-10)


@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_criteria_of_mixtures_count_the_weights_of_every_state(covariance_type):
    ours, theirs, _, x = gmm_pair(covariance_type)
    theirs._check()
    # hmmlearn counts n_mix - 1 weights for all states together; there are as many in each.
    missing = (ours.n_components - 1) * (ours.n_mix - 1)
    assert_allclose(ours.aic(x, LENGTHS), theirs.aic(x, LENGTHS) + 2 * missing, rtol=1e-10)
    assert_allclose(ours.bic(x, LENGTHS), theirs.bic(x, LENGTHS) + np.log(len(x)) * missing, rtol=1e-10)


@pytest.mark.parametrize("name", CLASSES)
def test_constructors_take_the_arguments_of_hmmlearn_in_their_order(name):
    ours = inspect.signature(getattr(seqem, name)).parameters
    theirs = inspect.signature(getattr(hmmlearn.hmm, name)).parameters
    places = [n for n, p in theirs.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert list(ours)[: len(places)] == places
    assert set(theirs) <= set(ours)
    changed = {n for n, p in theirs.items() if ours[n].default != p.default}
    assert changed <= {"implementation"}  # scaled recursions fall back to log ones by themselves


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize(
    "method", ["fit", "score", "score_samples", "predict", "predict_proba", "decode", "sample", "aic", "bic"]
)
def test_methods_take_the_arguments_of_hmmlearn(name, method):
    ours = list(inspect.signature(getattr(getattr(seqem, name), method)).parameters)
    theirs = list(inspect.signature(getattr(getattr(hmmlearn.hmm, name), method)).parameters)
    assert ours[: len(theirs)] == theirs


@pytest.mark.parametrize("name", NAMES)
def test_sample_follows_the_model_and_goes_on_from_a_state(name):
    ours, theirs, x = both(name)
    values, states = ours.sample(6, random_state=1)
    assert values.shape == np.shape(theirs.sample(6, random_state=1)[0]) == (6, x.shape[1])
    assert states.shape == (6,)
    assert_array_equal(ours.sample(6, random_state=1)[0], values)
    assert ours.sample(3, random_state=2, currstate=states[-1])[1][0] == states[-1]
    many, states = ours.sample(20_000, random_state=0)
    pairs = np.zeros_like(ours.transmat_)
    np.add.at(pairs, (states[:-1], states[1:]), 1.0)
    assert_allclose(pairs / pairs.sum(1, keepdims=True), ours.transmat_, atol=0.03)
    again = ours.score(many) / len(many)
    assert abs(again - ours.score(ours.sample(20_000, random_state=3)[0]) / 20_000) < 0.05


@pytest.mark.parametrize("name", NAMES)
def test_learned_attributes_have_the_shapes_of_hmmlearn(name):
    ours, given, known, x = problem(name)
    mine = ours(**given, n_iter=2, random_state=0).fit(x, LENGTHS)
    other = getattr(hmmlearn.hmm, ours.__name__)(**given, n_iter=2, random_state=0).fit(x, LENGTHS)
    for attribute in known:
        if name != "gaussian-spherical" or attribute != "covars_":  # theirs has K * D matrices
            assert getattr(mine, attribute).shape == np.shape(getattr(other, attribute)), attribute
    if name.startswith("gaussian"):
        assert mine.covars_.shape == (3, 2, 2)


def test_attributes_set_before_a_fit_are_its_start():
    ours, given, known, x = problem("gaussian-diag")
    model = with_parameters(ours(**given, n_iter=0, init_params=""), known).fit(x, LENGTHS)
    for attribute, value in known.items():
        assert_array_equal(learned(model, attribute), value)
    # Letters of init_params are drawn anew, the others stay.
    model = with_parameters(ours(**given, n_iter=0, init_params="m", random_state=0), known).fit(x, LENGTHS)
    assert not np.array_equal(model.means_, known["means_"])
    assert_array_equal(model.transmat_, known["transmat_"])


def test_attributes_set_after_a_fit_are_used_and_a_refit_goes_on_from_there():
    ours, given, known, x = problem("poisson")
    model = ours(**given, n_iter=2, random_state=0).fit(x, LENGTHS)
    model.lambdas_ = known["lambdas_"]
    assert_array_equal(model.lambdas_, known["lambdas_"])
    one_more = clone(model).set_params(n_iter=1, init_params="")
    for name in known:
        setattr(one_more, name, getattr(model, name))
    assert_allclose(one_more.fit(x, LENGTHS).history_[0].log_likelihood, model.score(x, LENGTHS))


def test_an_unfitted_estimator_has_no_attributes_and_says_so():
    model = seqem.PoissonHMM(2)
    assert not hasattr(model, "lambdas_")
    assert not hasattr(model, "startprob_")
    for question in (lambda: model.score([[1]]), lambda: model.log_likelihood_, lambda: model.sample(2)):
        with pytest.raises(NotFittedError, match="not fitted"):
            question()


def test_monitor_tells_of_the_fit():
    ours, given, _, x = problem("categorical")
    model = ours(**given, random_state=0, n_iter=3, tol=0).fit(x, LENGTHS)
    assert (model.monitor_.iter, model.monitor_.n_iter, model.monitor_.tol) == (3, 3, 0)
    assert list(model.monitor_.history) == [r.log_likelihood for r in model.history_]
    assert np.all(np.diff(model.monitor_.history) > 0)
    # Unlike hmmlearn's, running out of iterations is not convergence.
    assert not model.monitor_.converged
    assert model.stop_reason_ == "max_iter"
    model = ours(**given, random_state=0, n_iter=500, tol=1e-2).fit(x, LENGTHS)
    assert model.monitor_.converged
    assert model.converged_
    assert "history" in repr(model.monitor_)
    assert "tol=0.01" in repr(model.monitor_)


class FourSteps(ConvergenceMonitor):
    """Stop after four steps, as a script of hmmlearn's manual does."""

    @property
    def converged(self):
        return self.iter == 4


def test_a_monitor_of_ones_own_decides_when_to_stop():
    ours, given, _, x = problem("categorical")
    model = ours(**given, random_state=0, n_iter=50, tol=0)
    model.monitor_ = FourSteps(model.monitor_.tol, model.monitor_.n_iter, model.monitor_.verbose)
    model.fit(x, LENGTHS)
    assert model.n_iter_ == 4
    assert model.monitor_.converged
    assert model.stop_reason_ == "callback"


@pytest.mark.parametrize("name", NAMES)
def test_estimators_pickle_clone_and_print(name):
    ours, given, known, x = problem(name)
    model = ours(**given, n_iter=2, random_state=0).fit(x, LENGTHS)
    again = pickle.loads(pickle.dumps(model))
    assert again.score(x, LENGTHS) == model.score(x, LENGTHS)
    assert again.history_ == model.history_
    fresh = clone(model)
    assert fresh.get_params() == model.get_params()
    assert not hasattr(fresh, next(iter(known)))
    assert fresh.fit(x, LENGTHS).score(x, LENGTHS) == model.score(x, LENGTHS)
    assert fresh.set_params(n_iter=9).get_params()["n_iter"] == 9
    assert ours.__name__ in repr(model)
    assert f"n_components={given['n_components']}" in repr(model)
