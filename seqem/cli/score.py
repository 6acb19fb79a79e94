"""``seqem score``: log-likelihood of each sequence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from seqem.cli.inputs import Reading, Round
from seqem.cli.options import Inputs, Json, ModelFile, Output
from seqem.cli.outputs import write_rows

if TYPE_CHECKING:
    from seqem.core.batch import SequenceBatch

_COLUMNS = ("sequence", "length", "log_likelihood", "per_row")


def score(model: ModelFile, inputs: Inputs, reading: Reading, output: Output = "-", json: Json = False) -> None:
    """Score the sequences of each input: natural log-likelihood, whole and per row; -inf where impossible."""
    from seqem.io.models import load

    estimator = load(model)

    def scored(batch: SequenceBatch) -> Iterator[tuple[str, int, float, float | None]]:
        rows = zip(batch.names or (), batch.lengths.tolist(), estimator.score_sequences(batch).tolist(), strict=True)
        return ((name, length, value, value / length if length else None) for name, length, value in rows)

    inputs_in_turn = Round(inputs, reading, estimator, json)
    write_rows(output, _COLUMNS, inputs_in_turn.each(scored), json)
    inputs_in_turn.finish()
