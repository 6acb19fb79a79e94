"""``seqem speech recognise``: recordings to words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from seqem.cli.options import Jobs, Json, listed, writable
from seqem.cli.outputs import picture, print_json
from seqem.cli.speech_batch import Batch
from seqem.cli.speech_inputs import (
    Heard,
    Heardable,
    Resample,
    each_heard,
    loaded,
    recordings_of,
    want_transcripts,
)
from seqem.cli.speech_names import names_of
from seqem.cli.speech_score import draw_confusions, report_errors
from seqem.errors import DataError

if TYPE_CHECKING:
    from seqem.io.manifest import Recording
    from seqem.speech.network import WordNetwork
    from seqem.speech.recognition import Recognition

SpeechModel = Annotated[str, typer.Argument(metavar="MODEL", help="File that seqem speech train has written.")]


class Answer(NamedTuple):
    """Readings of a recording, best first, and how long it is in seconds."""

    readings: list[Recognition]
    seconds: float


@dataclass(frozen=True)
class Language:
    """What may be said, and what it costs; None is as the model was trained."""

    grammar: Annotated[str | None, typer.Option("--grammar", metavar="FILE", help="Sentences of a JSGF grammar.")] = (
        None
    )
    lm: Annotated[str | None, typer.Option("--lm", metavar="FILE", help="An n-gram model, ARPA format.")] = None
    words: Annotated[
        str | None, typer.Option("--words", metavar="A,B,...", help="Any of these words, one after another.")
    ] = None
    language_weight: Annotated[
        float | None,
        typer.Option("--language-weight", min=0, metavar="X", help="Weight of the language; 10 by default."),
    ] = None
    word_penalty: Annotated[
        float | None, typer.Option("--word-penalty", metavar="X", help="Logarithm added for each word; 0 by default.")
    ] = None
    beam: Annotated[
        float | None,
        typer.Option("--beam", min=0, metavar="X", help="Cut what is so far below the best; by default nothing."),
    ] = None

    def applied(self, model: Any) -> WordNetwork | None:
        """Set the weights of a model, and return what may be said, None for what the model takes by itself."""
        given = {name: getattr(self, name) for name in ("language_weight", "word_penalty", "beam")}
        model.set_params(**{name: value for name, value in given.items() if value is not None})
        network = self._network()
        missing = () if network is None else model.lexicon_.missing(network.words)
        if missing:
            raise DataError(
                "words are not in the lexicon of the model", got=list(missing),
                expected=f"some of its {len(model.lexicon_.entries)} words",
            )  # fmt: skip
        return network

    def _network(self) -> WordNetwork | None:
        from seqem.io.arpa import read_arpa
        from seqem.io.jsgf import read_jsgf
        from seqem.speech.network import word_loop

        given = [f"--{name}" for name in ("grammar", "lm", "words") if getattr(self, name) is not None]
        if len(given) > 1:
            raise typer.BadParameter(f"only one of {', '.join(given)}")
        if self.grammar is not None:
            return read_jsgf(self.grammar)
        if self.lm is not None:
            return read_arpa(self.lm).network()
        words = listed(self.words)
        return None if words is None else word_loop(words)


@dataclass(frozen=True)
class Reports:
    """What is written beside the words."""

    score: Annotated[
        bool, typer.Option("--score", help="Compare with the transcripts and tell error rates and confusions.")
    ] = False
    ctm: Annotated[
        str | None,
        typer.Option("--ctm", metavar="FILE", callback=writable, help="Where to write words with times, CTM."),
    ] = None
    confusions: Annotated[
        str | None,
        typer.Option(
            "--confusions", metavar="FILE", callback=writable, help="Where to draw which word is taken for which."
        ),
    ] = None

    def check(self, recordings: Sequence[Recording], inputs: Sequence[str]) -> dict[Recording, str]:
        """Refuse before the work what cannot be written after it; return the names that a CTM gives to recordings."""
        if self.confusions is not None:
            picture(self.confusions)
        if self.score or self.confusions is not None:
            want_transcripts(recordings, "--score and --confusions")
        if self.ctm is None:
            return {}
        names = names_of(recordings, inputs[0])
        blank = next((name for name in names if name.split() != [name]), None)
        if blank is not None:
            raise DataError("a CTM cannot name the recording", got=repr(blank), expected="a name without blanks")
        return dict(zip(recordings, names, strict=True))

    def write(self, found: Sequence[tuple[Recording, Answer]], names: dict[Recording, str]) -> None:
        """Write what was asked for."""
        if self.ctm is not None:
            from seqem.io.ctm import write_ctm
            from seqem.speech.alignment import Alignment

            tiers = ((names[row], answer.seconds, answer.readings[0].segments) for row, answer in found)
            write_ctm(self.ctm, {name: Alignment(seconds, {"words": said}) for name, seconds, said in tiers})
        if self.score or self.confusions is not None:
            from seqem.speech.scoring import word_errors

            recordings = [row for row, _ in found]
            errors = word_errors([str(row.transcript) for row in recordings], [a.readings[0].words for _, a in found])
            if self.score:
                report_errors(errors, [row.speaker for row in recordings])
            if self.confusions is not None:
                draw_confusions(errors, self.confusions)


def recognise(
    model: SpeechModel,
    inputs: Heardable,
    language: Language,
    reports: Reports,
    n_best: Annotated[int, typer.Option("--n-best", min=1, metavar="N", help="Most readings of each recording.")] = 1,
    resample: Resample = False,
    jobs: Jobs = 1,
    json: Json = False,
) -> None:
    """Recognise the words of recordings, a line for each; a bad recording does not stop the others."""
    recogniser = loaded(model, "speech-recogniser")
    recordings = recordings_of(inputs)
    names = reports.check(recordings, inputs)
    search = recogniser.search(language.applied(recogniser), n_best=n_best)
    batch = Batch(recordings, jobs, json)

    def work(model: Any, heard: Heard) -> Answer:
        return Answer(model.recognise([heard.frames], search)[0], heard.seconds)

    found = []
    for recording, answer in each_heard(recogniser, batch, resample, work):
        (_print_json if json else _print)(recording, answer.readings, n_best)
        found.append((recording, answer))
    reports.write(found, names)
    batch.finish()


def _print(recording: Recording, readings: Sequence[Recognition], n_best: int) -> None:
    for reading in readings:
        print(f"{recording.path}\t{' '.join(reading.words)}")


def _print_json(recording: Recording, readings: Sequence[Recognition], n_best: int) -> None:
    best = readings[0]
    record = {
        "path": str(recording.path),
        "words": best.words,
        "log_likelihood": best.log_likelihood,
        "confidence": best.confidence,
        "segments": [
            {"word": segment.label, "start": segment.start, "end": segment.end, "confidence": segment.posterior}
            for segment in best.segments
        ],
    }
    if n_best > 1:
        parts = ("words", "score", "log_likelihood", "confidence")
        record["n_best"] = [{name: getattr(reading, name) for name in parts} for reading in readings]
    print_json(record)
