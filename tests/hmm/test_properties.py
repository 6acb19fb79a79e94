"""Whatever comes in, what comes out is sound or an error of seqem."""

import contextlib
import warnings

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose

from seqem import CategoricalHMM, GaussianHMM, MultinomialHMM, PoissonHMM
from seqem.chain.params import ChainParams, ChainStats, check_chain
from seqem.errors import SeqemError, SeqemWarning
from seqem.hmm.transitions import TransitionStep

FEW = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))

ESTIMATORS = {
    "categorical": lambda K, **o: CategoricalHMM(K, **o),
    "gaussian-diag": lambda K, **o: GaussianHMM(K, "diag", **o),
    "gaussian-full": lambda K, **o: GaussianHMM(K, "full", **o),
    "poisson": lambda K, **o: PoissonHMM(K, **o),
    "multinomial": lambda K, **o: MultinomialHMM(K, **o),
}


def check(name, K, x, lengths, **options):
    """Fit and ask everything; errors of seqem are answers, others are not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SeqemWarning)
        try:
            model = ESTIMATORS[name](K, random_state=0, n_iter=4, tol=-1, **options).fit(x, lengths)
            score, posterior = model.score_samples(x, lengths)
            best, path = model.decode(x, lengths)
        except SeqemError:
            return
    assert np.isfinite(score)
    assert best <= score + 1e-9 * max(1.0, abs(score))
    assert posterior.shape == (len(x), K)
    assert_allclose(posterior.sum(1), 1.0, atol=1e-9)
    assert ((path >= 0) & (path < K)).all()
    assert_allclose(model.startprob_.sum(), 1.0, atol=1e-9)
    ends = 0.0 if model.endprob_ is None else model.endprob_
    assert_allclose(model.transmat_.sum(1) + ends, 1.0, atol=1e-9)
    objective = np.array([r.objective for r in model.history_])
    rounding = 1e-8 * max(1.0, np.abs(objective).max())
    if model.stop_reason_ == "objective_fell":
        # Honest, not monotone: eigenvalues at the floor beside ones 1e15 times as large are more than a matrix of
        # doubles can hold. The fit must say so and end at the best point that it saw.
        assert name == "gaussian-full"
        assert np.nanmax(np.abs(x)) ** 2 / model.covar_floor > 1e15
        assert model.result_.objective >= objective.max() - rounding
        return
    assert np.diff(objective).min() >= -rounding


@st.composite
def cut(draw, n):
    """Draw lengths, zeros among them, that sum to n."""
    marks = sorted(draw(st.lists(st.integers(0, n), max_size=4)))
    return np.diff([0, *marks, n]).tolist()


# Not larger: a symbol sets the size of the alphabet, and so the memory.
ANYTHING = st.one_of(st.floats(-1e3, 1e3), st.sampled_from([np.nan, np.inf, -np.inf]))
SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=30).map(lambda s: (s[0], min(s[1], 3)))
EXTREMES = st.one_of(
    st.floats(-5, 5),
    st.sampled_from([0.0, 1e-300, -1e6, 1e6, 1e-8, np.nan]),
)


@FEW
@given(st.data(), st.sampled_from(["gaussian-diag", "gaussian-full"]), st.integers(1, 3), st.booleans())
def test_real_rows(data, name, K, ends):
    x = data.draw(hnp.arrays(np.float64, data.draw(SHAPES), elements=EXTREMES))
    check(name, K, x, data.draw(cut(len(x))), ends=ends)


@FEW
@given(st.data(), st.integers(1, 3))
def test_counts(data, K):
    values = st.one_of(st.integers(0, 6), st.sampled_from([0, 1000])).map(float)
    x = data.draw(hnp.arrays(np.float64, data.draw(SHAPES), elements=values))
    check("poisson", K, x, data.draw(cut(len(x))))


def test_rows_whose_squares_drown_all_others():
    check("gaussian-full", 1, np.array([[1e10, 1e10, 0.0], [1, 1, 1], [2, 2, np.nan], [0, 0, 3]]), [4])


def test_counts_so_large_that_other_rates_fall_to_zero():
    check("poisson", 2, np.array([[0.0], [2.0**52]]), [2])


@FEW
@given(st.data(), st.integers(1, 3))
def test_symbol_counts(data, K):
    x = data.draw(hnp.arrays(np.int64, data.draw(SHAPES), elements=st.sampled_from([0, 0, 1, 2, 1000])))
    check("multinomial", K, x, data.draw(cut(len(x))))


@FEW
@given(st.data(), st.integers(1, 4), st.sampled_from(["ergodic", "left-right", "cyclic"]), st.sampled_from([1, 5, 200]))
def test_symbols(data, K, topology, largest):
    x = data.draw(hnp.arrays(np.int64, st.integers(1, 40), elements=st.integers(0, largest)))
    check("categorical", K, x, data.draw(cut(len(x))), topology=topology)


@FEW
@given(hnp.arrays(np.float64, hnp.array_shapes(max_dims=3, max_side=4), elements=ANYTHING))
def test_any_array_is_taken_or_refused(x):
    for name in ESTIMATORS:
        check(name, 2, x, None) if x.ndim == 2 else refused_or_taken(name, x)


def refused_or_taken(name, x):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SeqemWarning)
        with contextlib.suppress(SeqemError):
            assert np.isfinite(ESTIMATORS[name](2, random_state=0, n_iter=2).fit(x).log_likelihood_)


SIMPLEX = st.integers(1, 4).flatmap(
    lambda K: st.tuples(
        hnp.arrays(np.float64, (K,), elements=st.sampled_from([0.0, 1e-300, 1e-12, 0.3, 1.0])),
        hnp.arrays(np.float64, (K, K), elements=st.sampled_from([0.0, 1e-300, 1e-12, 0.3, 1.0])),
    )
)


@FEW
@given(SIMPLEX, st.sampled_from([TransitionStep(), TransitionStep(stationary=True), TransitionStep(trans_prior=2.0)]))
def test_the_m_step_of_a_chain_stays_in_the_simplex(arrays, step):
    start, trans = arrays
    start = start + (start.sum() == 0)
    trans = trans + (trans.sum(1, keepdims=True) == 0)
    start, trans = start / start.sum(), trans / trans.sum(1, keepdims=True)
    chain = step.allowed(ChainParams(start, trans))
    counts = chain._replace(start=chain.start * 3, trans=chain.trans * np.arange(len(start))[:, None])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SeqemWarning)
        new = step.maximise(ChainStats(counts.start, counts.trans, np.zeros(len(start))), chain)
    check_chain(new.start, new.trans)
    assert not new.trans[chain.trans == 0].any()
