"""``seqem plot``: pictures of a model, its fit, the states of a sequence, or rows."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqem.cli import row_pictures
from seqem.cli.inputs import Reading
from seqem.cli.options import ModelFile, StateNames, named_states, one_of, writable
from seqem.cli.outputs import PICTURES, picture, save_figure
from seqem.cli.rows import Roles, Rows, is_of_rows
from seqem.errors import ParameterError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from seqem.core.batch import SequenceBatch

_PICTURES = ("history", "transitions", "emissions", "posterior", "clusters", "loadings", "residuals")
_OF_SEQUENCES = ("transitions", "emissions", "posterior")
_GRID_POINTS = 400
_ROWS_TO_SEE_THE_RANGE = 2000


def plot(
    model: ModelFile,
    reading: Reading,
    roles: Roles,
    what: Annotated[
        str, typer.Option("--what", metavar="PICTURE", callback=one_of(_PICTURES), help=f"{', '.join(_PICTURES)}.")
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="FILE", callback=writable, help=f"Where to draw: {', '.join(PICTURES)}."
        ),
    ],
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="[INPUT]", help="Sequences or rows: for posterior and residuals, behind emissions and clusters."
        ),
    ] = None,
    beside: Annotated[
        list[str] | None,
        typer.Option("--beside", metavar="MODEL", help="Another model whose history is drawn too; may be repeated."),
    ] = None,
    sequence: Annotated[
        str | None, typer.Option("--sequence", metavar="NAME", help="Sequence to draw; the first by default.")
    ] = None,
    names: StateNames = None,
) -> None:
    """Draw a model, its fit (history), or data under it.

    Of HMMs: transitions, emissions, posterior; of mixtures of Gaussians: clusters; of factor models: loadings; of tobit:
    residuals.
    """
    from seqem.io.models import load

    picture(output)
    if what == "posterior" and data is None:
        raise typer.BadParameter("--what posterior wants an INPUT")
    estimator = load(model)
    if what == "history":
        axes = _history({path: load(path) for path in [model, *(beside or [])]})
    elif is_of_rows(estimator):
        rows = None if data is None else Rows.read([data], reading, roles, estimator=estimator)
        axes = _of_rows(what, estimator, rows, reading.columns)
    else:
        states = named_states(names, len(estimator.startprob_)) if names else None
        batch = None if data is None else reading.read(data, model=estimator)
        axes = _of_sequences(what, estimator, batch, sequence, states)
    figure = axes.get_figure(root=True)
    assert figure is not None
    save_figure(figure, output)


def _history(models: dict[str, Any]) -> Axes:
    from seqem.plot.history import training_curve

    curves = {os.path.basename(path): estimator.history_.objective[1:] for path, estimator in models.items()}
    return training_curve(curves if len(curves) > 1 else next(iter(curves.values())))


def _of_rows(what: str, estimator: Any, rows: Rows | None, columns: str | None) -> Axes:
    if what == "clusters":
        return row_pictures.clusters(estimator, rows, columns)
    if what == "loadings":
        return row_pictures.loadings(estimator)
    if what == "residuals":
        return row_pictures.residuals(estimator, rows)
    raise typer.BadParameter(f"--what {what} is of models of sequences")


def _of_sequences(
    what: str, estimator: Any, batch: SequenceBatch | None, sequence: str | None, states: list[str] | None
) -> Axes:
    from seqem.plot.transitions import transition_matrix

    if what not in _OF_SEQUENCES:
        raise typer.BadParameter(f"--what {what} is of models of rows")
    if what == "transitions":
        return transition_matrix(estimator.transmat_, states)
    if what == "emissions":
        return _emissions(estimator, batch, states)
    assert batch is not None
    return _posterior(estimator, batch, sequence, states)


def _posterior(estimator: Any, batch: SequenceBatch, sequence: str | None, states: list[str] | None) -> Axes:
    from seqem.plot.states import state_posteriors

    known = list(batch.names or ())
    if sequence is not None and sequence not in known:
        raise ParameterError("no such sequence", got=repr(sequence), expected=f"one of {', '.join(known[:10])}")
    s = 0 if sequence is None else known.index(sequence)
    chosen = batch.between(s, s + 1)
    axes = state_posteriors(estimator.predict_proba(chosen), estimator.predict(chosen), names=states)
    axes.set_title(known[s], loc="left", fontsize="medium")
    return axes


def _emissions(estimator: Any, batch: SequenceBatch | None, states: list[str] | None) -> Axes:
    from seqem.plot.emissions import emission_bars, emission_densities

    if hasattr(estimator, "emissionprob_"):
        return emission_bars(estimator.emissionprob_, getattr(estimator, "alphabet_", None), states)
    values = estimator.sample(_ROWS_TO_SEE_THE_RANGE, random_state=0)[0] if batch is None else batch.values
    values = values.reshape(len(values), -1).astype(float)
    if values.shape[1] != 1:
        raise ParameterError("densities are drawn for one column only", got=f"{values.shape[1]} columns")
    grid, shares = _grid(values), None
    if batch is not None:
        shares = estimator.predict_proba(batch).mean(0)
    import numpy as np

    densities = np.exp(estimator.score_rows(grid[:, None])).T
    return emission_densities(grid, densities, None if batch is None else values, shares, states)


def _grid(values: Any) -> Any:
    """Return points over the range of the values: all whole numbers for counts."""
    import numpy as np

    seen = values[np.isfinite(values)]
    lo, hi = seen.min(), seen.max()
    return np.arange(lo, hi + 1) if (seen == np.floor(seen)).all() else np.linspace(lo, hi, _GRID_POINTS)
