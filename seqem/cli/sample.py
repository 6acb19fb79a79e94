"""``seqem sample``: sequences drawn from a model."""

from __future__ import annotations

from typing import Annotated

import typer

from seqem.cli.options import Json, ModelFile, Output, Seed
from seqem.cli.outputs import write_rows


def sample(
    model: ModelFile,
    length: Annotated[int, typer.Option("--length", "-n", min=1, metavar="N", help="Rows of each sequence.")],
    sequences: Annotated[int, typer.Option("--sequences", "-s", min=1, metavar="N", help="Number of sequences.")] = 1,
    output: Output = "-",
    with_states: Annotated[
        bool, typer.Option("--with-states", help="Write a table with the state of each row.")
    ] = False,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Draw sequences from a model: FASTA where it has an alphabet, or else a table with commas.

    A model with end probabilities may end a sequence before its length is reached.
    """
    from seqem.bio.alphabet import alphabet_of
    from seqem.core.batch import SequenceBatch
    from seqem.core.rng import generator
    from seqem.io.fasta import write_fasta
    from seqem.io.models import load

    estimator = load(model)
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
