"""Deterministic annealing: EM at falling temperatures, which starts matter less to."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

from seqem.em.driver import fit
from seqem.em.stop import StopRule
from seqem.errors import ParameterError

# A component on top of another would stay there at every temperature: before each, and at the end, they go
# so far back to the start.
_PULL = 0.1


def anneal(
    model: Any,
    params: Any,
    shards: Sequence[Any],
    *,
    betas: Sequence[float] = (0.1, 0.2, 0.4, 0.6, 0.8),
    max_iter: int = 50,
    executor: Executor | None = None,
) -> Any:
    """Return parameters after EM with posteriors to the powers ``betas``, to begin a fit with.

    Parameters
    ----------
    model : dataclass with a field ``beta``
        Its E-step takes ``p(latent | data)`` to that power, normalised, and gives the free energy as log-likelihood.
    params : tree of arrays
        Where to start; all but forgotten if the first power is small.
    shards : sequence
        Data or loaders of it.
    betas : sequence of float
        Inverse temperatures above 0, rising to 1 or before.
    max_iter : int
        Iterations at each temperature at most.
    executor : concurrent.futures.Executor, optional
        Maps the E-steps.

    References
    ----------
    N. Ueda and R. Nakano (1998). Deterministic annealing EM algorithm. Neural Networks 11(2), 271-282.

    Examples
    --------
    >>> import numpy as np
    >>> from seqem.core.rows import Rows
    >>> from seqem.distributions.gaussian import Gaussian
    >>> from seqem.distributions.mixture import MixtureOf
    >>> from seqem.models.mixture_model import MixtureModel, start
    >>> rng = np.random.default_rng(0)
    >>> x = np.concatenate([rng.normal(-5, 1, (50, 1)), rng.normal(5, 1, (50, 1))])
    >>> model = MixtureModel(MixtureOf(Gaussian(), 2))
    >>> warm = anneal(model, start(model.mixture, x, rng), [Rows(x)])
    >>> found = fit(model, warm, [Rows(x)]).params.component.mean
    >>> sorted(found.ravel().round().tolist())
    [-5.0, 5.0]
    """
    if not all(0 < beta <= 1 for beta in betas):
        raise ParameterError("betas are off", got=list(betas), expected="numbers above 0 and up to 1")
    start = model.pack(params)

    def parted(params: Any) -> Any:
        return model.unpack((1.0 - _PULL) * model.pack(params) + _PULL * start, params)

    rule = StopRule(max_iter=max_iter, rel_tol=1e-6)
    for beta in betas:
        params = fit(replace(model, beta=beta), parted(params), shards, stop=rule, executor=executor).params
    return parted(params)
