"""``seqem phmmer``: one sequence against a sequence database."""

from __future__ import annotations

from typing import Annotated

import typer

from seqem.cli.inputs import workers
from seqem.cli.profile_options import Database, Results, Thresholds, Workers

Query = Annotated[str, typer.Argument(metavar="SEQUENCE", help="FASTA with the queries; - is standard input.")]


def phmmer(
    query: Query,
    database: Database,
    thresholds: Thresholds,
    results: Results,
    popen: Annotated[
        float, typer.Option("--popen", min=0, max=0.5, metavar="X", help="Probability to open a gap.")
    ] = 0.02,
    pextend: Annotated[
        float, typer.Option("--pextend", min=0, max=1, metavar="X", help="Probability to extend it.")
    ] = 0.4,
    matrix: Annotated[str, typer.Option("--mx", metavar="NAME", help="Substitution matrix.")] = "BLOSUM62",
    jobs: Workers = 1,
) -> None:
    """Search a database of proteins with each sequence of a file, as phmmer does."""
    from seqem.bio.alphabet import PROTEIN
    from seqem.io.database import stream
    from seqem.io.registry import read
    from seqem.profile.calibrate import calibrate
    from seqem.profile.search import search
    from seqem.profile.single_sequence import from_sequence

    batch = read(query, format="fasta", alphabet="protein")
    options = thresholds.options()
    with workers(jobs) as executor:
        found = []
        for name, residues in zip(batch.names or (), batch, strict=True):
            core = from_sequence(residues, PROTEIN, name=name, popen=popen, pextend=pextend, matrix=matrix)
            found.append(search(calibrate(core), stream(database, alphabet="protein"), options, executor=executor))
    results.write(found, options)
