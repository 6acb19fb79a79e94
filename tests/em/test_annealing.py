"""Annealing, hard and drawn assignments: free energies that never fall, better ends from bad starts."""

import numpy as np
import pytest

from seqem.core.batch import SequenceBatch
from seqem.core.rows import Rows
from seqem.distributions.gaussian import Gaussian, GaussianParams
from seqem.distributions.mixture import MixtureOf, MixtureParams
from seqem.em.annealing import anneal
from seqem.em.driver import fit
from seqem.em.stop import StopRule
from seqem.errors import ParameterError
from seqem.hmm.gaussian import GaussianHMM
from seqem.models.gaussian_mixture import GaussianMixture
from seqem.models.mixture_model import MixtureModel, responsibilities


def three_groups(seed=0):
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(m, 0.6, (80, 2)) for m in ((0, 0), (6, 0), (3, 6))])


def bad_start(x):
    """Two components in one group, one between the others."""
    mean = np.array([[-0.5, 0.1], [0.5, 0.0], [4.5, 3.0]])
    return MixtureParams(np.full((1, 3), 1 / 3), GaussianParams(mean, np.array([[0.3, 0.3], [0.3, 0.3], [9.0, 9.0]])))


def models():
    x = three_groups()
    mixture = MixtureModel(MixtureOf(Gaussian("diag"), 3))
    hmm = GaussianHMM(2, random_state=0, n_iter=0).fit(x)
    return [
        (mixture, bad_start(x), [Rows(x)]),
        (hmm._model(), hmm.result_.params, [SequenceBatch.from_lengths(x, [120, 120])]),
    ]


@pytest.mark.parametrize("case", [0, 1])
@pytest.mark.parametrize("beta", [0.2, 0.7])
def test_the_free_energy_never_falls(case, beta):
    from dataclasses import replace

    model, params, shards = models()[case]
    result = fit(replace(model, beta=beta), params, shards, stop=StopRule(max_iter=30))
    assert (np.diff(result.history.objective) >= -1e-8).all()
    assert result.log_likelihood >= fit(model, params, shards, stop=StopRule(max_iter=0)).log_likelihood - 1e-9


def test_annealing_leaves_a_bad_start_behind():
    x = three_groups()
    model, params = MixtureModel(MixtureOf(Gaussian("diag"), 3)), bad_start(x)
    rule = StopRule(max_iter=500, rel_tol=1e-10)
    plain = fit(model, params, [Rows(x)], stop=rule)
    warm = anneal(model, params, [Rows(x)])
    annealed = fit(model, warm, [Rows(x)], stop=rule)
    assert annealed.log_likelihood > plain.log_likelihood + 20
    with pytest.raises(ParameterError, match="betas"):
        anneal(model, params, [Rows(x)], betas=(0.0, 0.5))


def test_estimators_anneal():
    x = three_groups()
    model = GaussianMixture(
        3, annealing=(0.1, 0.2, 0.4, 0.6, 0.8), random_state=0, means_init=bad_start(x).component.mean
    ).fit(x)
    assert model.log_likelihood_ == pytest.approx(GaussianMixture(3, random_state=0).fit(x).log_likelihood_, abs=1e-3)


def test_classification_em_raises_the_classification_likelihood():
    x = three_groups()
    model = GaussianMixture(3, training="classification", random_state=0, covariance_type="diag").fit(x)
    assert (np.diff(model.history_.objective) >= -1e-9).all()
    joint = model._model().joint(model.result_.params, x)
    assert model.log_likelihood_ == pytest.approx(joint.max(axis=1).sum())
    groups = model.predict(x)
    assert model.means_ == pytest.approx(np.array([x[groups == k].mean(axis=0) for k in range(3)]), abs=1e-6)


def test_stochastic_em_wanders_about_the_maximum():
    x = three_groups()
    best = GaussianMixture(3, random_state=0).fit(x)
    drawn = GaussianMixture(3, training="stochastic", random_state=0, max_iter=60).fit(x)
    assert drawn.stop_reason_ == "max_iter"
    assert np.mean(drawn.history_.objective[20:]) == pytest.approx(best.log_likelihood_, abs=15)
    again = GaussianMixture(3, training="stochastic", random_state=0, max_iter=60).fit(x)
    assert drawn.result_.objective == again.result_.objective
    assert len(np.unique(responsibilities(drawn._model().joint(drawn.result_.params, x))[1].argmax(1))) == 3


def test_unknown_training_is_refused():
    with pytest.raises(ParameterError, match="unknown training"):
        GaussianMixture(2, training="hard").fit(three_groups())
