"""``seqem speech enrol``: models of speakers from their recordings."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from seqem.cli.fit import plural
from seqem.cli.inputs import workers
from seqem.cli.options import Jobs, Json, ModelOutput, Seed, watchers
from seqem.cli.outputs import print_json
from seqem.cli.speech_batch import Batch
from seqem.cli.speech_inputs import Manifest, Reader, SampleRate, common_rate, want_speakers

# Without slopes of slopes, and with more cepstra than words want: voices differ in the fine structure.
_CEPSTRA, _DELTAS = 19, 1


def enrol(
    manifest: Manifest,
    output: ModelOutput,
    n_components: Annotated[
        int, typer.Option("--components", "-k", min=1, metavar="N", help="Gaussians of the background.")
    ] = 32,
    sample_rate: SampleRate = None,
    seed: Seed = 0,
    jobs: Jobs = 1,
    json: Json = False,
) -> None:
    """Learn the voices of a manifest's speakers, for verify; a bad recording does not stop it."""
    from seqem.io.manifest import read_manifest
    from seqem.io.models import save
    from seqem.speech.features import Features
    from seqem.speech.speakers import GMMUBM

    recordings = read_manifest(manifest)
    want_speakers(recordings, "enrolment")
    features = Features(sample_rate=sample_rate or common_rate(recordings), n_ceps=_CEPSTRA, delta_order=_DELTAS)
    batch = Batch(recordings, jobs)
    started = time.perf_counter()
    heard = [each for _, each in batch.each(Reader(features, sample_rate is not None))]
    batch.check(heard)
    model = GMMUBM(n_components, features=features, random_state=seed)
    with workers(jobs) as executor:
        names = [str(each.recording.speaker) for each in heard]
        model.fit([each.frames for each in heard], names, executor=executor, callbacks=watchers(None))
    save(output, model)
    batch.summary()
    counts = {name: names.count(name) for name in model.speakers_}
    if json:
        unused = [{"path": path, "error": error} for path, error in batch.failed]
        facts = {"model": "gmm-ubm", "output": output, "recordings": len(heard), "speakers": counts}
        print_json({**facts, "log_likelihood": model.log_likelihood_, "unused": unused})
        return
    print(f"{plural(len(counts), 'speaker')}: {', '.join(f'{name} ({count})' for name, count in counts.items())}")
    print(
        f"{plural(n_components, 'Gaussian')}, {plural(len(heard), 'recording')} in {time.perf_counter() - started:.2f} s"
    )
    print(f"wrote {output}")
