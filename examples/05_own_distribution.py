"""
A distribution of your own
==========================

Counts with too many zeros: a trap that is broken catches nothing, a trap that works catches a Poisson number. That is
the zero-inflated Poisson distribution, and seqem does not have it. Here it is in about forty lines, and then it works
in hidden Markov models and in mixtures, with sample weights, missing values, accelerated EM and standard errors, none of
which it knows about.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import gammaln, xlogy

import seqem
from seqem.core.checks import counts
from seqem.distributions.fieldwise import Fieldwise
from seqem.distributions.transforms import LOG, LOGIT
from seqem.plot.states import state_posteriors
from seqem.testing.conformance import check_distribution

# %%
# The distribution
# ----------------
# One object stands for K distributions at once. Its parameters and its statistics are named tuples of arrays whose first
# axis is K. With ``broken`` the probability of a broken trap and ``rate`` that of the catch,
#
# .. math:: p(0) = b + (1 - b) e^{-\lambda}, \qquad p(x) = (1 - b) e^{-\lambda} \lambda^x / x! \quad (x > 0).
#
# EM needs the expected number of broken traps among the zeros. It is a sum over rows, so it is a statistic like any other.
# The base class adds packing, fixed parameters, missing rows and empty components.


class Params(NamedTuple):
    broken: np.ndarray  # (K,)
    rate: np.ndarray  # (K,)


class Stats(NamedTuple):
    mass: np.ndarray  # expected rows (K,)
    broken: np.ndarray  # expected broken traps (K,)
    total: np.ndarray  # expected sum of counts (K,)
    constant: np.ndarray  # expected sum of log x! (K,)


@dataclass(frozen=True, eq=False)
class ZeroInflatedPoisson(Fieldwise):
    fields: ClassVar = Params._fields

    def check(self, x):
        return counts(x)

    def transforms(self):
        return (LOGIT, LOG)

    def initial(self, x, n_components, rng):
        seen = x[x[:, 0] > 0, 0]
        return Params(np.full(n_components, 0.2), rng.choice(seen, n_components) + rng.random(n_components))

    def log_likelihood(self, params, x):
        seen, x = ~np.isnan(x), np.nan_to_num(x)
        out = np.log1p(-params.broken) - params.rate + xlogy(x, params.rate) - gammaln(x + 1)
        out = np.where(x == 0, np.logaddexp(np.log(params.broken), out), out)
        return np.where(seen, out, 0.0)

    def accumulate(self, params, x, resp):
        seen = ~np.isnan(x[:, 0])
        x, resp = x[seen], resp[seen]
        at_zero = params.broken / (params.broken + (1 - params.broken) * np.exp(-params.rate))
        return Stats(resp.sum(0), (resp * (x == 0)).sum(0) * at_zero, (resp * x).sum(0), (resp * gammaln(x + 1)).sum(0))

    def maximise(self, stats, params):
        mass = np.where(stats.mass > 0, stats.mass, 1.0)
        works = np.where(stats.mass > stats.broken, stats.mass - stats.broken, 1.0)
        return self.settle(params, Params(stats.broken / mass, stats.total / works), stats.mass)

    def expected_log_likelihood(self, stats, params, reference):
        works = stats.mass - stats.broken
        catch = xlogy(stats.total, params.rate) - works * params.rate - stats.constant
        return float((xlogy(stats.broken, params.broken) + works * np.log1p(-params.broken) + catch).sum())

    def log_prior(self, params):
        return 0.0

    def sample(self, params, states, rng):
        catch = rng.poisson(params.rate[states])
        return np.where(rng.random(len(states)) < params.broken[states], 0, catch)[:, None].astype(float)


# %%
# Is it right?
# ------------
# ``check_distribution`` is the battery that all distributions of seqem must pass: Fisher's identity by finite
# differences, a maximiser that ends where the gradient vanishes, EM that never falls, samples that fit the density,
# missing rows, empty components. It is silent where all is well.

rng = np.random.default_rng(5)
catches = rng.poisson(np.repeat([2.0, 9.0], 100)) * (rng.random(200) > 0.3)
check_distribution(ZeroInflatedPoisson(), catches[:, None], rng=rng)

# %%
# In a hidden Markov model
# ------------------------
# Three hundred days, calm and windy by turns; traps break on windy days, and some days nobody looked.

truth = Params(np.array([0.1, 0.5]), np.array([12.0, 4.0]))
wind = (np.arange(300) // 30) % 2
days = ZeroInflatedPoisson().sample(truth, wind, rng)
days[rng.random(300) < 0.1] = np.nan

model = seqem.HMM(ZeroInflatedPoisson(), n_components=2, n_init=5, random_state=0).fit(days)
plain = seqem.PoissonHMM(2, n_iter=100, tol=1e-4, n_init=5, random_state=0).fit(days)
order = np.argsort(-model.emission_.rate)
errors = model.standard_errors(days).emission
for k in order:
    rate, broken = model.emission_.rate[k], model.emission_.broken[k]
    print(f"catch {rate:5.2f} +- {errors.rate[k]:.2f}, broken {broken:.2f} +- {errors.broken[k]:.2f}")
print(f"BIC {model.bic(days):.1f}, of plain Poisson counts {plain.bic(days):.1f}")

fig, (top, bottom) = plt.subplots(2, 1, figsize=(9, 4.5), sharex=True, layout="constrained")
top.bar(np.arange(300), days[:, 0], width=1.0, color="#999999")
top.set(ylabel="catch")
top.spines[["top", "right"]].set_visible(False)
path = np.argsort(order)[model.predict(days)]
state_posteriors(model.predict_proba(days)[:, order], path, bottom, names=["calm", "windy"])
bottom.set_xlabel("day")

# %%
# As the part of a mixture
# ------------------------
# ``MixtureOf`` takes any distribution and is one itself: here each state has two kinds of traps.

mixed = seqem.HMM(seqem.MixtureOf(ZeroInflatedPoisson(), 2), n_components=2, random_state=0).fit(days)
print("weights", mixed.emission_.weights.round(2).tolist())

# %%
# What this page told, checked:

assert np.allclose(model.emission_.rate[order], truth.rate, atol=4 * errors.rate[order])
assert np.allclose(model.emission_.broken[order], truth.broken, atol=4 * errors.broken[order])
assert (path == wind).mean() > 0.9
assert model.bic(days) < plain.bic(days)
assert np.all(np.diff(mixed.history_.objective) >= -1e-9)
assert mixed.log_likelihood_ > model.log_likelihood_ - 1.0
