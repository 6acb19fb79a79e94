"""select: fit an estimator with each of several settings and keep the best by an information criterion."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from sklearn.base import clone

from seqem.core.rng import generator
from seqem.em.callbacks import Callback
from seqem.errors import NumericalError, ParameterError, SeqemError

if TYPE_CHECKING:
    import pandas as pd

CRITERIA = ("bic", "aic", "aicc", "icl")
_NAN = float("nan")


class Candidate(NamedTuple):
    """One choice of settings: how its fit ended and what the criteria say; ``error`` is why there was no fit.

    A criterion that the estimator does not have is NaN.
    """

    settings: Mapping[str, Any]
    log_likelihood: float = _NAN
    n_parameters: int = 0
    aic: float = _NAN
    aicc: float = _NAN
    bic: float = _NAN
    icl: float = _NAN
    converged: bool = False
    seconds: float = 0.0
    error: str | None = None

    def flat(self) -> dict[str, Any]:
        """Return the row with the settings first, one entry each."""
        rest = self._asdict()
        return {**rest.pop("settings"), **rest}


@dataclass(frozen=True)
class Selection:
    """What :func:`select` found.

    Attributes
    ----------
    best : estimator
        The fitted estimator with the smallest criterion.
    table : list of Candidate
        One row for each choice of settings, in the order of the grid.
    criterion : str
        The criterion.
    chosen : int
        Place of the best in the table.
    """

    best: Any
    table: list[Candidate]
    criterion: str
    chosen: int

    def to_frame(self) -> pd.DataFrame:
        """Return the table as a pandas DataFrame, one column for each setting."""
        import pandas as pd

        return pd.DataFrame([row.flat() for row in self.table])


def select(
    estimator: Any,
    X: Any,
    lengths: Any = None,
    *,
    criterion: str = "bic",
    n_init: int | None = None,
    executor: Executor | None = None,
    callbacks: Sequence[Callback] = (),
    **grid: Iterable[Any],
) -> Selection:
    """Fit an estimator with each choice of settings and return the best.

    Parameters
    ----------
    estimator : estimator
        The recipe, which is not changed: an HMM, a mixture, a factor model. Its ``random_state``, where it has one, seeds every
        fit, so that a row of the table is what a fit of that choice alone would give.
    X : array-like or SequenceBatch
        The data.
    lengths : sequence of int, optional
        Of the sequences, for HMMs.
    criterion : {"bic", "aic", "aicc", "icl"}
        The smaller the better; ICL wants states or components that are told apart well (Biernacki, Celeux & Govaert 2000).
    n_init : int, optional
        Random starts of each fit; by default the estimator's.
    executor : concurrent.futures.Executor, optional
        Runs the fits; the result does not depend on it.
    callbacks : sequence of callables
        Told of every step of every fit; see ``seqem.em.callbacks``.
    **grid
        Values of parameters of the estimator, all combinations of which are fitted; by default ``n_components=range(1, 7)``.

    Returns
    -------
    Selection
        A choice whose fit failed has a row with the reason.

    Raises
    ------
    NumericalError
        Where every fit failed.
    ParameterError
        For a criterion or a parameter that the estimator does not have.

    Examples
    --------
    >>> import numpy as np
    >>> from seqem.hmm.poisson import PoissonHMM
    >>> x = np.random.default_rng(0).poisson(np.repeat([2, 30, 2], 50))
    >>> found = select(PoissonHMM(random_state=0), x, n_components=range(1, 4))
    >>> found.best.n_components, [row.n_parameters for row in found.table]
    (2, [1, 5, 11])
    """
    if criterion not in CRITERIA or not hasattr(estimator, criterion):
        known = [name for name in CRITERIA if hasattr(estimator, name)]
        raise ParameterError("unknown criterion", got=repr(criterion), expected=f"one of {', '.join(known)}")
    choices = _choices(estimator, grid or {"n_components": range(1, 7)})
    known = estimator.get_params(deep=False)
    recipe = clone(estimator)
    if "random_state" in known:
        recipe.set_params(random_state=_seed(estimator.random_state))
    if n_init is not None:
        recipe.set_params(n_init=n_init)
    data = (X,) if lengths is None else (X, lengths)
    work = partial(_candidate, recipe, data, tuple(callbacks))
    outcomes = list(map(work, choices) if executor is None else executor.map(work, choices))
    sound = [place for place, (_, row) in enumerate(outcomes) if row.error is None]
    table = [row for _, row in outcomes]
    if not sound:
        raise NumericalError("no choice led to a fit", got=table[0].error)
    chosen = min(sound, key=lambda place: getattr(table[place], criterion))
    return Selection(outcomes[chosen][0], table, criterion, chosen)


def _choices(estimator: Any, grid: Mapping[str, Iterable[Any]]) -> list[dict[str, Any]]:
    """Return all combinations, the first parameter outermost."""
    known = estimator.get_params(deep=False)
    unknown = [name for name in grid if name not in known]
    if unknown:
        raise ParameterError(f"{type(estimator).__name__} has no such parameter", got=unknown, expected=sorted(known))
    values = {name: list(values) for name, values in grid.items()}
    empty = [name for name, found in values.items() if not found]
    if empty:
        raise ParameterError(f"{empty[0]} is empty", expected="at least one value")
    return [dict(zip(values, choice, strict=True)) for choice in product(*values.values())]


def _seed(random_state: Any) -> int:
    """Return an integer that all fits start from, drawn where the estimator has none."""
    return random_state if isinstance(random_state, int) else int(generator(random_state).integers(2**32))


def _candidate(
    recipe: Any, data: tuple[Any, ...], callbacks: Sequence[Callback], settings: dict[str, Any]
) -> tuple[Any, Candidate]:
    """Return the fit of one choice and its row."""
    started = time.perf_counter()
    model = clone(recipe).set_params(**settings)
    try:
        model.fit(*data, callbacks=callbacks)
        criteria = {name: getattr(model, name)(*data) for name in CRITERIA if hasattr(model, name)}
        row = Candidate(settings, model.log_likelihood_, model.n_parameters_, converged=model.converged_, **criteria)
    except SeqemError as error:
        row = Candidate(settings, error=str(error))
    return model, row._replace(seconds=time.perf_counter() - started)
