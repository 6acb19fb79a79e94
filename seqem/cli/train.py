"""``seqem train``: a profile HMM from sequences that nobody has aligned."""

from __future__ import annotations

import os
import time
from typing import Annotated, Any

import typer

from seqem.cli.inputs import workers
from seqem.cli.options import CheckpointFile, ModelOutput, Seed, one_of, resumed, watchers, writable
from seqem.cli.profile_options import Workers

_ALPHABETS = ("auto", "protein", "dna", "rna")


def train(
    sequences: Annotated[str, typer.Argument(metavar="SEQUENCES", help="The family, FASTA; - is standard input.")],
    output: ModelOutput,
    name: Annotated[
        str | None, typer.Option("--name", "-n", metavar="NAME", help="Name of the model; the file's by default.")
    ] = None,
    nodes: Annotated[
        int | None, typer.Option("--nodes", min=1, metavar="N", help="Length of the model; found by default.")
    ] = None,
    local: Annotated[bool, typer.Option("--local", help="Sequences may hold a part of the domain.")] = False,
    multihit: Annotated[bool, typer.Option("--multihit", help="Sequences may hold several domains.")] = False,
    starts: Annotated[int, typer.Option("--starts", min=1, metavar="N", help="Starts; the best is kept.")] = 4,
    iterations: Annotated[
        int, typer.Option("--iterations", min=1, metavar="N", help="Most iterations between two surgeries.")
    ] = 60,
    alignment: Annotated[
        str | None,
        typer.Option("--alignment", metavar="FILE", callback=writable, help="Where to write the family, aligned."),
    ] = None,
    online: Annotated[
        bool, typer.Option("--online", help="Learn after each few hundred sequences of a large family.")
    ] = False,
    checkpoint: CheckpointFile = None,
    alphabet: Annotated[
        str, typer.Option("--alphabet", metavar="NAME", callback=one_of(_ALPHABETS), help="auto, protein, dna or rna.")
    ] = "auto",
    seed: Seed = 0,
    jobs: Workers = 1,
) -> None:
    """Train a profile HMM on unaligned sequences by Baum-Welch, with surgery that finds its length."""
    from seqem.io.stockholm_write import write_stockholm
    from seqem.profile.estimator import ProfileHMM

    batch = _family(sequences, alphabet)
    estimator = ProfileHMM(
        nodes,
        mode="local" if local else "glocal",
        multihit=multihit,
        n_init=starts,
        max_iter=iterations,
        method="online" if online else "em",
        random_state=seed,
    )
    resume = resumed(checkpoint, lambda: ProfileHMM.like)
    started = time.perf_counter()
    with workers(jobs) as executor:
        estimator.fit(
            batch, name=name or stem(sequences), executor=executor, callbacks=watchers(checkpoint), resume=resume
        )
    seconds = time.perf_counter() - started
    estimator.save(output)
    if alignment is not None:
        family = estimator.alignment_
        write_stockholm(alignment, family.alignment, family.posteriors, family.consensus)
    core = estimator.core
    print(
        f"{core.name}: {len(batch):,} sequences, {batch.n_rows:,} residues; {core.n_nodes} nodes in {seconds:.1f} s, "
        f"effective number of sequences {core.effective_number:.2f}"
    )
    print(f"wrote {output}")


def _family(path: str, alphabet: str) -> Any:
    """Return the sequences of a file; gaps of a file that is aligned are taken out, and it is said."""
    import warnings

    from seqem.errors import FormatError, SeqemWarning
    from seqem.io.alignments import read_alignment
    from seqem.io.registry import read

    try:
        return read(path, format="fasta", alphabet=alphabet)
    except FormatError as unaligned:
        try:
            rows = read_alignment(path, alphabet=alphabet)
        except FormatError:
            raise unaligned from None
    warnings.warn(f"{path} is aligned; its gaps are taken out", SeqemWarning, stacklevel=2)
    return rows.without_gaps()


def stem(path: str) -> str:
    """Return the name of a file without folder and extensions."""
    return os.path.basename(path).partition(".")[0] or "family"
