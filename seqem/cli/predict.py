"""``seqem predict``: what a model of rows says about new rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from seqem.cli.inputs import Reading, Round
from seqem.cli.options import Inputs, Json, ModelFile, Output
from seqem.cli.outputs import write_rows
from seqem.cli.rows import Roles, Rows, is_of_rows


def predict(
    model: ModelFile, inputs: Inputs, reading: Reading, roles: Roles, output: Output = "-", json: Json = False
) -> None:
    """Predict for the rows of each input.

    A mixture tells the component of a row and the probability of each; tobit the latent mean, the mean of what is observed and
    the probabilities to be censored or not; factor models the factors; multivariate-normal the row without holes.
    """
    from seqem.io.models import load

    estimator = load(model)
    if not is_of_rows(estimator):
        raise typer.BadParameter("this is a model of sequences; seqem decode tells their states")
    if roles.formula is not None:
        estimator.formula_ = roles.formula
    names, work = _answer(estimator)
    inputs_in_turn = Round(inputs, lambda path: Rows.read([path], reading, roles, estimator=estimator), json)

    def rows_of(rows: Rows) -> Iterator[list[Any]]:
        return ([place, *row] for place, row in enumerate(zip(*work(rows.X), strict=True)))

    write_rows(output, ("row", *names), inputs_in_turn.each(rows_of), json)
    inputs_in_turn.finish()


def _answer(estimator: Any) -> tuple[list[str], Any]:
    """Return the names of the columns of an answer and what makes lists of them."""
    if hasattr(estimator, "predict_proba"):
        names = ["component", *(f"p{k}" for k in range(estimator.n_components))]
        return names, lambda X: _columns(estimator.predict(X), estimator.predict_proba(X))
    if hasattr(estimator, "predict_censoring"):
        names = ["latent", "censored", "p_left", "p_observed", "p_right"]
        return names, lambda X: _columns(
            estimator.predict(X, "latent"), estimator.predict(X), estimator.predict_censoring(X)
        )
    if hasattr(estimator, "transform"):
        names = [f"factor{q}" for q in range(estimator.loadings_.shape[1])]
        return names, lambda X: _columns(estimator.transform(X))
    names = list(getattr(estimator, "feature_names_in_", [f"x{d}" for d in range(len(estimator.mean_))]))
    return names, lambda X: _columns(estimator.impute(X))


def _columns(*arrays: Any) -> list[list[Any]]:
    """Return the columns of vectors and matrices as lists."""
    return [column.tolist() for array in arrays for column in (array.T if array.ndim == 2 else [array])]
