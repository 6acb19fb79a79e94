"""``seqem score``: log-likelihood of each sequence or row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from seqem.cli.inputs import Reading, Round
from seqem.cli.options import Inputs, Json, ModelFile, Output
from seqem.cli.outputs import write_rows
from seqem.cli.rows import Roles, Rows, is_of_rows

if TYPE_CHECKING:
    from seqem.core.batch import SequenceBatch

_COLUMNS = ("sequence", "length", "log_likelihood", "per_row")


def score(
    model: ModelFile, inputs: Inputs, reading: Reading, roles: Roles, output: Output = "-", json: Json = False
) -> None:
    """Score the sequences of each input, or its rows: natural log-likelihood; -inf where impossible.

    Of a sequence it is the whole one and that per row.
    """
    from seqem.io.models import load

    estimator = load(model)
    if is_of_rows(estimator):
        inputs_in_turn = Round(inputs, lambda path: Rows.read([path], reading, roles, estimator=estimator), json)
        write_rows(output, ("row", "log_likelihood"), inputs_in_turn.each(lambda rows: _of_rows(estimator, rows)), json)
    else:
        inputs_in_turn = Round(inputs, lambda path: reading.read(path, model=estimator), json)
        write_rows(output, _COLUMNS, inputs_in_turn.each(lambda batch: _of_sequences(estimator, batch)), json)
    inputs_in_turn.finish()


def _of_rows(estimator: Any, rows: Rows) -> Iterator[tuple[int, float]]:
    scores = getattr(estimator, "row_log_likelihood", None) or estimator.score_samples
    return enumerate(scores(rows.X, **rows.of(scores)).tolist())


def _of_sequences(estimator: Any, batch: SequenceBatch) -> Iterator[tuple[str, int, float, float | None]]:
    rows = zip(batch.names or (), batch.lengths.tolist(), estimator.score_sequences(batch).tolist(), strict=True)
    return ((name, length, value, value / length if length else None) for name, length, value in rows)
