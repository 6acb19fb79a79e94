"""``seqem search``: profile HMMs against a sequence database."""

from __future__ import annotations

from typing import Annotated

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
    jobs: Workers = 1,
) -> None:
    """Search a database of sequences with each model of a file, as hmmsearch does."""
    from seqem.io.database import stream
    from seqem.profile.search import search as search_database

    options = thresholds.options()
    models = checked_models(model)
    with workers(jobs) as executor:
        found = [
            search_database(core, stream(database, alphabet=core.alphabet.name), options, executor=executor)
            for core in models
        ]
    results.write(found, options)
    if alignment is not None:
        from seqem.io.stockholm_write import write_stockholm
        from seqem.profile.iterate import included_alignment

        family = included_alignment(models[0], found[0])
        write_stockholm(alignment, family.alignment, family.posteriors, family.consensus)
