"""``seqem convert``: profile HMMs, alignments and sequences from one format to another."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from seqem.cli.options import one_of, writable

_ALIGNMENTS = {".sto": "stockholm", ".stk": "stockholm", ".afa": "afa", ".fa": "afa", ".a2m": "a2m"}
_TO = ("hmm", "database", "stockholm", "afa", "a2m")


def convert(
    source: Annotated[str, typer.Argument(metavar="IN", help="Profile HMMs, an alignment, or sequences.")],
    target: Annotated[str, typer.Argument(metavar="OUT", callback=writable, help="The new file.")],
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="NAME", callback=one_of(_TO), help=f"{', '.join(_TO)}; by OUT's name by default."),
    ] = None,
) -> None:
    """Convert profile HMMs (3/a to 3/f) to 3/f, alignments to Stockholm, aligned FASTA or A2M, FASTA to a database."""
    from seqem.io.alignments import read_alignment, write_alignment
    from seqem.io.database import prepare
    from seqem.io.hmmer3 import read_models, write_models

    extension = os.path.splitext(target.removesuffix(".gz"))[1].lower()
    kind = to or {".hmm": "hmm", ".sqdb": "database"}.get(extension) or _ALIGNMENTS.get(extension)
    if kind is None:
        raise typer.BadParameter(f"{target}: say what to convert to: --to {', '.join(_TO)}")
    if kind == "hmm":
        write_models(target, list(read_models(source)))
    elif kind == "database":
        prepare(source, target)
    else:
        write_alignment(target, read_alignment(source), format=kind)
