import json

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save as pack

from seqem import GMMHMM, HMM, CategoricalHMM, GaussianHMM, MultinomialHMM, PoissonHMM
from seqem.bio.alphabet import DNA
from seqem.catalog import DISTRIBUTIONS, ESTIMATORS
from seqem.core.batch import SequenceBatch
from seqem.core.tree import tree_equal
from seqem.distributions.exponential import Exponential
from seqem.distributions.gaussian import Gaussian
from seqem.distributions.independent import Independent
from seqem.distributions.mixture import MixtureOf
from seqem.distributions.poisson import Poisson
from seqem.distributions.shared_mixture import SharedMixture
from seqem.errors import FormatError, NotFittedError, ParameterError
from seqem.hmm.semi_markov import SemiMarkovHMM
from seqem.hmm.variational import VariationalCategoricalHMM, VariationalGaussianHMM
from seqem.io.archive import load_model, save_model
from seqem.io.models import load, save
from seqem.models.bayesian_mixture import BayesianMixture
from seqem.models.factor import FactorAnalysis
from seqem.models.factor_mixture import MixtureOfFactorAnalyzers
from seqem.models.gaussian_mixture import GaussianMixture
from seqem.models.kernel_mixture import KernelMixture
from seqem.models.mixture import Mixture
from seqem.models.normal import MultivariateNormal
from seqem.models.ppca import ProbabilisticPCA
from seqem.models.tobit import Tobit
from seqem.models.variational_mixture import BayesianGaussianMixture

RNG = np.random.default_rng(0)
ROWS = np.concatenate([RNG.normal(0, 1, (60, 2)), RNG.normal(6, 1, (60, 2))])
COUNTS = RNG.poisson(np.repeat([2, 20], 60))[:, None]
ANGLES = RNG.vonmises(np.repeat([0.0, 2.0], 60), 4.0)[:, None]

ESTIMATORS_WITH_DATA = {
    "categorical": (CategoricalHMM(2, random_state=0), RNG.integers(0, 3, (100, 1))),
    "categorical ends": (CategoricalHMM(2, ends=True, random_state=0), RNG.integers(0, 3, (100, 1))),
    "gaussian": (GaussianHMM(2, "full", means_prior=np.zeros(2), means_weight=0.1, random_state=0), ROWS),
    "gaussian fixed": (GaussianHMM(2, fixed={"transmat_": np.eye(2, dtype=bool)}, random_state=0), ROWS),
    "gmm": (GMMHMM(2, 2, covariance_type="tied", random_state=0), ROWS),
    "poisson": (PoissonHMM(2, topology=np.tri(2, dtype=bool), random_state=0), COUNTS),
    "multinomial": (MultinomialHMM(2, random_state=0), np.stack([COUNTS[:, 0], COUNTS[::-1, 0]], 1)),
    "semi-markov": (SemiMarkovHMM(Poisson(), 2, random_state=0, n_iter=5), COUNTS),
    "variational categorical": (VariationalCategoricalHMM(2, random_state=0), RNG.integers(0, 3, (100, 1))),
    "variational gaussian": (VariationalGaussianHMM(2, random_state=0), ROWS),
    "mixture": (HMM(MixtureOf(Gaussian("diag"), 2), 2, random_state=0, n_iter=5), ROWS),
    "shared mixture": (HMM(SharedMixture(Gaussian("diag"), 3), 2, random_state=0, n_iter=5), ROWS),
    "independent": (
        HMM(
            Independent([(Gaussian(mean_prior=np.zeros(2), mean_weight=1.0), [0, 1]), (MixtureOf(Poisson(), 2), 2)]),
            2,
            random_state=0,
            n_iter=5,
        ),
        np.hstack([ROWS, COUNTS]),
    ),
}
SIMPLE = {
    "categorical": COUNTS % 4,
    "gaussian": ROWS,
    "poisson": COUNTS,
    "bernoulli": COUNTS % 2,
    "multinomial": np.hstack([COUNTS, COUNTS[::-1]]),
    "student": ROWS,
    "exponential": np.abs(ROWS) + 0.1,
    "gamma": np.abs(ROWS) + 0.1,
    "vonmises": ANGLES,
    "autoregressive": ROWS,
    "regression": ROWS,
    "poisson-regression": np.hstack([COUNTS, ROWS[::-1, :1]]),
    "logistic-regression": np.hstack([COUNTS % 2, ROWS]),
    "multivariate-t": ROWS,
    "factor-gaussian": ROWS,
}
ROW_MODELS = {
    "mixture": Mixture(Poisson(), 2, random_state=0),
    "gaussian-mixture": GaussianMixture(2, covariance_type="VEE", random_state=0),
    "mixture-of-factor-analyzers": MixtureOfFactorAnalyzers(2, random_state=0),
    "kernel-mixture": KernelMixture(2, random_state=0),
    "tobit": Tobit(0.0),
    "factor-analysis": FactorAnalysis(1),
    "ppca": ProbabilisticPCA(1),
    "multivariate-normal": MultivariateNormal(),
    "bayesian-gaussian-mixture": BayesianGaussianMixture(4, random_state=0),
    "bayesian-mixture": BayesianMixture(
        Independent([(Exponential(), [0, 1]), (Gaussian("full"), [2, 3])]), 3, random_state=0
    ),
}


def _check_return(path, model, x):
    save(path, model)
    again = load(path)
    assert type(again) is type(model)
    assert tree_equal(again.params_, model.params_)
    assert again.score(x) == model.score(x)
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    np.testing.assert_array_equal(again.predict_proba(x), model.predict_proba(x))
    return again


@pytest.mark.parametrize("name", ESTIMATORS_WITH_DATA)
def test_a_fitted_estimator_comes_back_to_the_bit(tmp_path, name):
    model, x = ESTIMATORS_WITH_DATA[name]
    again = _check_return(tmp_path / "m", model.fit(x), x)
    for fact in ("log_likelihood_", "n_iter_", "converged_", "stop_reason_", "history_", "n_parameters_"):
        assert getattr(again, fact) == getattr(model, fact), fact
    assert again.result_.stop_detail == model.result_.stop_detail
    assert list(again.monitor_.history) == list(model.monitor_.history)
    assert again.monitor_.converged == model.monitor_.converged
    assert again.get_params(deep=False).keys() == model.get_params(deep=False).keys()
    assert tree_equal(again.fit(x).params_, model.fit(x).params_)


@pytest.mark.parametrize("name", sorted(DISTRIBUTIONS.keys() - {"mixture", "shared-mixture", "independent", "tied"}))
def test_every_distribution_of_the_catalog_comes_back(tmp_path, name):
    x = SIMPLE[name]
    _check_return(tmp_path / "m", HMM(DISTRIBUTIONS[name].load()(), 2, random_state=0, n_iter=3).fit(x), x)


@pytest.mark.parametrize("name", ROW_MODELS)
def test_a_model_of_rows_comes_back_to_the_bit(tmp_path, name):
    rows = np.abs(RNG.normal(size=(80, 4)) + RNG.normal(size=(80, 1)))
    x = pd.DataFrame(COUNTS if name == "mixture" else rows, columns=["a"] if name == "mixture" else list("abcd"))
    model = ROW_MODELS[name].fit(x, rows[:, 0] - 0.5) if name == "tobit" else ROW_MODELS[name].fit(x)
    save(tmp_path / "m", model)
    again = load(tmp_path / "m")
    assert type(again) is type(model)
    assert tree_equal(again.result_.params, model.result_.params)
    for fact in ("log_likelihood_", "n_iter_", "converged_", "stop_reason_", "history_"):
        assert getattr(again, fact) == getattr(model, fact), fact
    assert list(again.feature_names_in_) == list(x.columns)
    for method in ("predict", "predict_proba", "transform", "score_samples"):
        if hasattr(model, method):
            np.testing.assert_array_equal(getattr(again, method)(x), getattr(model, method)(x))
    if name == "factor-analysis":
        assert again.goodness_of_fit_ == model.goodness_of_fit_
        np.testing.assert_array_equal(again.loadings_, model.loadings_)


def test_estimators_here_are_all_of_the_catalog():
    seen = {type(model) for model, _ in ESTIMATORS_WITH_DATA.values()}
    known = {ESTIMATORS[name].load() for name in ESTIMATORS}
    assert known == seen


def test_alphabet_comes_back(tmp_path):
    x = SequenceBatch.of([DNA.encode("ACGTNACGTTTGGA" * 5)], alphabet="ACGT")
    again = _check_return(tmp_path / "m", CategoricalHMM(2, random_state=0).fit(x), x)
    assert again.alphabet_ == "ACGT"


def test_parameters_set_by_hand_come_back_without_a_fit(tmp_path):
    model = GaussianHMM(2)
    model.startprob_, model.transmat_ = np.array([0.3, 0.7]), np.array([[0.9, 0.1], [0.2, 0.8]])
    model.means_, model.covars_ = np.array([[0.0], [1.0]]), np.ones((2, 1))
    again = _check_return(tmp_path / "m", model, ROWS[:, :1])
    with pytest.raises(NotFittedError):
        _ = again.log_likelihood_


def test_a_fit_changed_by_hand_keeps_the_fit_and_the_change(tmp_path):
    model, x = ESTIMATORS_WITH_DATA["poisson"]
    model.fit(x).lambdas_ = [[1.0], [9.0]]
    again = _check_return(tmp_path / "m", model, x)
    assert again.lambdas_.tolist() == [[1.0], [9.0]]
    assert again.log_likelihood_ == model.log_likelihood_
    model.fit(x)


def test_a_generator_is_left_out(tmp_path):
    model = PoissonHMM(2, random_state=np.random.default_rng(0)).fit(COUNTS)
    save(tmp_path / "m", model)
    assert load(tmp_path / "m").random_state is None


class Odd(Poisson):
    pass


class OddHMM(PoissonHMM):
    pass


@pytest.mark.parametrize(
    ("model", "x", "message"),
    [
        (HMM(Odd(), 2, random_state=0), COUNTS, "catalog distribution"),
        (PoissonHMM(2, random_state=0, tied_states=range(2)), COUNTS, "tied_states"),
        (OddHMM(2, random_state=0), COUNTS, "OddHMM"),
    ],
)
def test_what_cannot_be_saved_is_refused_and_nothing_written(tmp_path, model, x, message):
    model.fit(x)
    with pytest.raises(ParameterError, match=message):
        save(tmp_path / "m", model)
    assert list(tmp_path.iterdir()) == []


def test_an_unfitted_estimator_is_refused(tmp_path):
    with pytest.raises(NotFittedError):
        save(tmp_path / "m", PoissonHMM(2))
    assert list(tmp_path.iterdir()) == []


def _archive(tmp_path):
    path = tmp_path / "m"
    save(path, PoissonHMM(2, random_state=0).fit(COUNTS))
    return path, load_model(path)


def _with_params(config, **changes):
    return {**config, "fit": {**config["fit"], "params": {**config["fit"]["params"], **changes}}}


def _other_type(config):
    return _with_params(config, type="os:stat_result")


def _no_such_type(config):
    return _with_params(config, type="seqem.hmm.generic:HMM")


def _distribution(config):
    return {**config, "arguments": {"n_components": {"$distribution": "os.system"}}}


@pytest.mark.parametrize(
    "change",
    [
        _other_type,
        _no_such_type,
        _distribution,
        lambda config: {**config, "arguments": {"no_such": 1}},
        lambda config: {**config, "fit": {**config["fit"], "stop_reason": "bored"}},
        lambda config: _with_params(config, fields={"start": "leaf"}),
        lambda config: {key: value for key, value in config.items() if key != "fit"},
    ],
)
def test_a_header_that_describes_no_model_is_a_format_error(tmp_path, change):
    path, saved = _archive(tmp_path)
    save_model(path, saved.kind, change(saved.config), saved.arrays)
    with pytest.raises(FormatError, match="does not describe"):
        load(path)


def test_missing_arrays_and_unknown_kinds_are_format_errors(tmp_path):
    path, saved = _archive(tmp_path)
    save_model(path, saved.kind, saved.config, {})
    with pytest.raises(FormatError, match=r"params\.start"):
        load(path)
    save_model(path, "no-such", saved.config, saved.arrays)
    with pytest.raises(FormatError, match="holds no model known here"):
        load(path)
    path.write_bytes(pack({"a": np.zeros(1)}, metadata={"config": json.dumps({})}))
    with pytest.raises(FormatError, match="no model of seqem"):
        load(path)
