"""Digits of people the models have not heard: ``python -m tests.benchmarks.speakers_out FOLDER``.

FOLDER holds recordings of the Free Spoken Digit Dataset. One speaker after another is left out; the recogniser is trained on
the others, asked about all recordings of that one, then adapted by what it heard itself until it hears the same again.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

import seqem

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
MOST_ROUNDS = 12
# By speaker, as the issue is who speaks; with deviations, and trained on what speakers have in common.
RECIPE = {"normalise": "speaker", "variance": True, "adaptive_passes": 2}


def adapted(model: seqem.SpeechRecogniser, recordings: list[np.ndarray]) -> seqem.SpeechRecogniser:
    """Return the model after rounds of adaptation without transcripts: the frames, then each Gaussian."""
    who = ["new"] * len(recordings)
    heard = model.predict(recordings, speakers=who)
    for _ in range(MOST_ROUNDS):
        model = model.adapt(recordings, method="cmllr").adapt(recordings, method="map")
        before, heard = heard, model.predict(recordings, speakers=who)
        if heard == before:
            break
    return model


def main() -> None:
    """Print how many digits of each speaker are right, before and after adaptation."""
    rows = []
    for path in sorted(Path(sys.argv[1]).glob("*.wav")):
        digit, speaker, _ = path.stem.split("_")
        rows.append((seqem.read_audio(path).samples, DIGITS[int(digit)], speaker))
    total = np.zeros(3)
    print("| left out | digits | right % | after adaptation % | CPU s |\n|---|---|---|---|---|")
    for name in sorted({speaker for *_, speaker in rows}):
        started = time.process_time()
        samples, words, speakers = zip(*(row for row in rows if row[2] != name), strict=True)
        model = seqem.SpeechRecogniser(features=seqem.Features(sample_rate=8000), random_state=0, **RECIPE)
        model.fit(samples, words, speakers=speakers)
        own, said, who = (list(part) for part in zip(*(row for row in rows if row[2] == name), strict=True))
        right = [
            sum(h == (w,) for h, w in zip(known.predict(own, speakers=who), said, strict=True))
            for known in (model, adapted(model, own))
        ]
        total += [len(own), *right]
        shares = " | ".join(f"{100 * n / len(own):.1f}" for n in right)
        print(f"| {name} | {len(own)} | {shares} | {time.process_time() - started:.0f} |", flush=True)
    print(f"| all | {total[0]:.0f} | {100 * total[1] / total[0]:.2f} | {100 * total[2] / total[0]:.2f} | |")


if __name__ == "__main__":
    main()
