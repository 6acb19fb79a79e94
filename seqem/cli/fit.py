"""``seqem fit``: sequences to a model."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqem.cli.inputs import Reading, workers
from seqem.cli.options import CheckpointFile, Inputs, Jobs, Json, ModelName, ModelOutput, resumed, watchers
from seqem.cli.outputs import print_json
from seqem.cli.recipe import Recipe

if TYPE_CHECKING:
    from seqem.core.batch import SequenceBatch


def fit(
    model: ModelName,
    inputs: Inputs,
    output: ModelOutput,
    states: Annotated[int, typer.Option("--states", "-k", min=1, metavar="N", help="Number of states.")],
    recipe: Recipe,
    reading: Reading,
    labels: Annotated[
        str | None,
        typer.Option("--labels", metavar="C", help="Column of a table with known states; empty where unknown."),
    ] = None,
    checkpoint: CheckpointFile = None,
    jobs: Jobs = 1,
    json: Json = False,
) -> None:
    """Fit a model to all sequences of all inputs together."""
    from sklearn.base import clone

    from seqem.io.models import save

    if checkpoint is not None and recipe.n_init > 1:
        raise typer.BadParameter("--checkpoint is for one start; leave --n-init out")
    estimator = recipe.build(model, states)
    batch = reading.pooled(inputs, labels)
    # What the parameters look like is learnt from a fit of no steps.
    resume = resumed(checkpoint, lambda: clone(estimator).set_params(n_iter=0).fit(batch).result_.params)
    started = time.perf_counter()
    with workers(jobs) as executor:
        estimator.fit(batch, executor=executor, callbacks=watchers(checkpoint), resume=resume)
    seconds = time.perf_counter() - started
    save(output, estimator)
    _report(model, estimator, batch, output, seconds, json)


def _report(model: str, estimator: Any, batch: SequenceBatch, output: str, seconds: float, json: bool) -> None:
    facts = {
        "model": model,
        "output": output,
        "n_components": estimator.n_components,
        "sequences": len(batch),
        "rows": batch.n_rows,
        "log_likelihood": estimator.log_likelihood_,
        "n_parameters": estimator.n_parameters_,
        "n_iter": estimator.n_iter_,
        "converged": estimator.converged_,
        "stop_reason": estimator.stop_reason_,
        "seconds": round(seconds, 3),
    }
    if json:
        print_json(facts)
        return
    print(
        f"{model}, {plural(estimator.n_components, 'state')}: {plural(len(batch), 'sequence')}, {plural(batch.n_rows, 'row')}"
    )
    print(
        f"log-likelihood {estimator.log_likelihood_:.6f} after {plural(estimator.n_iter_, 'iteration')}"
        f" in {seconds:.2f} s ({estimator.stop_reason_}: {estimator.result_.stop_detail})"
    )
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
