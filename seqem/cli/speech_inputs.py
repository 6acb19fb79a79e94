"""Recordings of the speech verbs: what a manifest lists, as frames."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from seqem.errors import DataError, ParameterError, RecordingsError

if TYPE_CHECKING:
    from seqem.cli.speech_batch import Batch
    from seqem.io.manifest import Recording
    from seqem.shapes import Array
    from seqem.speech.features import Features

_TABLES = (".csv", ".tsv", ".txt")
_MOST_NAMED = 5

Manifest = Annotated[
    str,
    typer.Argument(
        metavar="MANIFEST", help="Table of recordings with the columns path, transcript, speaker; - is standard input."
    ),
]
Heardable = Annotated[
    list[str],
    typer.Argument(metavar="MANIFEST", help="Table of recordings with a column path, or the recordings themselves."),
]
SampleRate = Annotated[
    int | None,
    typer.Option("--sample-rate", min=1, metavar="HZ", help="Resample; by default all must be recorded alike."),
]
Resample = Annotated[bool, typer.Option("--resample", help="Resample recordings to the sample rate of the model.")]


class Heard(NamedTuple):
    """A recording, its frames (T, D), and how long it is in seconds."""

    recording: Recording
    frames: Array
    seconds: float


@dataclass(frozen=True)
class Reader:
    """Read recordings as frames.

    Attributes
    ----------
    features : Features
        What samples are turned to; it knows the sample rate.
    resample : bool
        Whether recordings may have another sample rate.
    """

    features: Features
    resample: bool

    def __call__(self, recording: Recording) -> Heard:
        """Return the frames of a recording; DataError where it has none, is silent, or has another sample rate."""
        from seqem.io.audio import read_audio
        from seqem.speech.front_end import FrontEnd

        rate = round(self.features.sample_rate)
        audio = read_audio(recording.path, sample_rate=rate if self.resample else None)
        if audio.sample_rate != rate:
            raise DataError(
                "wrong sample rate", got=f"{audio.sample_rate} Hz", expected=f"{rate} Hz, as the model", hint="--resample"
            )  # fmt: skip
        try:
            frames = FrontEnd(self.features, None)([audio.samples])[0]
        except RecordingsError as error:
            raise DataError(error.reasons[0]) from error
        return Heard(recording, frames, len(audio.samples) / rate)


def recordings_of(paths: Sequence[str]) -> list[Recording]:
    """Return the recordings that manifests list, and those that are given themselves."""
    from seqem.io.manifest import Recording, read_manifest

    found: list[Recording] = []
    for path in paths:
        found += read_manifest(path) if _is_table(path) else [Recording(Path(path), None, None)]
    return found


def _is_table(path: str) -> bool:
    from seqem.io.streams import PACKED, STANDARD

    stem, ending = os.path.splitext(path.lower())
    return path == STANDARD or (os.path.splitext(stem)[1] if ending in PACKED else ending) in _TABLES


def want_speakers(recordings: Sequence[Recording], why: str) -> list[str]:
    """Return who speaks in each recording; DataError that names those of which the manifest does not tell."""
    unknown = [str(recording.path) for recording in recordings if recording.speaker is None]
    if unknown:
        named = ", ".join(unknown[:_MOST_NAMED]) + (" ..." if len(unknown) > _MOST_NAMED else "")
        raise DataError(f"{why} wants a speaker for each recording", got=f"none for {len(unknown)}: {named}",
                        hint="fill the column 'speaker' of the manifest")  # fmt: skip
    return [str(recording.speaker) for recording in recordings]


def want_transcripts(recordings: Sequence[Recording], why: str) -> list[str]:
    """Return what is said in each recording; DataError where the manifest does not tell."""
    if any(recording.transcript is None for recording in recordings):
        raise DataError(f"{why} wants transcripts", expected="a column 'transcript' in the manifest")
    return [str(recording.transcript) for recording in recordings]


def common_rate(recordings: Sequence[Recording]) -> int:
    """Return the sample rate of recordings; DataError where they have several, or none can be read."""
    import soundfile

    found: dict[int, list[str]] = {}
    for recording in recordings:
        try:
            rate = soundfile.info(os.fspath(recording.path)).samplerate
        except (soundfile.LibsndfileError, OSError):
            continue  # whoever reads it will say what is wrong
        found.setdefault(rate, []).append(str(recording.path))
    if len(found) > 1:
        got = ", ".join(f"{rate} Hz in {len(paths)}, such as {paths[0]}" for rate, paths in sorted(found.items()))
        hint = f"--sample-rate {min(found)} resamples"
        raise DataError("recordings have several sample rates", got=got, expected="the same in all", hint=hint)
    # A file that cannot be read is an error of its own, whatever the rate.
    return next(iter(found), 16000)


def each_heard(model: Any, batch: Batch, resample: bool, work: Callable[[Any, Heard], Any]) -> Iterator[Any]:
    """Yield each recording with what ``work(model, heard)`` makes of it.

    Only a model that normalises by speaker wants all recordings before the first is worked on.
    """
    reader = Reader(model.features, resample)
    if model.normalise != "speaker":
        yield from batch.each(lambda recording: work(model, reader(recording)))
        return
    want_speakers(batch.recordings, "a model normalised by speaker")
    heard = [each for _, each in batch.each(reader)]
    ready = copy(model).set_params(normalise=None)
    pairs = zip(heard, _by_speaker(model, heard), strict=True)
    yield from batch.each(lambda each: work(ready, each), ((h.recording, h._replace(frames=f)) for h, f in pairs))


def _by_speaker(model: Any, heard: Sequence[Heard]) -> list[Array]:
    from seqem.speech.front_end import FrontEnd

    front_end = FrontEnd(model.features, model.normalise, model.variance)
    return front_end([each.frames for each in heard], [each.recording.speaker for each in heard])


def refuse_unknown_words(recording: Recording, lexicon: Any) -> None:
    """Refuse a recording whose transcript has words that the lexicon has not."""
    missing = lexicon.missing((recording.transcript or "").split())
    if missing:
        raise DataError("words are not in the lexicon", got=list(missing), hint="add them, or correct the transcript")


def loaded(path: str, kind: str) -> Any:
    """Return the model of a file; ParameterError where it is another kind of model."""
    from seqem.catalog import SPEECH
    from seqem.io.models import load

    model, wanted = load(path), SPEECH[kind].public_name
    if type(model).__name__ != wanted:
        raise ParameterError(f"{path}: not the model for this verb", got=type(model).__name__, expected=wanted)
    return model
