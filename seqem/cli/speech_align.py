"""``seqem speech align``: when each word and phone of a transcript was said."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqem.cli.options import Jobs, Json, one_of
from seqem.cli.outputs import print_json, save_figure
from seqem.cli.speech_batch import Batch
from seqem.cli.speech_inputs import (
    Heard,
    Manifest,
    Resample,
    each_heard,
    loaded,
    refuse_unknown_words,
    want_transcripts,
)
from seqem.cli.speech_names import names_of
from seqem.cli.speech_recognise import SpeechModel
from seqem.errors import SeqemError

if TYPE_CHECKING:
    from seqem.io.manifest import Recording
    from seqem.speech.alignment import Alignment

_ENDINGS = {"textgrid": ".TextGrid", "textgrid-short": ".TextGrid", "ctm": ".ctm", "json": ".json"}
_SUMMARY = "summary.csv"
_COLUMNS = (
    "path", "status", "output", "seconds", "log_likelihood_per_frame", "mean_posterior", "worst_word", "worst_posterior",
)  # fmt: skip
_WIDTH, _SHIFT = 0.008, 0.002  # seconds, of the picture: wide bands, which show formants


def _folder(path: str) -> str:
    """Return the path of a folder that is to be filled, and made where it is not there."""
    if os.path.exists(path) and not os.path.isdir(path):
        raise typer.BadParameter(f"{path} is no folder")
    return path


def align(
    model: SpeechModel,
    manifest: Manifest,
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="FOLDER", callback=_folder, help="Where to write; made where it is not there."
        ),
    ],
    form: Annotated[
        str, typer.Option("--format", metavar="NAME", callback=one_of(_ENDINGS), help=f"{', '.join(_ENDINGS)}.")
    ] = "textgrid",
    plot: Annotated[bool, typer.Option("--plot", help="Draw spectrogram and tiers of each recording too.")] = False,
    resample: Resample = False,
    jobs: Jobs = 1,
    json: Json = False,
) -> None:
    """Align recordings with their transcripts: a file for each and summary.csv; a bad one does not stop the others."""
    from seqem.io.manifest import read_manifest

    recogniser = loaded(model, "speech-recogniser")
    recordings = read_manifest(manifest)
    want_transcripts(recordings, "alignment")
    stems = [os.path.join(output, name) for name in names_of(recordings, manifest)]
    targets = dict(zip(recordings, stems, strict=True))
    batch = Batch(recordings, jobs, json)
    rows: dict[Recording, dict[str, Any]] = {}
    for recording, (alignment, n_frames) in each_heard(recogniser, batch, resample, _aligned):
        target = targets[recording] + _ENDINGS[form]
        try:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            _writer(form)(target, alignment)
        except (SeqemError, OSError) as error:  # such as a word that the format cannot hold
            batch.note(recording, error)
            continue
        if plot:
            _draw(recording, alignment, round(recogniser.features.sample_rate), targets[recording] + ".png")
        row = {"path": str(recording.path), "status": "ok", "output": target, **_facts(alignment, n_frames)}
        rows[recording] = row
        if json:
            print_json(row)
    os.makedirs(output, exist_ok=True)
    summary = os.path.join(output, _SUMMARY)
    _write_summary(summary, [rows.get(r, {"path": str(r.path)}) for r in recordings], dict(batch.failed))
    if not json:
        print(f"wrote {len(rows):,} of {len(recordings):,} alignments and {summary}")
    batch.finish()


def _aligned(model: Any, heard: Heard) -> tuple[Alignment, int]:
    """Return the alignment of a recording to its end, and the number of its frames."""
    refuse_unknown_words(heard.recording, model.lexicon_)
    alignment = model.align([heard.frames], [heard.recording.transcript or ""])[0]
    return replace(alignment, duration=heard.seconds), len(heard.frames)


def _writer(form: str) -> Callable[[str, Alignment], None]:
    from functools import partial

    from seqem.io.alignment_json import write_alignment_json
    from seqem.io.textgrid import write_textgrid

    if form == "json":
        return write_alignment_json
    return _write_ctm if form == "ctm" else partial(write_textgrid, form="short" if form.endswith("short") else "long")


def _write_ctm(path: str, alignment: Alignment) -> None:
    from seqem.io.ctm import write_ctm

    name = os.path.splitext(os.path.basename(path))[0]
    write_ctm(path, {"_".join(name.split()): alignment})


def _facts(alignment: Alignment, n_frames: int) -> dict[str, Any]:
    """Return how well a transcript fits its recording."""
    words, phones = alignment.words, alignment.tiers["phones"]
    worst = min(words, key=lambda word: word.posterior or 0.0, default=None)
    total = sum(phone.end - phone.start for phone in phones)
    return {
        "seconds": round(alignment.duration, 6),
        "log_likelihood_per_frame": (alignment.log_likelihood or 0.0) / n_frames,
        "mean_posterior": sum((p.end - p.start) * (p.posterior or 0.0) for p in phones) / total,
        "worst_word": worst and worst.label,
        "worst_posterior": worst and worst.posterior,
    }


def _write_summary(path: str, rows: Sequence[dict[str, Any]], failed: dict[str, str]) -> None:
    from seqem.io.streams import atomic_write

    with atomic_write(path) as handle:
        table = csv.DictWriter(handle, _COLUMNS, lineterminator="\n")
        table.writeheader()
        for row in rows:
            table.writerow({"status": failed.get(row["path"]), **row})


def _draw(recording: Recording, alignment: Alignment, rate: int, path: str) -> None:
    from seqem.io.audio import read_audio
    from seqem.plot.spectrogram import plot_spectrogram
    from seqem.speech.features import Features

    sound = Features(kind="spectrogram", sample_rate=rate, width=_WIDTH, shift=_SHIFT, delta_order=0)
    tiers = {
        name: [(s.start, s.end, s.label, s.posterior) for s in alignment.tiers[name]]
        for name in ("words", "phones", "states")
    }
    samples = read_audio(recording.path, sample_rate=rate).samples
    axes = plot_spectrogram(sound(samples), _SHIFT, tiers, high=rate / 2)
    axes.set_title(recording.path.name, loc="left", fontsize="medium", parse_math=False)
    save_figure(axes.get_figure(root=True), path)
