"""
How the objective rises
=======================

What happens during a fit: the curve of plain EM, an accelerated one, a fit that is broken off and taken up again to the
last bit, and why it ended.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np

import seqem
from seqem.em.checkpoint import Checkpoint
from seqem.plot.history import training_curve

# %%
# Data that are hard for EM
# -------------------------
# Two states that overlap: each row says little, and EM creeps.

rng = np.random.default_rng(9)
states = (np.arange(3000) // 5) % 2
x = rng.normal(states, 1.0)[:, None]


def recipe(**options):
    """Return a recipe with the same random start each time."""
    return seqem.GaussianHMM(2, n_iter=options.pop("n_iter", 2000), tol=1e-7, random_state=1, **options)


em, squarem = recipe().fit(x), recipe(method="squarem").fit(x)
print(f"EM      {em.n_iter_:4d} steps, {em.stop_reason_}: {em.result_.stop_detail}")
print(f"SQUAREM {squarem.n_iter_:4d} steps, {squarem.stop_reason_}: {squarem.result_.stop_detail}")

# %%
# A step of SQUAREM takes three evaluations of the EM map, so the fair axis is evaluations. The picture shows how far each
# is from the best objective that either found, on a logarithmic scale.


def by_evaluation(history):
    """Return the objective that was reached after 0, 1, 2, ... evaluations."""
    reached = np.searchsorted(history.iteration, np.arange(history.iteration[-1] + 1), side="right") - 1
    return history.objective[reached]


curves = {"EM": by_evaluation(em.history_), "SQUAREM": by_evaluation(squarem.history_)}
best = max(curve[-1] for curve in curves.values())
fig, ax = plt.subplots(figsize=(8, 3.5), layout="constrained")
training_curve({name: best - curve + 1e-7 for name, curve in curves.items()}, ax)
ax.set(yscale="log", xlabel="evaluations of the EM map", ylabel="distance from the best objective")

# %%
# The history has a record for each point, with the time it took; ``kind`` says how the point was reached, a step that
# had to fall back to plain EM included.

print(squarem.history_.to_frame().drop(columns="seconds").head(4).to_string(index=False))
print({kind: squarem.history_.kind.count(kind) for kind in sorted(set(squarem.history_.kind))})

# %%
# Break off and go on
# -------------------
# ``Checkpoint`` writes the parameters and the history to a file while the fit runs. A second fit takes them up there, and
# ends at the same bits as one that was never broken off.

with TemporaryDirectory() as folder:
    file = Path(folder) / "fit.npz"
    first = recipe(n_iter=25).fit(x, callbacks=[Checkpoint(file, every=10)])
    second = recipe().fit(x, resume=Checkpoint.load(file, like=first.params_))
print(
    f"broken off: {first.stop_reason_} after {first.n_iter_}; in all {second.n_iter_} steps, as without: {em.n_iter_}"
)

# %%
# A callback is any function of one event; a true answer ends the fit.


def enough(event):
    """Stop as soon as a step gains less than a tenth."""
    return event.stage == "step" and event.gain < 0.1


short = recipe().fit(x, callbacks=[enough])
print(short.stop_reason_, "|", short.result_.stop_detail)

# %%
# What this page told, checked:

for model in (em, squarem):
    assert model.converged_
    assert np.all(np.diff(model.history_.objective) >= 0)
assert abs(em.log_likelihood_ - squarem.log_likelihood_) < 1e-3
assert squarem.n_iter_ < em.n_iter_ / 3
assert second.n_iter_ == em.n_iter_
assert second.log_likelihood_ == em.log_likelihood_
assert np.array_equal(second.means_, em.means_)
assert np.array_equal(second.history_.objective, em.history_.objective)
assert short.stop_reason_ == "callback"
assert not short.converged_
