"""``seqem align``: sequences to a profile HMM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from seqem.cli.options import Output, one_of
from seqem.cli.profile_options import Model

if TYPE_CHECKING:
    from seqem.profile.configure import Mode

_FORMATS = ("stockholm", "afa", "a2m")


def align(
    model: Model,
    sequences: Annotated[str, typer.Argument(metavar="SEQUENCES", help="FASTA, not aligned; - is standard input.")],
    output: Output = "-",
    trim: Annotated[bool, typer.Option("--trim", help="Leave out what lies outside of the model.")] = False,
    glocal: Annotated[bool, typer.Option("--glocal", help="Sequences hold the whole domain.")] = False,
    all_domains: Annotated[bool, typer.Option("--all-domains", help="Align every domain of a sequence.")] = False,
    mapali: Annotated[
        str | None, typer.Option("--mapali", metavar="FILE", help="Show the alignment that the model was built from.")
    ] = None,
    outformat: Annotated[
        str, typer.Option("--outformat", metavar="NAME", callback=one_of(_FORMATS), help="stockholm, afa or a2m.")
    ] = "stockholm",
) -> None:
    """Align sequences to the first model of a file, as hmmalign does."""
    from seqem.io.alignments import read_alignment, write_alignment
    from seqem.io.hmmer3 import read_model
    from seqem.io.registry import read
    from seqem.io.stockholm_write import write_stockholm
    from seqem.profile.align import align as align_to

    core = read_model(model)
    batch = read(sequences, format="fasta", alphabet=core.alphabet.name)
    first = None if mapali is None else read_alignment(mapali, alphabet=core.alphabet.name)
    mode: Mode = "glocal" if glocal else "local"
    family = align_to(core, batch, mode=mode, trim=trim, all_domains=all_domains, first=first)
    if outformat == "stockholm":
        write_stockholm(output, family.alignment, family.posteriors, family.consensus)
    else:
        write_alignment(output, family.alignment, format=outformat)
