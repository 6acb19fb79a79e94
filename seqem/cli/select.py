"""``seqem select``: the number of states, components or factors."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqem.catalog import MODELS
from seqem.cli.fit import plural
from seqem.cli.inputs import Reading, workers
from seqem.cli.options import Inputs, Jobs, Json, ModelName, model_file, one_of
from seqem.cli.outputs import aligned, print_json
from seqem.cli.recipe import Recipe
from seqem.cli.rows import Roles, Rows, is_of_rows

if TYPE_CHECKING:
    from seqem.em.selection import Selection

_CRITERIA = ("bic", "aic", "aicc", "icl")
_COLUMNS = ("log_likelihood", "n_parameters", "aic", "aicc", "bic", "icl", "converged", "seconds")
_HEADS = ("log-likelihood", "parameters", "AIC", "AICc", "BIC", "ICL", "converged", "seconds")


def select(
    model: ModelName,
    inputs: Inputs,
    recipe: Recipe,
    reading: Reading,
    states: Annotated[
        str,
        typer.Option(
            "--states",
            "--components",
            "-k",
            metavar="A:B|A,B",
            help="Numbers of states or components, or of factors of factor-analysis; both ends taken.",
        ),
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
    from seqem.em import selection
    from seqem.em.callbacks import ProgressBar
    from seqem.io.models import save

    sizes = _sizes(states)
    size = "n_factors" if model == "factor-analysis" else "n_components"
    estimator = _built(recipe, model, size)
    grid: dict[str, Any] = {size: sizes}
    data: Any = Rows.read(inputs, reading, Roles()).X if model in MODELS else reading.pooled(inputs)
    broken_off = _BrokenOff()
    with workers(jobs) as executor:
        try:
            found = selection.select(
                estimator,
                data,
                criterion=criterion,
                executor=executor,
                callbacks=[broken_off, *([ProgressBar()] if executor is None else [])],
                **grid,
            )
        except BaseException:
            broken_off.now = True
            raise
    if output is not None:
        save(output, found.best)
    _report(found, size, output, json)


def _built(recipe: Recipe, model: str, size: str) -> Any:
    """Return the estimator, its size to be set."""
    return replace(recipe, n_factors=1).build(model) if size == "n_factors" else recipe.build(model, 1)


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


def _report(found: Selection, size: str, output: str | None, json: bool) -> None:
    if json:
        for place, row in enumerate(found.table):
            print_json({**row.flat(), "best": place == found.chosen})
        return
    noun = "factor" if size == "n_factors" else "component" if is_of_rows(found.best) else "state"
    cells = [[row.settings[size], *(getattr(row, name) for name in _COLUMNS)] for row in found.table]
    print(aligned([f"{noun}s", *_HEADS], [[_cell(cell) for cell in row] for row in cells]))
    for row in found.table:
        if row.error is not None:
            print(f"{plural(row.settings[size], noun)} failed: {row.error}")
    print(f"best by {found.criterion.upper()}: {plural(getattr(found.best, size), noun)}")
    if output is not None:
        print(f"wrote {output}")


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.2f}" if isinstance(value, float) else value
