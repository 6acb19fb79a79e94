"""``seqem speech verify``: who speaks, and whether it is who they claim to be."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqem.cli.options import Jobs, Json
from seqem.cli.outputs import print_json
from seqem.cli.speech_batch import Batch
from seqem.cli.speech_inputs import Heardable, Reader, Resample, loaded, recordings_of
from seqem.errors import DataError

if TYPE_CHECKING:
    from seqem.io.manifest import Recording


def verify(
    speakers: Annotated[str, typer.Argument(metavar="SPEAKERS", help="File that seqem speech enrol has written.")],
    inputs: Heardable,
    resample: Resample = False,
    jobs: Jobs = 1,
    json: Json = False,
) -> None:
    """Score recordings against every speaker: best speaker, score, and of who is claimed to speak; above 0 is likelier so.

    Where all recordings have a claim, the column speaker, rates of identification and equal error are told.
    """
    model = loaded(speakers, "gmm-ubm")
    batch = Batch(recordings_of(inputs), jobs, json)
    reader = Reader(model.features, resample)

    def work(recording: Recording) -> dict[str, float]:
        if recording.speaker not in (None, *model.speakers_):
            raise DataError(
                "the speaker is not enrolled",
                got=repr(recording.speaker),
                expected=f"one of {', '.join(model.speakers_)}",
            )
        return dict(zip(model.speakers_, model.scores([reader(recording).frames])[0].tolist(), strict=True))

    found = []
    for recording, scores in batch.each(work):
        (_print_json if json else _print)(recording, scores)
        found.append((recording.speaker, scores))
    if found and all(claimed is not None for claimed, _ in found):
        _report_rates(found)
    batch.finish()


def _print(recording: Recording, scores: dict[str, float]) -> None:
    best = max(scores, key=scores.__getitem__)
    cells = [str(recording.path), best, f"{scores[best]:.6g}"]
    if recording.speaker is not None:
        cells += [recording.speaker, f"{scores[recording.speaker]:.6g}"]
    print("\t".join(cells))


def _print_json(recording: Recording, scores: dict[str, float]) -> None:
    record: dict[str, Any] = {
        "path": str(recording.path),
        "best": max(scores, key=scores.__getitem__),
        "scores": scores,
    }
    if recording.speaker is not None:
        record |= {"claimed": recording.speaker, "score": scores[recording.speaker]}
    print_json(record)


def _report_rates(found: Sequence[tuple[Any, dict[str, float]]]) -> None:
    """Print how many speakers are found, and the equal error rate of true claims against those of all others."""
    from seqem.speech.error_rates import equal_error_rate

    right = sum(max(scores, key=scores.__getitem__) == claimed for claimed, scores in found)
    print(f"identified {right / len(found):.2%}: {right} of {len(found):,}", file=sys.stderr)
    targets = [scores[claimed] for claimed, scores in found]
    impostors = [score for claimed, scores in found for name, score in scores.items() if name != claimed]
    if impostors:
        rate = equal_error_rate(targets, impostors)
        print(f"equal error rate {rate:.2%}: {len(targets):,} true claims, {len(impostors):,} false", file=sys.stderr)
