"""``seqem phmmer``: one sequence against a sequence database."""

from __future__ import annotations

from dataclasses import replace
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
        float | None,
        typer.Option("--popen", min=0, max=0.5, metavar="X", help="Probability to open a gap: 0.02, of DNA 0.03125."),
    ] = None,
    pextend: Annotated[
        float | None,
        typer.Option("--pextend", min=0, max=1, metavar="X", help="Probability to extend it: 0.4, of DNA 0.75."),
    ] = None,
    matrix: Annotated[
        str | None, typer.Option("--mx", metavar="NAME", help="Substitution matrix: BLOSUM62, of DNA DNA1.")
    ] = None,
    jobs: Workers = 1,
) -> None:
    """Search a database with each sequence of a file, as phmmer and, for DNA and RNA, nhmmer do."""
    from seqem.bio.alphabet import alphabet_of
    from seqem.io.database import stream
    from seqem.io.registry import read
    from seqem.profile.calibrate import calibrate
    from seqem.profile.search import search
    from seqem.profile.single_sequence import from_sequence

    batch = read(query, format="fasta")
    alphabet = alphabet_of(batch.alphabet or "")
    options = thresholds.options()
    with workers(jobs) as executor:
        found = []
        for name, residues in zip(batch.names or (), batch, strict=True):
            core = from_sequence(residues, alphabet, name=name, popen=popen, pextend=pextend, matrix=matrix)
            hits = search(calibrate(core), stream(database, alphabet=alphabet.name), options, executor=executor)
            found.append(replace(hits, query=hits.query._replace(is_sequence=True)))
    results.write(found, options)
