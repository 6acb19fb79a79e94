"""``seqem speech train``: recordings and transcripts to a recogniser."""

from __future__ import annotations

import time
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqem.catalog import METHODS
from seqem.cli.fit import plural
from seqem.cli.inputs import workers
from seqem.cli.options import Jobs, Json, ModelOutput, Seed, one_of, watchers
from seqem.cli.outputs import print_json
from seqem.cli.speech_batch import Batch
from seqem.cli.speech_fit import speakers_of, with_those_that_fit, words_of
from seqem.cli.speech_inputs import (
    Heard,
    Manifest,
    Reader,
    SampleRate,
    common_rate,
    refuse_unknown_words,
    want_speakers,
    want_transcripts,
)

if TYPE_CHECKING:
    from seqem.io.manifest import Recording
    from seqem.speech.lexicon import Lexicon
    from seqem.speech.recogniser import SpeechRecogniser

_TRAININGS = ("posterior", "viterbi")
_NORMALISED = ("utterance", "speaker", "none")


@dataclass(frozen=True)
class SpeechRecipe:
    """What kind of recogniser, and how it is trained; None is its own default."""

    n_states: Annotated[
        int | None,
        typer.Option(
            "--n-states", "--states", min=1, metavar="N", help="States of a phone, or of a word without lexicon."
        ),
    ] = None
    n_mix: Annotated[
        int | None,
        typer.Option(
            "--mixtures", "-m", min=1, metavar="M", help="Gaussians of a state; by default what the data pay for."
        ),
    ] = None
    training: Annotated[
        str,
        typer.Option(
            "--training", metavar="NAME", callback=one_of(_TRAININGS), help="posterior (Baum-Welch) or viterbi."
        ),
    ] = "posterior"
    method: Annotated[
        str,
        typer.Option("--method", metavar="NAME", callback=one_of(METHODS), help="How to climb, such as em, squarem."),
    ] = "em"
    normalise: Annotated[
        str,
        typer.Option(
            "--normalise", metavar="WHAT", callback=one_of(_NORMALISED),
            help="Take the mean of each feature away over an utterance, a speaker, or none.",
        ),
    ] = "utterance"  # fmt: skip
    variance: Annotated[bool, typer.Option("--variance", help="Divide features by their deviation too.")] = False
    adaptive_passes: Annotated[
        int,
        typer.Option(
            "--adaptive-passes", min=0, metavar="N", help="Speaker-adaptive training: so many rounds at the end."
        ),
    ] = 0
    random_state: Seed = 0

    @property
    def wants_speakers(self) -> bool:
        """Whether it must be known who speaks."""
        return self.normalise == "speaker" or self.adaptive_passes > 0

    def build(self, lexicon: Lexicon | None, sample_rate: int) -> SpeechRecogniser:
        """Return the recogniser, not fitted."""
        from seqem.speech.features import Features
        from seqem.speech.recogniser import SpeechRecogniser

        given = {field.name: getattr(self, field.name) for field in fields(self)}
        given["normalise"] = None if self.normalise == "none" else self.normalise
        return SpeechRecogniser(lexicon, features=Features(sample_rate=sample_rate), **given)


def train(
    manifest: Manifest,
    output: ModelOutput,
    recipe: SpeechRecipe,
    lexicon: Annotated[
        str | None,
        typer.Option("--lexicon", metavar="FILE", help="Pronouncing dictionary; by default each word is one unit."),
    ] = None,
    sample_rate: SampleRate = None,
    jobs: Jobs = 1,
    json: Json = False,
) -> None:
    """Train a recogniser on recordings of which only the words are known; a bad recording does not stop it."""
    from seqem.io.manifest import read_manifest
    from seqem.io.models import save
    from seqem.io.pronunciations import read_lexicon

    recordings = read_manifest(manifest)
    want_transcripts(recordings, "training")
    if recipe.wants_speakers:
        want_speakers(
            recordings, "--normalise speaker and --adaptive-passes" if recipe.adaptive_passes else "--normalise speaker"
        )
    known = None if lexicon is None else read_lexicon(lexicon)
    rate = sample_rate or common_rate(recordings)
    model, batch = recipe.build(known, rate), Batch(recordings, jobs)
    started = time.perf_counter()
    heard = _heard(batch, Reader(model.features, sample_rate is not None), known)
    with workers(jobs) as executor:
        options: dict[str, Any] = {"executor": executor, "callbacks": watchers(None)}

        def fit(part: Any) -> Any:
            who = speakers_of(part) if recipe.wants_speakers else None
            return model.fit([each.frames for each in part], words_of(part), speakers=who, **options)

        _, heard = with_those_that_fit(fit, heard, batch)
    save(output, model)
    _report(model, heard, batch, output, time.perf_counter() - started, json)


def _heard(batch: Batch, reader: Reader, lexicon: Lexicon | None) -> list[Heard]:
    def hear(recording: Recording) -> Heard:
        if lexicon is not None:
            refuse_unknown_words(recording, lexicon)
        return reader(recording)

    return [heard for _, heard in batch.each(hear)]


def _report(model: Any, heard: list[Heard], batch: Batch, output: str, seconds: float, json: bool) -> None:
    result = {
        "model": "speech-recogniser",
        "output": output,
        "recordings": len(heard),
        "audio_seconds": round(sum(each.seconds for each in heard), 3),
        "sample_rate": round(model.features.sample_rate),
        "words": len(model.lexicon_.entries),
        "units": len(model.inventory_.units),
        "states": model.inventory_.n_emissions,
        "mixtures": model.distribution_.n_components,
        "log_likelihood": model.log_likelihood_,
        "n_iter": model.n_iter_,
        "stop_reason": model.stop_reason_,
        "seconds": round(seconds, 3),
        "unused": [{"path": path, "error": error} for path, error in batch.failed],
    }
    batch.summary()
    if json:
        print_json(result)
        return
    print(
        f"{plural(result['words'], 'word')}, {plural(result['units'], 'unit')}, {plural(result['states'], 'state')}"
        f" of {plural(result['mixtures'], 'Gaussian')}: {plural(len(heard), 'recording')},"
        f" {result['audio_seconds']:.1f} s at {result['sample_rate']} Hz"
    )
    print(f"log-likelihood {model.log_likelihood_:.6f} after {plural(model.n_iter_, 'iteration')} in {seconds:.2f} s")
    print(f"wrote {output}")
