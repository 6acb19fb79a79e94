"""``seqem search``: profile HMMs against a sequence database."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from seqem.cli.inputs import workers
from seqem.cli.options import writable
from seqem.cli.profile_options import Database, Model, Results, Thresholds, Workers, checked_models


def search(
    model: Model,
    database: Database,
    thresholds: Thresholds,
    results: Results,
    alignment: Annotated[
        str | None,
        typer.Option(
            "--alignment", "-A", metavar="FILE", callback=writable, help="Where to write significant domains, aligned."
        ),
    ] = None,
    watson: Annotated[bool, typer.Option("--watson", help="Search DNA on the strand as given only.")] = False,
    crick: Annotated[bool, typer.Option("--crick", help="Search DNA on the reverse complement only.")] = False,
    jobs: Workers = 1,
) -> None:
    """Search a database of sequences with each model of a file, as hmmsearch and, for DNA and RNA, nhmmer do."""
    from seqem.io.database import stream
    from seqem.profile.search import search as search_database

    options = thresholds.options()
    both: tuple[tuple[Literal["watson", "crick"], bool], ...] = (("watson", watson), ("crick", crick))
    strands = [name for name, alone in both if alone or watson == crick]
    models = checked_models(model)
    with workers(jobs) as executor:
        found = [
            search_database(
                core, stream(database, alphabet=core.alphabet.name), options, strands=strands, executor=executor
            )
            for core in models
        ]
    results.write(found, options)
    if alignment is not None:
        from seqem.io.stockholm_write import stockholm_lines
        from seqem.io.streams import atomic_write
        from seqem.profile.iterate import included_alignment

        families = (included_alignment(core, hits) for core, hits in zip(models, found, strict=True))
        with atomic_write(alignment) as handle:
            for family in families:
                handle.writelines(stockholm_lines(family.alignment, family.posteriors, family.consensus))
