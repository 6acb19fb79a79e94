"""Numbers that others published, or computed by independent naive code, to the digits they gave."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import poisson

from seqem import HMM, CategoricalHMM, PoissonHMM
from seqem.chain import inference
from seqem.chain.params import ChainParams
from seqem.distributions.exponential import Exponential, ExponentialParams
from seqem.distributions.mixture import MixtureOf
from seqem.distributions.poisson import Poisson


def with_parameters(model, **known):
    for name, value in known.items():
        setattr(model, name, np.array(value, dtype=float))
    return model


# -- two examples of Wikipedia, both of two states and three symbols ----------------------------------


def weather(emissionprob, **options):
    return with_parameters(
        CategoricalHMM(2, init_params="", **options),
        startprob_=[0.6, 0.4],
        transmat_=[[0.7, 0.3], [0.4, 0.6]],
        emissionprob_=emissionprob,
    )


def test_rainy_or_sunny():
    model, x = weather([[0.1, 0.4, 0.5], [0.6, 0.3, 0.1]]), [[0], [1], [2]]
    assert_allclose(np.exp(model.score(x)), 0.033612, rtol=1e-12)
    score, path = model.decode(x)
    assert_allclose(np.exp(score), 0.01344, rtol=1e-12)
    assert path.tolist() == [1, 0, 0]
    # Published in single precision: the first is 649 / 2801 = 0.23170296.
    assert_allclose(model.predict_proba(x)[:, 0], [0.23170303, 0.62406281, 0.86397706], atol=1e-7)
    assert_allclose(model.predict_proba(x)[0, 0], 649 / 2801, rtol=1e-14)


def test_healthy_or_fever():
    model, x = weather([[0.5, 0.4, 0.1], [0.1, 0.3, 0.6]]), [[0], [1], [2]]
    assert_allclose(np.exp(model.score(x)), 0.03628, rtol=1e-12)
    score, path = model.decode(x)
    assert_allclose(np.exp(score), 0.01512, rtol=1e-12)
    assert path.tolist() == [0, 0, 1]


def test_rabiners_weather_chain():
    """Rabiner 1989, section II: states are seen, so frames are certain."""
    trans = np.array([[0.4, 0.3, 0.3], [0.2, 0.6, 0.2], [0.1, 0.1, 0.8]])
    chain = ChainParams(np.array([0.0, 0.0, 1.0]), trans)
    seen = np.array([3, 3, 3, 1, 1, 3, 2, 3]) - 1
    frames = inference.label_frames(3, labels=seen)
    assert_allclose(np.exp(inference.log_likelihood(chain, frames)), 1.536e-4, rtol=1e-12)
    path, score = inference.decode(chain, frames)
    assert_array_equal(path, seen)
    assert_allclose(np.exp(score), 1.536e-4, rtol=1e-12)
    assert_allclose(1 / (1 - np.diag(trans)), [1.67, 2.5, 5.0], atol=5e-3)


# -- the occasionally dishonest casino (Durbin, Eddy, Krogh & Mitchison 1998, figure 3.5) --------------

FAIR, LOADED = [1 / 6] * 6, [0.1] * 5 + [0.5]


@pytest.fixture
def rolls(data):
    return np.loadtxt(data / "casino_rolls.csv", delimiter=",", skiprows=1, dtype=int)[:, 0] - 1


def casino(start):
    return with_parameters(
        CategoricalHMM(2, init_params=""),
        startprob_=start,
        transmat_=[[0.95, 0.05], [0.10, 0.90]],
        emissionprob_=[FAIR, LOADED],
    )


@pytest.mark.parametrize(
    ("start", "log_likelihood", "score"),
    [
        ([0.5, 0.5], -516.9277122794, -539.4940026458),
        ([1.0, 0.0], -516.4448408819, -538.8008554652),
        ([2 / 3, 1 / 3], -516.7396512630, -539.2063205733),
    ],
)
def test_casino(rolls, start, log_likelihood, score):
    assert np.bincount(rolls).tolist() == [40, 43, 49, 37, 42, 89]
    model = casino(start)
    assert_allclose(model.score(rolls), log_likelihood, rtol=0, atol=5e-11)
    best, path = model.decode(rolls)
    assert_allclose(best, score, rtol=0, atol=5e-11)
    runs = np.diff(np.flatnonzero(np.diff(path, prepend=-1, append=-1)))
    assert runs.tolist() == [48, 18, 12, 34, 67, 13, 78, 19, 11]
    assert path[0] == 0
    assert path.sum() == 84


def test_casino_by_em(rolls):
    model = with_parameters(
        CategoricalHMM(2, init_params="", n_iter=1000, tol=1e-12),
        startprob_=[0.5, 0.5],
        transmat_=[[0.9, 0.1], [0.2, 0.8]],
        emissionprob_=[FAIR, [0.15] * 5 + [0.25]],
    ).fit(rolls)
    trace = [model.history_[before].log_likelihood for before in (0, 1, 9)]  # before iterations 1, 2, 10
    assert_allclose(trace, [-529.7176654674, -519.6115983854, -514.5362006612], rtol=0, atol=5e-11)
    assert_allclose(model.log_likelihood_, -514.25826192, rtol=0, atol=5e-9)
    assert_allclose(model.transmat_.ravel(), [0.947399, 0.052601, 0.116049, 0.883951], atol=5e-7)


# -- ice cream with STOP probabilities (Eisner 2002) ---------------------------------------------------


@pytest.fixture
def cones(data):
    return np.loadtxt(data / "ice_cream.csv", delimiter=",", skiprows=1, dtype=int)[:, 1] - 1


def ice_cream(n_iter, transmat, emissionprob):
    """Return the model of cold and hot days; a sequence stops with probability 0.1 after either."""
    return with_parameters(
        CategoricalHMM(2, init_params="", ends=True, n_iter=n_iter, tol=-1.0),
        startprob_=[0.5, 0.5],
        transmat_=transmat,
        endprob_=[0.1, 0.1],
        emissionprob_=emissionprob,
    )


SPREADSHEET = ([[0.8, 0.1], [0.1, 0.8]], [[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]])
SCALA_TEST = ([[0.7, 0.2], [0.1, 0.8]], [[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])


def test_ice_cream_of_the_spreadsheet(cones):
    model = ice_cream(0, *SPREADSHEET)
    assert_allclose(np.exp(model.score(cones)), 9.127565e-19, rtol=6e-8)
    assert_allclose(np.exp(-model.score(cones) / 34), 3.3930, atol=5e-5)
    assert_allclose(model.predict_proba(cones)[:3, 1], [0.8709, 0.9769, 0.9893], atol=5e-5)


def test_ice_cream_after_ten_steps_of_em(cones):
    model = ice_cream(10, *SPREADSHEET).fit(cones)
    emission = [[0.640704, 0.148087, 0.211209], [0.000158, 0.534132, 0.465711]]
    assert_allclose(model.emissionprob_, emission, atol=6e-7)
    assert_allclose(np.diag(model.transmat_), [0.933723, 0.865008], atol=6e-7)
    assert_allclose(model.endprob_[1], 0.063150, atol=6e-7)
    assert_allclose(model.log_likelihood_, -35.33427, rtol=0, atol=5e-6)
    assert_allclose(np.exp(-model.log_likelihood_ / 34), 2.827, atol=5e-4)


def test_ice_cream_of_a_published_unit_test(cones):
    model = ice_cream(2, *SCALA_TEST).fit(cones)
    assert_allclose(model.startprob_, [0.019187795922706, 0.980812204077294], atol=1e-12)
    assert_allclose(model.transmat_[0], [0.885892498643987, 0.112889237549318], atol=1e-12)
    assert_allclose(model.transmat_[1], [0.085481356704799, 0.862166783465053], atol=1e-12)
    assert_allclose(model.endprob_, [0.001218263806694, 0.052351859830148], atol=1e-12)
    assert_allclose(model.emissionprob_[0], [0.714543877350896, 0.168586118793123, 0.116870003855980], atol=1e-12)
    assert_allclose(model.emissionprob_[1], [0.044341970791651, 0.458226316363542, 0.497431712844807], atol=1e-12)
    # What that test calls 11 iterations are 10 M-steps.
    model = ice_cream(10, *SCALA_TEST).fit(cones)
    assert_allclose(model.emissionprob_[0], [0.640784802222534, 0.148092649969018, 0.211122547808448], atol=1e-12)
    assert_allclose(np.diag(model.transmat_), [0.933701716226397, 0.865030707929535], atol=1e-12)


# -- earthquakes (Zucchini & MacDonald 2009) -----------------------------------------------------------

FIRST_YEAR = 1900
PUBLISHED_RATES = np.array([13.14573, 19.72101, 29.71437])
PUBLISHED_START = np.array([0.4436420, 0.4044983, 0.1518597])


@pytest.fixture(scope="module")
def quakes(data):
    return np.loadtxt(data / "earthquakes.csv", delimiter=",", skiprows=1)[:, 1]


def quake_fit(quakes, n_states, *, stationary, n_init=4, tol=1e-11):
    model = PoissonHMM(n_states, stationary=stationary, n_iter=2000, tol=tol, random_state=0, n_init=n_init)
    return model.fit(quakes)


def by_rate(model):
    """Return rates, transitions and start with the states in the order of their rates."""
    order = np.argsort(model.lambdas_.ravel())
    return model.lambdas_.ravel()[order], model.transmat_[np.ix_(order, order)], model.startprob_[order]


@pytest.fixture(scope="module")
def three_states(quakes):
    return quake_fit(quakes, 3, stationary=True, n_init=2)


def test_quakes_of_one_state(quakes):
    assert_allclose([quakes.mean(), quakes.var(ddof=1)], [19.3645, 51.5734], atol=5e-5)
    for stationary in (True, False):
        model = quake_fit(quakes, 1, stationary=stationary, n_init=1)
        assert_allclose(-model.log_likelihood_, 391.9189, atol=5e-5)
        assert_allclose(model.lambdas_, [[19.3645]], atol=5e-5)


def test_quakes_of_two_stationary_states(quakes):
    model = quake_fit(quakes, 2, stationary=True, n_init=2)
    rates, trans, start = by_rate(model)
    assert_allclose(-model.log_likelihood_, 342.3183, atol=5e-5)
    assert_allclose([model.aic(quakes), model.bic(quakes)], [692.6365, 703.3278], atol=5e-5)
    assert_allclose(rates, [15.4723, 26.1254], atol=5e-5)
    assert_allclose(trans.ravel(), [0.934041, 0.065959, 0.128509, 0.871491], atol=1e-6)
    assert_allclose(start @ trans, start, atol=1e-12)


def test_quakes_of_three_stationary_states(quakes, three_states):
    rates, trans, start = by_rate(three_states)
    assert_allclose(-three_states.log_likelihood_, 329.4603, atol=5e-5)
    assert_allclose([three_states.aic(quakes), three_states.bic(quakes)], [676.9206, 700.9760], atol=5e-5)
    # The published estimates are those of a general minimiser, right to four decimals or so: ours lie higher.
    assert_allclose(rates, PUBLISHED_RATES, atol=1e-4)
    assert_allclose(start, PUBLISHED_START, atol=5e-6)
    assert_allclose(trans, [[0.9546, 0.0244, 0.0209], [0.0498, 0.8994, 0.0509], [0, 0.1966, 0.8034]], atol=5.1e-5)
    assert_allclose(start @ trans, start, atol=1e-12)


def test_quakes_of_three_states_decoded(quakes, three_states):
    order = np.argsort(three_states.lambdas_.ravel())
    rank = np.argsort(order)
    score, path = three_states.decode(quakes)
    # Published at the published estimates, which are rounded; at the maximum itself it is 4e-5 higher.
    assert_allclose(score, -336.39769, atol=5e-5)
    rounded = PoissonHMM(3, init_params="")
    rounded.startprob_, rounded.lambdas_ = PUBLISHED_START[rank], PUBLISHED_RATES[rank, None]
    rounded.transmat_ = three_states.transmat_
    assert_allclose(rounded.decode(quakes)[0], -336.39769, atol=5e-6)
    path = rank[path] + 1
    assert "".join(map(str, path)).startswith("111113333332")
    local = rank[three_states.predict_proba(quakes).argmax(1)] + 1
    assert (np.flatnonzero(local != path) + FIRST_YEAR).tolist() == [1911, 1941, 1980]
    ahead = three_states.filter_proba(quakes)[-1] @ three_states.transmat_ @ three_states.lambdas_.ravel()
    assert_allclose(ahead, 13.6790, atol=5e-5)


@pytest.mark.slow
def test_quakes_of_four_stationary_states(quakes):
    # One fit of many steps: random starts end in one of half a dozen local optima, each after a minute.
    model = PoissonHMM(4, stationary=True, n_iter=2000, tol=1e-10, init_params="")
    model.startprob_, model.transmat_ = np.full(4, 0.25), np.full((4, 4), 0.05) + 0.8 * np.eye(4)
    model.lambdas_ = np.array([[10.0], [15.0], [20.0], [30.0]])
    model.fit(quakes)
    assert_allclose(-model.log_likelihood_, 327.8316, atol=5e-5)
    assert_allclose([model.aic(quakes), model.bic(quakes)], [687.6632, 730.4284], atol=5e-5)
    assert_allclose(by_rate(model)[0], [11.2829, 13.8532, 19.6954, 29.6999], atol=5e-5)


def test_quakes_of_two_states_with_a_free_start(quakes):
    model = quake_fit(quakes, 2, stationary=False)
    assert_allclose(-model.log_likelihood_, 341.8787, atol=5e-5)
    assert_allclose([model.aic(quakes), model.bic(quakes)], [693.7574, 707.1216], atol=5e-5)
    rates, _, start = by_rate(model)
    assert_allclose(rates, [15.4208, 26.0182], atol=5e-5)
    assert_allclose(start, [1, 0], atol=1e-9)


def test_quakes_of_three_states_with_a_free_start(quakes):
    model = quake_fit(quakes, 3, stationary=False)
    assert_allclose(-model.log_likelihood_, 328.5275, atol=5e-5)
    assert_allclose([model.aic(quakes), model.bic(quakes)], [679.0550, 708.4561], atol=5e-5)
    rates, _, start = by_rate(model)
    assert_allclose(rates, [13.13374, 19.71312, 29.70964], atol=1e-4)
    assert_allclose(start, [1, 0, 0], atol=1e-9)


@pytest.mark.slow
def test_quakes_of_four_states_with_a_free_start(quakes):
    """The published optimum, 326.6749 with AIC 691.3499 and BIC 742.1336, is a local one."""
    model = quake_fit(quakes, 4, stationary=False, n_init=100, tol=1e-4)
    assert -model.log_likelihood_ <= 326.675
    assert model.aic(quakes) <= 691.3499
    assert model.bic(quakes) <= 742.1336
    assert model.n_parameters_ == 4 + 12 + 3


MIXTURES = [(2, 360.3690), (3, 356.8489), pytest.param(4, 356.7337, marks=pytest.mark.slow)]


@pytest.mark.parametrize(("n_parts", "negative"), MIXTURES)
def test_quakes_as_an_independent_mixture(quakes, n_parts, negative):
    """Once as the emission of one state, once as a chain whose rows are tied to be equal."""
    emission = HMM(MixtureOf(Poisson(), n_parts), 1, n_iter=10_000, tol=1e-10, random_state=0, n_init=3).fit(quakes)
    assert_allclose(-emission.log_likelihood_, negative, atol=5e-5)
    # A first row without data, so that the row of the transitions stands also before the first count.
    tied = np.tile(np.arange(1, n_parts + 1), (n_parts, 1))
    chain = PoissonHMM(n_parts, tied_transitions=tied, n_iter=10_000, tol=1e-10, random_state=0, n_init=2)
    chain.fit(np.append(np.nan, quakes))
    assert_allclose(-chain.log_likelihood_, negative, atol=5e-5)
    rates, trans, _ = by_rate(chain)
    assert_allclose(trans, np.tile(trans[0], (n_parts, 1)), atol=1e-12)
    if n_parts == 3:
        # Published by a general minimiser that stopped 2e-8 short of the maximum: rates differ in the fourth decimal.
        published = np.array([12.7357, 19.7851, 31.6294]), np.array([0.27753, 0.59280, 0.12966])
        assert_allclose(rates, published[0], atol=6e-4)
        assert_allclose(trans[0], published[1], atol=6e-5)
        there = np.log(poisson.pmf(quakes[:, None], published[0]) @ (published[1] / published[1].sum())).sum()
        assert emission.log_likelihood_ - 1e-7 < there < emission.log_likelihood_
    # Tied rows leave n_parts - 1 free transitions; the start is free here too.
    assert chain.n_parameters_ == n_parts + 2 * (n_parts - 1)


# -- exponential model of pomegranate 1.1.2 (tests/hmm/test_dense_hmm.py): ends, weights, masks ---------

# fmt: off
ROWS = np.array([
    [[1, 2, 0], [0, 0, 1], [1, 1, 2], [2, 2, 2], [3, 1, 0]],
    [[5, 1, 4], [2, 1, 0], [1, 0, 2], [1, 1, 0], [0, 2, 1]],
], dtype=float)
SEEN = np.array([
    [[1, 1, 1], [1, 0, 0], [0, 0, 0], [1, 1, 1], [1, 1, 1]],
    [[1, 1, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1], [0, 0, 0]],
], dtype=bool)
# fmt: on
MASKED = np.where(SEEN, ROWS, np.nan)
WEIGHTS = [1.0, 2.3]


def exponential(**options):
    """Return the model with its published parameters, given there as means."""
    model = HMM(Exponential(), 2, ends=True, init_params="", **options)
    model = with_parameters(
        model, startprob_=[0.2, 0.8], transmat_=[[0.1, 0.8], [0.3, 0.6]], endprob_=[0.1, 0.1]
    )  # fmt: skip
    model.emission_ = ExponentialParams(1 / np.array([[2.1, 0.3, 0.1], [1.5, 3.1, 2.2]]))
    return model


def e_step(x, weights=None):
    """Return the statistics of the model's own E-step over all sequences."""
    model = exponential()
    shard = model._batch(list(x), sample_weight=weights)
    return model._model().e_step(model.params_, shard).stats


def test_exponential_log_likelihoods_and_posteriors():
    model = exponential()
    assert_allclose(model.score_sequences(list(ROWS)), [-22.8266, -22.8068], atol=5.1e-5)
    assert_allclose(model.score_sequences(list(MASKED)), [-15.4630, -16.3894], atol=5.1e-5)
    rows = [[-4.3782, -3.6372], [-7.2354, -2.7799], [-21.0449, -4.2237], [-24.8544, -5.2129], [-1.9973, -4.6479]]
    assert_allclose(model.score_rows(ROWS[0]), rows, atol=5.1e-5)
    rows = [[-42.9497, -7.7994], [0.1732, -2.2424], [-18.9155, -2.7697], [-1.0449, -3.3146], [0.0, 0.0]]
    assert_allclose(model.score_rows(MASKED[1]), rows, atol=5.1e-5)
    first = [1.3641e-01, 6.8989e-03, 3.2831e-08, 6.7415e-10, 8.7626e-01]
    second = [6.0619e-17, 8.8642e-01, 7.8752e-08, 8.6578e-01, 4.9402e-06]
    assert_allclose(model.predict_proba(list(ROWS))[:, 0], first + second, rtol=5e-5)
    assert model.predict_proba(list(ROWS)).argmax(1).tolist() == [1, 1, 1, 1, 0, 1, 0, 1, 0, 1]
    first = [1.1432e-01, 2.3021e-01, 3.4080e-01, 5.0183e-10, 8.7626e-01]
    second = [6.1237e-17, 8.8186e-01, 8.3094e-09, 8.2871e-01, 1.4918e-01]
    assert_allclose(model.predict_proba(list(MASKED))[:, 0], first + second, rtol=5e-5)


SUMMARIES = {
    "plain": (
        ROWS, None, [[2.666838e-04, 1.895245], [2.635103, 3.469387]], [0.136405, 1.863595], [0.876264, 1.123736],
        [[2.771771] * 3, [7.228226] * 3], [[5.403805, 2.901283, 0.006904], [10.596193, 8.098717, 11.993094]],
    ),
    "first sequence": (
        ROWS[:1], None, [[2.635337e-04, 0.1430405], [0.8828942, 2.973798]], [0.136405, 0.863595], [0.876259, 0.123741],
        [[1.019563] * 3, [3.980437] * 3], [[2.765183, 1.149069, 0.006899], [4.234818, 4.850933, 4.9931]],
    ),
    "weights": (
        ROWS, WEIGHTS, [[2.707788e-04, 4.173112], [4.912973, 4.113652]], [0.136405, 3.163595], [0.876271, 2.423729],
        [[5.049643] * 3, [11.450353] * 3], [[8.834015, 5.179160, 6.910696e-03], [18.865982, 12.320835, 21.093086]],
    ),
    "weights and masks": (
        MASKED, WEIGHTS, [[0.2535, 4.3662], [5.4712, 3.1091]], [0.1143, 3.1857], [1.2194, 2.0806],
        [[3.1268, 4.9249, 4.9249], [7.7732, 4.9751, 7.2751]],
        [[4.6491, 5.0392, 3.9227e-08], [17.4509, 6.8608, 15.8000]],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SUMMARIES)
def test_exponential_statistics(case):
    x, weights, trans, start, end, mass, total = SUMMARIES[case]
    stats, close = e_step(x, weights), {"atol": 1.5e-4, "rtol": 0}  # published to four decimals, sums of float32
    assert_allclose(stats.trans, trans, **close)
    assert_allclose(stats.start, start, **close)
    assert_allclose(stats.end, end, **close)
    assert_allclose(np.broadcast_to(stats.emission.mass, (2, 3)), mass, **close)
    assert_allclose(np.reshape(stats.emission.total, (2, 3)), total, **close)


STEPS = {
    "plain": (
        ROWS, None, 1, [-2.685274, -0.07064], [-1.151575, -1.861335], [[-9.248936, -0.38014], [-1.009071, -0.734016]],
        [[1.949585, 1.046725, 0.002491], [1.465946, 1.120429, 1.659203]],
    ),
    "weights": (
        ROWS, WEIGHTS, 1, [-3.186049, -0.042213], [-1.7514, -1.552714], [[-9.833528, -0.190657], [-0.846141, -1.023709]],
        [[1.749434, 1.025649, 1.368553e-03], [1.647633, 1.076022, 1.842134]],
    ),
    "weights and masks": (
        MASKED, WEIGHTS, 1, [-3.3627, -0.0353], [-1.5662, -1.6339], [[-3.1371, -0.2907], [-0.6671, -1.2323]],
        [[1.4869, 1.0232, 7.9650e-09], [2.2450, 1.3790, 2.1718]],
    ),
    "one more, one step": (
        ROWS + 1, None, 1, [-14.89857, -3.385568e-07], [-1.110725, -1.609444],
        [[-23.442368, -0.399464], [-11.607552, -0.223154]],
        [[3.021216, 2.007029, 1.000361], [2.599996, 2.100001, 2.200011]],
    ),
    "one more, two steps": (
        ROWS + 1, None, 2, [-15.45504, -1.940718e-07], [-0.758036, -1.609449],
        [[-23.906055, -0.632214], [-11.732582, -0.223151]],
        [[2.603264, 2.076076, 1.532971], [2.6, 2.1, 2.200005]],
    ),
    "one more, weights, two steps": (
        ROWS + 1, WEIGHTS, 2, [-16.093, -1.0250e-07], [-1.469704, -1.609439],
        [[-24.481024, -0.261356], [-11.632328, -0.223154]],
        [[2.324057, 2.012569, 1.522347], [2.678791, 2.060607, 2.278795]],
    ),
    "one more, masks, three steps": (
        MASKED + 1, None, 3, [-16.6664, 0.0], [-0.9247, -1.7014], [[-3.5068, -0.5563], [-2.4457, -0.3135]],
        [[2.5729, 2.1118, 1.4393], [2.8777, 2.3498, 2.1939]],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", STEPS)
def test_exponential_m_steps(case):
    x, weights, n_iter, start, end, trans, means = STEPS[case]
    model = exponential(n_iter=n_iter, tol=-1.0).fit(list(x), sample_weight=weights)
    close = {"atol": 1.5e-4, "rtol": 3e-5}  # sums of float32 logarithms
    assert_allclose(np.log(model.startprob_), start, **close)
    assert_allclose(np.log(model.endprob_), end, **close)
    assert_allclose(np.log(model.transmat_), trans, **close)
    assert_allclose(1 / model.emission_.rate, means, **close)
