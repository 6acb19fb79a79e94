"""
Earthquake counts: how many states?
===================================

The number of strong earthquakes (magnitude 7 or more) in the world, year by year from 1900 to 2006: 107 counts, from
Zucchini and MacDonald, *Hidden Markov Models for Time Series* (2009). One Poisson rate does not explain them, as the
variance is far above the mean. Several rates, between which the earth changes now and then, do. How many?
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.stats import poisson

import seqem
from seqem.plot.emissions import emission_densities
from seqem.plot.states import state_posteriors

HERE = Path(__file__).parent if "__file__" in globals() else Path.cwd()
quakes = seqem.read(HERE.parent / "data" / "earthquakes.csv", columns=["count"])
counts = quakes.values[:, 0]
years = np.arange(1900, 2007)
print(f"mean {counts.mean():.2f}, variance {counts.var(ddof=1):.2f}")

# %%
# Fit one to four states and compare
# ----------------------------------
# ``select`` fits each number of states from a few random starts and compares BIC: twice the loss in log-likelihood, plus a
# price of log(107) for each parameter. ``stationary=True`` starts the chain in its own equilibrium, as the book does.

recipe = seqem.PoissonHMM(stationary=True, method="squarem", n_iter=200, tol=1e-4, n_init=2, random_state=0)
found = seqem.select(recipe, quakes, n_components=range(1, 5))
table = found.to_frame()
print(table[["n_components", "log_likelihood", "n_parameters", "aic", "bic"]].round(4).to_string(index=False))
model = found.best

# %%
# Three states are best, calm, usual and restless. States come in any order; sort them by their rate.

order = np.argsort(model.lambdas_[:, 0])
rates, trans = model.lambdas_[order, 0], model.transmat_[np.ix_(order, order)]
NAMES = [f"{rate:.1f} a year" for rate in rates]

# %%
# How sure are we of the rates?
# -----------------------------
# ``standard_errors`` gives the standard error of every parameter, in the shape of the parameters: the curvature of the
# likelihood at its top, read off the same statistics that EM uses.

errors = model.standard_errors(quakes)
rate_errors = errors.emission.rate[order, 0]
print(pd.DataFrame({"rate": rates, "standard error": rate_errors}).round(3).to_string(index=False))

# %%
# Which years were restless?

posterior, path = model.predict_proba(quakes)[:, order], np.argsort(order)[model.predict(quakes)]
fig, (top, bottom) = plt.subplots(2, 1, figsize=(9, 5), sharex=True, layout="constrained")
top.bar(years, counts, width=0.8, color="#BBBBBB")
top.step(years, rates[path], where="mid", color="#333333")
top.set(ylabel="earthquakes")
top.spines[["top", "right"]].set_visible(False)
state_posteriors(posterior, path, bottom, x=years, names=NAMES)
bottom.set_xlabel("year")

# %%
# The three rates over the counts themselves, each times its share of the years:

grid = np.arange(0, 50)
fig, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
share = model.get_stationary_distribution()[order]
emission_densities(grid, poisson.pmf(grid, rates[:, None]), counts, weights=share, names=NAMES, ax=ax)
ax.set_xlabel("earthquakes in a year")

# %%
# The next year
# -------------
# ``filter_proba`` gives the probability of each state given the years up to it. One step through the transitions leads to
# 2007, and mixes the three rates to a forecast.

ahead = model.filter_proba(quakes)[-1, order] @ trans
forecast = ahead @ rates
print(f"2007: {forecast:.4f} earthquakes expected")

# %%
# What this page told, checked against the published values:

assert model.n_components == 3
assert np.allclose(-table.log_likelihood[:3], [391.9189, 342.3183, 329.4603], atol=1e-3)
assert np.allclose(table.bic[1:3], [703.3278, 700.9760], atol=2e-3)
assert -329 < table.log_likelihood[3] < -327.83  # four states have several tops; the published one is -327.8316
assert table.bic[3] > 730
assert np.allclose(rates, [13.14573, 19.72101, 29.71437], atol=5e-3)
assert np.allclose(share, [0.4436420, 0.4044983, 0.1518597], atol=1e-3)
assert abs(forecast - 13.6790) < 1e-3
assert np.all(rate_errors > 0)
assert np.all(rate_errors < 3)
