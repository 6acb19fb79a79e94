"""``seqem emit``: sequences from profile HMMs."""

from __future__ import annotations

from typing import Annotated

import typer

from seqem.cli.options import Output, Seed
from seqem.cli.profile_options import Model


def emit(
    model: Model,
    output: Output = "-",
    number: Annotated[int, typer.Option("-N", min=1, metavar="N", help="Sequences to draw from each model.")] = 1,
    consensus: Annotated[bool, typer.Option("--consensus", "-c", help="The consensus in place of samples.")] = False,
    seed: Seed = 0,
) -> None:
    """Draw sequences from each model of a file, or print its consensus, as FASTA."""
    import numpy as np

    from seqem.core.batch import SequenceBatch
    from seqem.io.fasta import write_fasta
    from seqem.io.hmmer3 import read_models
    from seqem.profile import emit as emission

    rng = np.random.default_rng(seed)
    names: list[str] = []
    sequences: list[np.ndarray] = []
    letters = ""
    for core in read_models(model):
        letters = core.alphabet.letters
        if consensus:
            names.append(f"{core.name}-consensus")
            sequences.append(core.alphabet.encode(emission.consensus(core)))
        else:
            drawn = emission.sample(core, number, rng)
            names += drawn.names or ()
            sequences += list(drawn)
    write_fasta(output, SequenceBatch.of(sequences, names=tuple(names), alphabet=letters))
