"""``seqem fit``: sequences or rows to a model."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqem.catalog import MODELS
from seqem.cli.inputs import Reading, workers
from seqem.cli.options import CheckpointFile, Inputs, Jobs, Json, ModelName, ModelOutput, resumed, watchers
from seqem.cli.outputs import print_json
from seqem.cli.recipe import Recipe
from seqem.cli.rows import Roles, Rows

if TYPE_CHECKING:
    from seqem.core.batch import SequenceBatch


def fit(
    model: ModelName,
    inputs: Inputs,
    output: ModelOutput,
    recipe: Recipe,
    reading: Reading,
    roles: Roles,
    states: Annotated[
        int | None,
        typer.Option("--states", "--components", "-k", min=1, metavar="N", help="Number of states or components."),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option("--labels", metavar="C", help="Column of a table with known states; empty where unknown."),
    ] = None,
    checkpoint: CheckpointFile = None,
    jobs: Jobs = 1,
    json: Json = False,
) -> None:
    """Fit a model to all sequences, or rows, of all inputs together."""
    from seqem.io.models import save

    if checkpoint is not None and (recipe.n_init > 1 or roles.formula is not None):
        raise typer.BadParameter("--checkpoint is for one start, and not for formulas")
    estimator = recipe.build(model, states)
    started = time.perf_counter()
    if model in MODELS:
        data: Any = Rows.read(inputs, reading, roles, labels)
        estimator = _fit_rows(estimator, data, roles.formula, checkpoint, jobs)
        size = plural(len(data), "row")
        facts = {"rows": len(data)}
    else:
        if roles != Roles():
            raise typer.BadParameter(f"{model} has no --response, --formula, --weights")
        data = reading.pooled(inputs, labels)
        _fit(estimator, data, {}, checkpoint, jobs)
        size = f"{plural(len(data), 'sequence')}, {plural(data.n_rows, 'row')}"
        facts = {"sequences": len(data), "rows": data.n_rows}
    seconds = time.perf_counter() - started
    save(output, estimator)
    _report(model, estimator, size, facts, output, seconds, json)


def _fit(estimator: Any, X: SequenceBatch | Any, known: dict[str, Any], checkpoint: str | None, jobs: int) -> None:
    from sklearn.base import clone

    limit = "n_iter" if hasattr(estimator, "n_iter") else "max_iter"
    # What the parameters look like is learnt from a fit of no steps.
    resume = resumed(checkpoint, lambda: clone(estimator).set_params(**{limit: 0}).fit(X, **known).result_.params)
    if resume is not None:
        known = {**known, "resume": resume}
    with workers(jobs) as executor:
        estimator.fit(X, **known, executor=executor, callbacks=watchers(checkpoint))


def _fit_rows(estimator: Any, rows: Rows, formula: str | None, checkpoint: str | None, jobs: int) -> Any:
    """Return the fitted estimator: the one given, or that of a formula."""
    if formula is None:
        _fit(estimator, rows.X, rows.of(estimator.fit), checkpoint, jobs)
        return estimator
    kind = type(estimator)
    if not hasattr(kind, "from_formula"):
        raise typer.BadParameter(f"{kind.__name__} has no --formula")
    return kind.from_formula(formula, rows.X, **rows.of(kind.from_formula), **estimator.get_params())


def _report(
    model: str, estimator: Any, size: str, facts: dict[str, Any], output: str, seconds: float, json: bool
) -> None:
    sizes = {name: getattr(estimator, name) for name in ("n_components", "n_factors") if hasattr(estimator, name)}
    result = {
        "model": model,
        "output": output,
        **sizes,
        **facts,
        "log_likelihood": estimator.log_likelihood_,
        "n_parameters": getattr(estimator, "n_parameters_", None),
        "n_iter": estimator.n_iter_,
        "converged": estimator.converged_,
        "stop_reason": estimator.stop_reason_,
        "seconds": round(seconds, 3),
    }
    if json:
        print_json(result)
        return
    nouns = {"n_components": "component" if model in MODELS else "state", "n_factors": "factor"}
    print(f"{', '.join([model, *(plural(count, nouns[name]) for name, count in sizes.items())])}: {size}")
    print(
        f"log-likelihood {estimator.log_likelihood_:.6f} after {plural(estimator.n_iter_, 'iteration')}"
        f" in {seconds:.2f} s ({estimator.stop_reason_}: {estimator.result_.stop_detail})"
    )
    if hasattr(estimator, "summary"):
        print(estimator.summary().to_string(float_format="{:.6g}".format))
    print(f"wrote {output}")
    if not estimator.converged_:
        print("not converged; more --iterations may help")


def plural(count: int, noun: str) -> str:
    """Return a count with its noun.

    Examples
    --------
    >>> plural(1, "row"), plural(48502, "row")
    ('1 row', '48,502 rows')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
