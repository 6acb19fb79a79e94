"""``seqem decode``: the states of sequences."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqem.cli.inputs import Reading, Round
from seqem.cli.options import Inputs, Json, ModelFile, Output, StateNames, listed, named_states, one_of
from seqem.cli.outputs import write_rows

if TYPE_CHECKING:
    from seqem.core.batch import SequenceBatch
    from seqem.io.segments import Segment

_FORMS = ("path", "posterior", "bed", "gff3")
_ALGORITHMS = ("viterbi", "map")
_ENDS = {".bed": "bed", ".gff": "gff3", ".gff3": "gff3"}


def decode(
    model: ModelFile,
    inputs: Inputs,
    reading: Reading,
    output: Output = "-",
    form: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="FORM",
            callback=one_of(_FORMS),
            help=f"{', '.join(_FORMS)}; by default what the output's name says, or else path.",
        ),
    ] = None,
    algorithm: Annotated[
        str,
        typer.Option(
            "--algorithm",
            metavar="NAME",
            callback=one_of(_ALGORITHMS),
            help="viterbi: best path; map: best state of each row.",
        ),
    ] = "viterbi",
    names: StateNames = None,
    only: Annotated[
        str | None,
        typer.Option("--only", metavar="A,B,...", help="States whose segments are written, by name or number."),
    ] = None,
    scores: Annotated[
        bool,
        typer.Option("--scores", help="Score each segment by its mean posterior, which takes memory for all rows."),
    ] = False,
    json: Json = False,
) -> None:
    """Decode the sequences of each input into states.

    path and posterior are tables with a row for each position from 0; bed and gff3 hold a segment for each run of a state.
    """
    from seqem.io.models import load

    form = form or _form_of(output)
    segmental = form in ("bed", "gff3")
    if not segmental and (only is not None or scores):
        raise typer.BadParameter("--only and --scores are for --as bed and gff3")
    estimator = load(model)
    states = named_states(names, len(estimator.startprob_))
    decoder = _Decoder(estimator, algorithm, states, _chosen(only, states), scores)
    inputs_in_turn = Round(inputs, lambda path: reading.read(path, model=estimator), json)
    if segmental:
        _write_segments(output, form, inputs_in_turn.each(decoder.segments), json)
    elif form == "path":
        write_rows(output, ("sequence", "position", "state"), inputs_in_turn.each(decoder.path), json)
    else:
        write_rows(output, ("sequence", "position", *states), inputs_in_turn.each(decoder.posterior), json)
    inputs_in_turn.finish()


@dataclass(frozen=True)
class _Decoder:
    """Decode a batch in each of the forms; all that can fail is done before the first row is given."""

    estimator: Any
    algorithm: str
    states: list[str]
    chosen: frozenset[str]
    scores: bool

    def path(self, batch: SequenceBatch) -> Iterator[tuple[str, int, str]]:
        """Return rows of sequence, position and state."""
        _, path = self.estimator.decode(batch, algorithm=self.algorithm)
        return ((name, at, self.states[state]) for name, at, state in _placed(batch, path))

    def posterior(self, batch: SequenceBatch) -> Iterator[tuple[Any, ...]]:
        """Return rows of sequence, position and the probability of each state."""
        posterior = self.estimator.predict_proba(batch)
        return ((name, at, *row.tolist()) for name, at, row in _placed(batch, posterior))

    def segments(self, batch: SequenceBatch) -> Iterator[Segment]:
        """Return the runs of the chosen states."""
        from seqem.io.segments import segments

        _, path = self.estimator.decode(batch, algorithm=self.algorithm)
        posterior = self.estimator.predict_proba(batch) if self.scores else None
        return (
            segment
            for name, lo, hi in zip(batch.names or (), batch.offsets[:-1], batch.offsets[1:], strict=True)
            for segment in segments(
                path[lo:hi], name, states=self.states, posterior=None if posterior is None else posterior[lo:hi]
            )
            if segment.state in self.chosen
        )


def _placed(batch: SequenceBatch, rows: Any) -> Iterator[tuple[str, int, Any]]:
    """Yield name of the sequence, position in it, and row."""
    for name, lo, hi in zip(batch.names or (), batch.offsets[:-1], batch.offsets[1:], strict=True):
        for at, row in enumerate(rows[lo:hi]):
            yield name, at, row


def _write_segments(output: str, form: str, rows: Iterator[Segment], json: bool) -> None:
    from seqem.io.segments import Segment, write_bed, write_gff3

    if json and output == "-":
        write_rows(output, Segment._fields, rows, json)
    else:
        (write_bed if form == "bed" else write_gff3)(output, rows)


def _form_of(output: str) -> str:
    stem = output.lower().removesuffix(".gz")
    return _ENDS.get(os.path.splitext(stem)[1], "path")


def _chosen(only: str | None, states: list[str]) -> frozenset[str]:
    """Return the names of the states that are wanted."""
    by_number = {str(k): name for k, name in enumerate(states)} | {name: name for name in states}
    wanted = states if only is None else listed(only) or []
    unknown = [name for name in wanted if name not in by_number]
    if unknown:
        raise typer.BadParameter(f"--only: no state {', '.join(unknown)} among {', '.join(states)}")
    return frozenset(by_number[name] for name in wanted)
