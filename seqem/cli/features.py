"""``seqem features``: recordings to feature files."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import chain, islice
from typing import TYPE_CHECKING, Annotated

import typer

from seqem.cli.options import Json, one_of
from seqem.cli.outputs import print_json
from seqem.errors import DataError, SeqemError

if TYPE_CHECKING:
    from seqem.shapes import Array
    from seqem.speech.features import Features

_FORMS = {"npy": ".npy", "htk": ".htk", "ark": ".ark"}
_ARCHIVE = "features"
_KINDS = ("mfcc", "plp", "fbank", "spectrogram")
_NORMALISED = ("none", "mean", "variance")
_NO_ENERGY = "none"


@dataclass(frozen=True)
class FrontEnd:
    """How features are computed."""

    kind: Annotated[
        str,
        typer.Option(
            "--kind", callback=one_of(("mfcc", "plp", "fbank", "spectrogram")), help="mfcc, plp, fbank or spectrogram."
        ),
    ] = "mfcc"
    style: Annotated[
        str, typer.Option("--style", callback=one_of(("htk", "kaldi")), help="Whose numbers: htk or kaldi.")
    ] = "htk"
    sample_rate: Annotated[
        int | None, typer.Option("--sample-rate", min=1, metavar="HZ", help="Resample; by default as recorded.")
    ] = None
    n_channels: Annotated[int, typer.Option("--channels", min=1, metavar="N", help="Filters.")] = 26
    n_ceps: Annotated[int, typer.Option("--cepstra", min=1, metavar="N", help="Cepstra beside the energy.")] = 12
    low: Annotated[float, typer.Option("--low", min=0, metavar="HZ", help="Lower end of the filters.")] = 0.0
    high: Annotated[
        float | None, typer.Option("--high", min=0, metavar="HZ", help="Upper end; half the sample rate by default.")
    ] = None
    energy: Annotated[
        str, typer.Option("--energy", callback=one_of(("c0", "log", _NO_ENERGY)), help="c0, log or none.")
    ] = "c0"
    delta_order: Annotated[int, typer.Option("--deltas", min=0, metavar="N", help="Orders of slopes appended.")] = 2

    def build(self, sample_rate: int) -> Features:
        """Return the recipe for recordings of a sample rate."""
        from seqem.speech.features import Features

        given = {field.name: getattr(self, field.name) for field in fields(self)}
        energy = None if self.energy == _NO_ENERGY else self.energy
        return Features(**{**given, "sample_rate": sample_rate, "energy": energy})


def features(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT", help="Recordings: WAV, FLAC, OGG, MP3 and others.")],
    output: Annotated[str, typer.Option("--output", "-o", metavar="FOLDER", help="Where feature files are written.")],
    front_end: FrontEnd,
    form: Annotated[
        str,
        typer.Option(
            "--as",
            "--to",
            metavar="FORM",
            callback=one_of(_FORMS),
            help="npy, htk, or ark: features.ark and features.scp of Kaldi, for all recordings.",
        ),
    ] = "npy",
    normalise: Annotated[
        str,
        typer.Option(
            "--normalise",
            metavar="HOW",
            callback=one_of(_NORMALISED),
            help="none; mean: zero over the recording; variance: and of variance one.",
        ),
    ] = "none",
    json: Json = False,
) -> None:
    """Compute feature frames of recordings; a bad recording does not stop the others."""
    os.makedirs(output, exist_ok=True)
    stems = [os.path.splitext(os.path.basename(path))[0] for path in inputs]
    if len(set(stems)) < len(stems):
        raise typer.BadParameter("two inputs have one name: their features would replace one another")
    failed = 0

    def computed() -> Iterator[tuple[str, Array]]:
        nonlocal failed
        for path, stem in zip(inputs, stems, strict=True):
            archive = os.path.join(output, _ARCHIVE if form == "ark" else stem) + _FORMS[form]
            try:
                frames = _frames(path, front_end, normalise)
                if form == "ark":
                    _check_name(stem)
            except SeqemError as error:
                failed += 1
                _tell_failure(path, error, json)
                continue
            yield stem, frames
            _tell(path, archive, frames, json)

    if form == "ark":
        _write_archive(output, computed())
    else:
        for stem, frames in computed():
            _write(os.path.join(output, stem + _FORMS[form]), frames, form, front_end)
    if failed:
        print(f"seqem: {failed} of {len(inputs)} inputs failed", file=sys.stderr)
        raise typer.Exit(1)


def _frames(path: str, front_end: FrontEnd, normalise: str) -> Array:
    """Return the features of a recording."""
    from seqem.io.audio import read_audio
    from seqem.speech.normalise import normalised

    audio = read_audio(path, sample_rate=front_end.sample_rate)
    frames = front_end.build(audio.sample_rate)(audio.samples)
    return frames if normalise == "none" else normalised(frames, variance=normalise == "variance")


def _check_name(stem: str) -> None:
    if stem.split() != [stem]:
        raise DataError("an archive cannot name the recording", got=repr(stem), expected="a name without blanks")


def _write(target: str, frames: Array, form: str, front_end: FrontEnd) -> None:
    import numpy as np

    from seqem.io.htk import write_htk
    from seqem.io.streams import atomic_write
    from seqem.speech.features import Features

    if form == "htk":
        write_htk(target, frames, Features.shift, _htk_kind(front_end))
    else:
        with atomic_write(target, "wb") as handle:
            np.save(handle, frames)


def _write_archive(folder: str, items: Iterator[tuple[str, Array]]) -> None:
    from seqem.io.kaldi import write_ark

    path, first = os.path.join(folder, _ARCHIVE), list(islice(items, 1))
    if first:
        write_ark(f"{path}.ark", chain(first, items), f"{path}.scp")


def _tell(path: str, target: str, frames: Array, json: bool) -> None:
    if json:
        print_json({"input": path, "output": target, "frames": frames.shape[0], "features": frames.shape[1]})
    else:
        print(f"{target}: {frames.shape[0]:,} frames of {frames.shape[1]}")


def _tell_failure(path: str, error: SeqemError, json: bool) -> None:
    text = str(error) if path in str(error) else f"{path}: {error}"
    print(f"seqem: error: {text}", file=sys.stderr)
    if json:
        print_json({"input": path, "error": str(error)})


def _htk_kind(front_end: FrontEnd) -> str:
    """Return HTK's name of the features, USER where it has none."""
    if front_end.kind == "spectrogram" or front_end.style != "htk" or front_end.delta_order > 3:
        return "USER"
    energy = {"c0": "_0", "log": "_E", _NO_ENERGY: ""}[front_end.energy] if front_end.kind in ("mfcc", "plp") else ""
    return front_end.kind.upper() + energy + "".join(f"_{mark}" for mark in "DAT"[: front_end.delta_order])
