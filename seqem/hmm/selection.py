"""select: fit a range of state numbers and keep the best by an information criterion."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from sklearn.base import clone

from seqem.core.rng import generator
from seqem.em.callbacks import Callback
from seqem.errors import NumericalError, ParameterError, SeqemError
from seqem.hmm.base import BaseHMM
from seqem.hmm.data import batch_of

if TYPE_CHECKING:
    import pandas as pd

CRITERIA = ("bic", "aic", "icl")
_NAN = float("nan")


class Candidate(NamedTuple):
    """One number of states: how its fit ended and what the criteria say; ``error`` is why there was no fit."""

    n_components: int
    log_likelihood: float = _NAN
    n_parameters: int = 0
    aic: float = _NAN
    bic: float = _NAN
    icl: float = _NAN
    converged: bool = False
    seconds: float = 0.0
    error: str | None = None


@dataclass(frozen=True)
class Selection:
    """What :func:`select` found.

    Attributes
    ----------
    best : BaseHMM
        The fitted estimator with the smallest criterion.
    table : list of Candidate
        One row a number of states, in the order asked for.
    criterion : str
        The criterion.
    """

    best: BaseHMM
    table: list[Candidate]
    criterion: str

    def to_frame(self) -> pd.DataFrame:
        """Return the table as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame(self.table, columns=list(Candidate._fields))


def select(
    estimator: BaseHMM,
    X: Any,
    lengths: Any = None,
    *,
    n_components: Iterable[int] = range(1, 7),
    criterion: str = "bic",
    n_init: int | None = None,
    executor: Executor | None = None,
    callbacks: Sequence[Callback] = (),
) -> Selection:
    """Fit an estimator with each number of states and return the best.

    Parameters
    ----------
    estimator : BaseHMM
        The recipe, which is not changed. Its ``random_state`` seeds every fit, so that a row of the table is what a fit
        of that number of states alone would give.
    X, lengths : as in fit
    n_components : iterable of int
        Numbers of states.
    criterion : {"bic", "aic", "icl"}
        The smaller the better; ICL wants states that are told apart well (Celeux & Durand 2008).
    n_init : int, optional
        Random starts of each fit; by default the estimator's.
    executor : concurrent.futures.Executor, optional
        Runs the fits; the result does not depend on it.
    callbacks : sequence of callables
        Told of every step of every fit; see ``seqem.em.callbacks``.

    Returns
    -------
    Selection
        A number of states whose fit failed has a row with the reason.

    Raises
    ------
    NumericalError
        Where every fit failed.

    Examples
    --------
    >>> import numpy as np
    >>> from seqem.hmm.poisson import PoissonHMM
    >>> x = np.random.default_rng(0).poisson(np.repeat([2, 30, 2], 50))
    >>> found = select(PoissonHMM(random_state=0), x, n_components=range(1, 4))
    >>> found.best.n_components, [row.n_parameters for row in found.table]
    (2, [1, 5, 11])
    """
    if criterion not in CRITERIA:
        raise ParameterError("unknown criterion", got=repr(criterion), expected=f"one of {', '.join(CRITERIA)}")
    sizes = [int(size) for size in n_components]
    if not sizes:
        raise ParameterError("n_components is empty", expected="at least one number of states")
    recipe = clone(estimator).set_params(random_state=_seed(estimator.random_state))
    if n_init is not None:
        recipe.set_params(n_init=n_init)
    work = partial(_candidate, recipe, batch_of(X, lengths), tuple(callbacks))
    outcomes = list(map(work, sizes) if executor is None else executor.map(work, sizes))
    table = [row for _, row in outcomes]
    sound = [outcome for outcome in outcomes if outcome[1].error is None]
    if not sound:
        raise NumericalError("no number of states led to a fit", got=table[0].error)
    best, _ = min(sound, key=lambda outcome: getattr(outcome[1], criterion))
    return Selection(best, table, criterion)


def _seed(random_state: Any) -> int:
    """Return an integer that all fits start from, drawn where the estimator has none."""
    return random_state if isinstance(random_state, int) else int(generator(random_state).integers(2**32))


def _candidate(
    recipe: BaseHMM, batch: Any, callbacks: Sequence[Callback], n_components: int
) -> tuple[BaseHMM, Candidate]:
    """Return the fit of one number of states and its row."""
    started = time.perf_counter()
    model = clone(recipe).set_params(n_components=n_components)
    try:
        model.fit(batch, callbacks=callbacks)
        row = Candidate(
            n_components,
            model.log_likelihood_,
            model.n_parameters_,
            model.aic(batch),
            model.bic(batch),
            model.icl(batch),
            model.converged_,
        )
    except SeqemError as error:
        row = Candidate(n_components, error=str(error))
    return model, row._replace(seconds=time.perf_counter() - started)
