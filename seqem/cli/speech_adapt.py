"""``seqem speech adapt``: a recogniser for one speaker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqem.cli.fit import plural
from seqem.cli.inputs import workers
from seqem.cli.options import Jobs, Json, ModelOutput, one_of
from seqem.cli.outputs import print_json
from seqem.cli.speech_batch import Batch
from seqem.cli.speech_fit import with_those_that_fit, words_of
from seqem.cli.speech_inputs import Heard, Manifest, Reader, Resample, loaded, refuse_unknown_words
from seqem.cli.speech_recognise import SpeechModel
from seqem.errors import DataError

if TYPE_CHECKING:
    from seqem.io.manifest import Recording

_METHODS = ("cmllr", "mllr", "map")


def adapt(
    model: SpeechModel,
    manifest: Manifest,
    output: ModelOutput,
    method: Annotated[
        str,
        typer.Option(
            "--method",
            metavar="NAME",
            callback=one_of(_METHODS),
            help="cmllr transforms the frames, mllr the means, map moves each Gaussian; map wants minutes, the others seconds.",
        ),
    ] = "cmllr",
    speaker: Annotated[
        str | None, typer.Option("--speaker", metavar="NAME", help="Take this speaker's recordings only.")
    ] = None,
    resample: Resample = False,
    jobs: Jobs = 1,
    json: Json = False,
) -> None:
    """Adapt a recogniser to one speaker; without transcripts to what it hears. A bad recording does not stop it."""
    from seqem.io.manifest import read_manifest
    from seqem.io.models import save

    recogniser = loaded(model, "speech-recogniser")
    batch = Batch(_of_one(read_manifest(manifest), speaker), jobs)
    reader, told = Reader(recogniser.features, resample), batch.recordings[0].transcript is not None

    def hear(recording: Recording) -> Heard:
        refuse_unknown_words(recording, recogniser.lexicon_)
        return reader(recording)

    heard = [each for _, each in batch.each(hear)]
    with workers(jobs) as executor:

        def run(part: Any) -> Any:
            said = words_of(part) if told else None
            return recogniser.adapt([each.frames for each in part], said, method=method, executor=executor)

        adapted, heard = with_those_that_fit(run, heard, batch)
    save(output, adapted)
    seconds = sum(each.seconds for each in heard)
    if json:
        unused = [{"path": path, "error": error} for path, error in batch.failed]
        facts = {"output": output, "method": method, "transcripts": told, "recordings": len(heard)}
        print_json({**facts, "audio_seconds": round(seconds, 3), "unused": unused})
    else:
        print(
            f"{method} on {plural(len(heard), 'recording')}, {seconds:.1f} s, {'' if told else 'without '}transcripts"
        )
        print(f"wrote {output}")
    batch.summary()


def _of_one(recordings: list[Recording], speaker: str | None) -> list[Recording]:
    """Return the recordings of one speaker; DataError where there are several, or none of that name."""
    speakers = sorted({str(recording.speaker) for recording in recordings if recording.speaker is not None})
    if speaker is None:
        if len(speakers) > 1:
            raise DataError(
                "the manifest has several speakers", got=", ".join(speakers), hint="choose one by --speaker"
            )
        return recordings
    if speaker not in speakers:
        raise DataError(
            "no recording of this speaker", got=repr(speaker), expected=f"one of {', '.join(speakers) or 'none'}"
        )
    return [recording for recording in recordings if recording.speaker == speaker]
