"""``seqem scan``: sequences against a library of profile HMMs."""

from __future__ import annotations

from typing import Annotated

import typer

from seqem.cli.inputs import workers
from seqem.cli.profile_options import Model, Results, Thresholds, Workers, checked_models


def scan(
    model: Model,
    sequences: Annotated[str, typer.Argument(metavar="SEQUENCES", help="FASTA, plain or gz; - is standard input.")],
    thresholds: Thresholds,
    results: Results,
    jobs: Workers = 1,
) -> None:
    """Find the domains of each sequence among the models of a file, as hmmscan does."""
    from seqem.io.registry import read
    from seqem.profile.scan import scan as scan_library

    models = checked_models(model)
    batch = read(sequences, alphabet=models[0].alphabet.name)
    options = thresholds.options()
    with workers(jobs) as executor:
        results.write(scan_library(batch, models, options, executor=executor), options, "scan")
