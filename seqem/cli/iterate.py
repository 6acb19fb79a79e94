"""``seqem iterate``: search in rounds, each with what the one before has found."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from seqem.cli.inputs import workers
from seqem.cli.phmmer import Query
from seqem.cli.profile_options import Database, Results, Thresholds, Workers

if TYPE_CHECKING:
    from seqem.profile.iterate import Round


def iterate(
    query: Query,
    database: Database,
    thresholds: Thresholds,
    results: Results,
    rounds: Annotated[int, typer.Option("-N", min=1, metavar="N", help="Most rounds.")] = 5,
    chkhmm: Annotated[str | None, typer.Option("--chkhmm", metavar="PREFIX", help="Keep each round's model.")] = None,
    chkali: Annotated[
        str | None, typer.Option("--chkali", metavar="PREFIX", help="Keep each round's alignment.")
    ] = None,
    jobs: Workers = 1,
) -> None:
    """Search a database of proteins in rounds, as jackhmmer does; the report is that of the last round."""
    from seqem.io.database import stream
    from seqem.io.hmmer3 import write_models
    from seqem.io.registry import read
    from seqem.io.stockholm_write import write_stockholm
    from seqem.profile.iterate import iterate as search_in_rounds

    def keep(done: Round) -> None:
        print(f"round {done.number}: {len(done.hits)} targets, {done.n_new} new", file=sys.stderr)
        if chkhmm is not None:
            write_models(f"{chkhmm}-{done.number}.hmm", [done.core])
        if chkali is not None:
            family = done.alignment
            write_stockholm(f"{chkali}-{done.number}.sto", family.alignment, family.posteriors, family.consensus)

    options = thresholds.options(include=0.001)
    batch = read(query, format="fasta", alphabet="protein")
    with workers(jobs) as executor:
        done = search_in_rounds(
            batch,
            lambda: stream(database, alphabet="protein"),
            options,
            rounds=rounds,
            executor=executor,
            on_round=keep,
        )
    results.write([done[-1].hits], options)
