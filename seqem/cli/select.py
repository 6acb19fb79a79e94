"""``seqem select``: the number of states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqem.cli.inputs import Reading, workers
from seqem.cli.options import Inputs, Jobs, Json, ModelName, model_file, one_of
from seqem.cli.outputs import aligned, print_json
from seqem.cli.recipe import Recipe

if TYPE_CHECKING:
    from seqem.hmm.selection import Selection

_CRITERIA = ("bic", "aic", "icl")
_COLUMNS = ("n_components", "log_likelihood", "n_parameters", "aic", "bic", "icl", "converged", "seconds")
_HEADS = ("states", "log-likelihood", "parameters", "AIC", "BIC", "ICL", "converged", "seconds")


def select(
    model: ModelName,
    inputs: Inputs,
    recipe: Recipe,
    reading: Reading,
    states: Annotated[
        str, typer.Option("--states", "-k", metavar="A:B|A,B", help="Numbers of states, both ends taken.")
    ] = "1:6",
    criterion: Annotated[
        str, typer.Option("--criterion", metavar="NAME", callback=one_of(_CRITERIA), help=f"{', '.join(_CRITERIA)}.")
    ] = "bic",
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FILE", callback=model_file, help="Where to write the best model."),
    ] = None,
    jobs: Jobs = 1,
    json: Json = False,
) -> None:
    """Fit a model with each number of states to all inputs together, and choose by a criterion: the smaller the better."""
    from seqem.em.callbacks import ProgressBar
    from seqem.hmm import selection
    from seqem.io.models import save

    sizes = _sizes(states)
    estimator = recipe.build(model)
    batch = reading.pooled(inputs)
    broken_off = _BrokenOff()
    with workers(jobs) as executor:
        try:
            found = selection.select(
                estimator,
                batch,
                n_components=sizes,
                criterion=criterion,
                executor=executor,
                callbacks=[broken_off, *([ProgressBar()] if executor is None else [])],
            )
        except BaseException:
            broken_off.now = True
            raise
    if output is not None:
        save(output, found.best)
    _report(found, output, json)


class _BrokenOff:
    """Callback that ends the fits of other threads when the command is over."""

    now = False

    def __call__(self, event: Any) -> bool:
        return self.now


def _sizes(text: str) -> list[int]:
    """Return the numbers of states of "1:6", "2,4,8" or "3"."""
    first, colon, last = text.partition(":")
    try:
        sizes = list(range(int(first), int(last) + 1)) if colon else [int(part) for part in text.split(",")]
    except ValueError:
        sizes = []
    if not sizes or min(sizes) < 1:
        raise typer.BadParameter(f"--states {text!r} is neither a range such as 1:6 nor a list such as 2,4,8")
    return sizes


def _report(found: Selection, output: str | None, json: bool) -> None:
    best = found.best.n_components
    if json:
        for row in found.table:
            print_json({**row._asdict(), "best": row.n_components == best})
        return
    cells = [[getattr(row, name) for name in _COLUMNS] for row in found.table]
    print(aligned(_HEADS, [[_cell(cell) for cell in row] for row in cells]))
    for row in found.table:
        if row.error is not None:
            print(f"{row.n_components} states failed: {row.error}")
    print(f"best by {found.criterion.upper()}: {best} state{'' if best == 1 else 's'}")
    if output is not None:
        print(f"wrote {output}")


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.2f}" if isinstance(value, float) else value
