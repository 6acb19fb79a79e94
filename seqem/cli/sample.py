"""``seqem sample``: sequences or rows drawn from a model."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from seqem.cli.options import Json, ModelFile, Output, Seed
from seqem.cli.outputs import write_rows
from seqem.cli.rows import is_of_rows


def sample(
    model: ModelFile,
    length: Annotated[int, typer.Option("--length", "-n", min=1, metavar="N", help="Rows, of each sequence.")],
    sequences: Annotated[int, typer.Option("--sequences", "-s", min=1, metavar="N", help="Number of sequences.")] = 1,
    output: Output = "-",
    with_states: Annotated[
        bool, typer.Option("--with-states", help="Write a table with the state or component of each row.")
    ] = False,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Draw sequences from a model: FASTA where it has an alphabet, or else a table with commas; or rows of a table.

    A model with end probabilities may end a sequence before its length is reached.
    """
    from seqem.io.models import load

    estimator = load(model)
    if not is_of_rows(estimator):
        return _sequences(estimator, length, sequences, output, with_states, seed, json)
    if not hasattr(estimator, "sample"):
        raise typer.BadParameter("this model tells nothing of its regressors and cannot be sampled")
    _rows(estimator, length * sequences, output, with_states, seed, json)


def _rows(estimator: Any, n: int, output: str, with_states: bool, seed: int, json: bool) -> None:
    drawn = estimator.sample(n, random_state=seed)
    values, parts = drawn if isinstance(drawn, tuple) else (drawn, None)
    names = list(getattr(estimator, "feature_names_in_", [f"x{d}" for d in range(values.shape[1])]))
    if with_states and parts is None:
        raise typer.BadParameter("--with-states: this model has no components")
    rows = values.tolist() if not with_states else [[*row, part] for row, part in zip(values, parts, strict=True)]
    write_rows(output, [*names, *(["component"] if with_states else [])], rows, json, separator=",")


def _sequences(
    estimator: Any, length: int, sequences: int, output: str, with_states: bool, seed: int, json: bool
) -> None:
    from seqem.bio.alphabet import alphabet_of
    from seqem.core.batch import SequenceBatch
    from seqem.core.rng import generator
    from seqem.io.fasta import write_fasta

    rng = generator(seed)
    drawn = [estimator.sample(length, random_state=rng) for _ in range(sequences)]
    alphabet = getattr(estimator, "alphabet_", None)
    names = tuple(f"sample{s + 1}" for s in range(sequences))
    if alphabet is not None and not with_states and not json:
        write_fasta(output, SequenceBatch.of([values[:, 0] for values, _ in drawn], names=names, alphabet=alphabet))
        return
    features = [f"x{d}" for d in range(drawn[0][0].shape[1])] if alphabet is None else ["letter"]
    columns = ("sequence", *features, *(["state"] if with_states else []))
    tables = [
        values.tolist() if alphabet is None else alphabet_of(alphabet).decode(values[:, 0]) for values, _ in drawn
    ]
    rows = (
        [name, *row, *([state] if with_states else [])]
        for name, table, (_, states) in zip(names, tables, drawn, strict=True)
        for row, state in zip(table, states.tolist(), strict=True)
    )
    write_rows(output, columns, rows, json, separator=",")
