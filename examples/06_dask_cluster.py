"""
A fit on a Dask cluster
=======================

EM maps its E-step over shards of the data and adds what comes back. Whoever maps is an argument of ``fit``: any executor
of ``concurrent.futures``, and Dask's client has one. A cluster of two worker processes on this machine stands for a
large one here; the call would be the same.
"""

import numpy as np
from dask.distributed import Client, LocalCluster

import seqem

# %%
# Data and a recipe
# -----------------
# The number of shards depends on the data only, never on the workers, and shards are added in their order. So the result
# is the same to the last bit, whoever computes it.


def recordings():
    """Return 200 sequences of three-dimensional rows that change between two levels."""
    rng = np.random.default_rng(3)
    return [(np.arange(500) // 50 % 2)[:, None] * [3.0, -2.0, 1.0] + rng.normal(0, 1, (500, 3)) for _ in range(200)]


def recipe():
    """Return an estimator that has not been fitted."""
    return seqem.GaussianHMM(2, n_iter=10, tol=1e-3, random_state=0)


# %%
# The same call, with an executor
# -------------------------------
# Workers are fresh Python processes that import this file, hence the guard.

if __name__ == "__main__":
    X = recordings()
    here = recipe().fit(X)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        there = recipe().fit(X, executor=client.get_executor())
        workers = len(client.scheduler_info()["workers"])
    print(f"{workers} workers, {there.n_iter_} steps, {there.stop_reason_}")
    print("log-likelihood here ", repr(here.log_likelihood_))
    print("log-likelihood there", repr(there.log_likelihood_))

    # What this page told, checked:
    assert workers == 2
    assert here.log_likelihood_ == there.log_likelihood_
    assert np.array_equal(here.means_, there.means_)
    assert np.array_equal(here.transmat_, there.transmat_)
    assert np.array_equal(here.history_.objective, there.history_.objective)
