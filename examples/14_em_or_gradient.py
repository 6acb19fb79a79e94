"""
EM or gradient?
===============

EM climbs the likelihood without a step size, keeps constraints, and does not care how parameters are written; it converges
at a rate that the missing information sets, to whatever optimum is near. Gradients need coordinates and line searches, and
overtake EM where information is missing. This page measures all of that.
"""

import matplotlib.pyplot as plt
import numpy as np

import seqem
from seqem.em.bound import free_energy
from seqem.em.callbacks import Trace
from seqem.em.own import FunctionModel
from seqem.em.protocol import EStep
from seqem.em.rate import rate_matrix
from seqem.plot.path import parameter_path, touching_bounds

# %%
# A race
# ------
# Deaths of women over 80 a day, from the notices of The Times in 1910 to 1912: how many days had 0, 1, ... 9 deaths
# (Hasselblad 1969). Two Poisson rates, of summer and winter say, explain them; which day was which is missing. A model is two
# functions. For the gradient methods there is a third, the expected log-likelihood Q, whose slope at the point it was
# taken is the score (Fisher's identity).

deaths = np.arange(10.0)
days = np.array([162, 267, 271, 185, 111, 61, 27, 8, 3, 1])
log_factorial = np.cumsum(np.log(np.maximum(deaths, 1)))


def e_step(params, _):
    p, rates = params
    joint = np.array([p, 1 - p]) * rates ** deaths[:, None] * np.exp(-rates)
    resp = days[:, None] * joint / joint.sum(axis=1, keepdims=True)
    return (resp.sum(axis=0), deaths @ resp), float(days @ (np.log(joint.sum(axis=1)) - log_factorial))


def m_step(stats, _):
    n, x = stats
    return n[0] / n.sum(), x / n


def q(stats, params, _):
    n, x = stats
    p, rates = params
    return float(n @ np.log([p, 1 - p]) + x @ np.log(rates) - n @ rates)


def pack(params):
    return np.array([np.log(params[0] / (1 - params[0])), *np.log(params[1])])


def unpack(v):
    return 1 / (1 + np.exp(-v[0])), np.exp(v[1:])


start = (0.5, np.array([1.0, 3.0]))
london = {"e_step": e_step, "m_step": m_step, "start": start, "data": np.zeros(1), "expected_log_likelihood": q}
free = {"pack": pack, "unpack": unpack}
best = -1989.94585988
fits = {
    method: seqem.fit_em(**london, **free, method=method, tol=1e-16, max_iter=4000)
    for method in ("em", "alpha", "squarem", "daarem", "lbfgs", "newton-cg", "gradient")
}
fig, ax = plt.subplots(figsize=(8, 4), layout="constrained")
needed = {}
for method, result in fits.items():
    gap = best - result.history.objective
    near = np.flatnonzero(gap < 1e-6)
    needed[method] = int(result.history.iteration[near[0]]) if len(near) else None
    ax.plot(result.history.iteration, np.maximum(gap, 1e-9), label=method)
ax.set(xscale="symlog", yscale="log", xlabel="evaluations of the E-step", ylabel="nats below the maximum")
ax.legend()
print("evaluations to within a millionth of a nat:", needed)

# %%
# EM needs 1,344 evaluations, L-BFGS with the exact score a seventieth of that. It is no accident: 99.6 % of the information is
# missing here, and that share is EM's rate.

model = FunctionModel(e_step, m_step, expected=q, to_free=pack, from_free=unpack)
rates = np.sort(np.linalg.eigvals(rate_matrix(model, fits["daarem"].params, [np.zeros(1)])).real)
gains = np.diff(fits["em"].history.objective[400:402]), np.diff(fits["em"].history.objective[401:403])
print(
    f"largest share of missing information {rates[-1]:.6f}; a step gains {gains[1][0] / gains[0][0]:.4f} of the one before"
)
print(f"rate squared: {rates[-1] ** 2:.4f}")

# %%
# What EM climbs
# --------------
# An E-step gives a curve below the log-likelihood that touches it where the step was taken: the free energy. The M-step goes to the
# top of that curve, and so never down on the likelihood. The flatter the curve's neighbourhood on the likelihood and the
# sharper the curve, the shorter the step: that is what missing information does. Right, the way of both rates over the
# likelihood, their shares held at the best.

grid = np.linspace(1.5, 3.6, 150)
p_best, rates_best = fits["daarem"].params
curve = [e_step((p_best, np.array([rates_best[0], r])), None)[1] for r in grid]
bounds = {}
for at in (1.7, 2.2, rates_best[1]):
    there = (p_best, np.array([rates_best[0], at]))
    step = EStep(*e_step(there, None))
    bounds[at] = np.array([free_energy(model, step, there, (p_best, np.array([rates_best[0], r]))) for r in grid])
fig, (left, right) = plt.subplots(1, 2, figsize=(13, 4.5), layout="constrained")
touching_bounds(grid, curve, bounds, name="rate of winter days", ax=left)

x_axis, y_axis = np.linspace(0.8, 2.2, 60), np.linspace(2.1, 3.3, 60)
surface = [[e_step((p_best, np.array([a, b])), None)[1] for a in x_axis] for b in y_axis]
ways = {}
for method in ("em", "squarem", "lbfgs"):
    trace = Trace()
    seqem.fit_em(**london, **free, method=method, tol=1e-16, max_iter=400, callbacks=[trace])
    ways[method] = np.array([rates for _, rates in trace.params])
parameter_path(x_axis, y_axis, surface, ways, names=("rate of summer days", "rate of winter days"), ax=right)

# %%
# No step size, no way out of the parameter space
# ------------------------------------------------
# Plain gradient ascent on the probability and the rates themselves has to be given a step. Large ones leave the space of
# parameters at once, small ones crawl; EM has no such knob, and each of its iterates is a probability and two rates.


def ascent(step, n):
    p, rates = start
    for i in range(n):
        (n_k, x_k), _ = e_step((p, rates), None)
        p, rates = p + step * (n_k[0] / p - n_k[1] / (1 - p)), rates + step * (x_k / rates - n_k)
        if not (0 < p < 1 and (rates > 0).all()):
            return f"left the parameter space at step {i + 1}"
    return f"{best - e_step((p, rates), None)[1]:.2e} nats below the maximum after {n} steps"


told = {step: ascent(step, 1000) for step in (1e-2, 3e-3, 1e-3, 1e-4)}
for step, text in told.items():
    print(f"step {step:g}: {text}")

# %%
# EM does not care how parameters are written
# -------------------------------------------
# Waiting times on two scales: the path of EM is the same, mapped; that of the gradient is another path.

rng = np.random.default_rng(0)
x = np.concatenate([rng.normal(55, 6, 80), rng.normal(80, 6, 140)])[:, None]
paths = {}
for method in ("em", "gradient"):
    both = []
    for centre, scale in ((0.0, 1.0), (70.0, 13.0)):
        z = (x - centre) / scale
        init = {"means_init": [[(60 - centre) / scale], [(75 - centre) / scale]], "weights_init": [0.5, 0.5]}
        init["precisions_init"] = [[[scale**2 / 100]], [[scale**2 / 100]]]
        fit = seqem.GaussianMixture(2, method=method, max_iter=12, tol=0.0, reg_covar=1e-9, **init).fit(z)
        both.append(fit.means_.ravel() * scale + centre)
    paths[method] = np.abs(both[0] - both[1]).max()
print("largest difference of the means after some steps, on two scales:", {k: f"{v:.1e}" for k, v in paths.items()})

# %%
# Optima are many, and some are traps
# -----------------------------------
# Neither way finds the global maximum by itself. From 40 random starts EM ends at several optima; without a floor under the
# variances a component on a single point would have no end at all. A prior, a floor or several starts are the answer; seqem
# warns where every start collapses.

groups = np.concatenate([rng.normal(m, 0.7, 25) for m in (0, 3, 9, 12, 20)])[:, None]
ends = seqem.GaussianMixture(5, n_init=40, init_params="random_from_data", random_state=0, tol=1e-10).fit(groups)
found = np.unique(np.round(ends.starts_.objective, 2))
print(f"{len(found)} different optima from 40 starts, from {found[0]:.1f} to {found[-1]:.1f}")
lonely = seqem.GaussianMixture(
    2, means_init=[[20.0], [8.0]], precisions_init=[[[1e6]], [[0.02]]], weights_init=[0.01, 0.99]
)
lonely.fit(np.append(groups, [[20.0]], axis=0))
print(f"smallest standard deviation {np.sqrt(lonely.covariances_.min()):.4f}, held by the floor")

# %%
# Boundaries
# ----------
# Where the maximum lies at the edge of the parameter space EM creeps towards it, ever more slowly. Five groups whose means
# scatter less than chance would have them: the variance between groups is zero at the maximum.

means, within, size = np.array([0.3, -0.2, 0.1, -0.15, 0.05]), 4.0, 6


def group_e(between, _):
    total = between + within / size
    shrunk = between / total * means
    left = between * (within / size) / total
    return (shrunk**2 + left).sum(), float(-0.5 * (np.log(total) + means**2 / total).sum())


creep = seqem.fit_em(
    e_step=group_e, m_step=lambda s, _: s / len(means), start=1.0, data=np.zeros(1), tol=0.0, max_iter=3000
)
edged = seqem.fit_em(
    e_step=group_e, m_step=lambda s, _: s / len(means), start=1.0, data=np.zeros(1), max_iter=50,
    edge=lambda between: 0.0 if between < 0.2 else None,
)  # fmt: skip
print(f"variance between groups after {creep.n_iter} steps: {float(creep.params):.5f}; at the maximum: 0")
print(f"told of the edge, after {edged.n_iter} steps: {float(edged.params):.5f}")

# %%
# What this page told, checked:

for method, result in fits.items():
    assert np.all(np.diff(result.history.objective) >= -1e-9), method
assert 1300 < needed["em"] < 1400
assert needed["squarem"] <= 66
assert needed["daarem"] <= 43
assert needed["lbfgs"] <= 30
assert abs(rates[-1] - 0.995666) < 1e-4
assert abs(gains[1][0] / gains[0][0] - rates[-1] ** 2) < 1e-3
assert "left" in told[1e-2]
assert "left" in told[3e-3]
assert "nats" in told[1e-3]
assert paths["em"] < 1e-9 < 1e-3 < paths["gradient"]
assert len(found) >= 3
assert np.isfinite(lonely.log_likelihood_)
assert 0 < float(creep.params) < 0.05
assert edged.params == 0.0
assert edged.objective > creep.objective
for at, bound in bounds.items():
    assert (bound <= np.array(curve) + 1e-9).all()
    assert abs(np.interp(at, grid, bound) - np.interp(at, grid, curve)) < 0.01
