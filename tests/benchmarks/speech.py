"""Speech against librosa and hmmlearn: ``python -m tests.benchmarks.speech [FOLDER]``.

One thread, CPU time, in one run. FOLDER, where it is given, holds ``tidigits/`` of pocketsphinx's test data.
"""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import seqem
from seqem.em.mapreduce import map_reduce
from seqem.io.sphinx_arrays import read_cepstra
from seqem.speech.sphinx_streams import sphinx_streams
from tests.benchmarks.mixtures import best

RATE = 16_000
WORDS = [f"word{i}" for i in range(10)]
STATES, PARTS, WIDTH = 8, 4, 39


def row(name: str, ours: float, theirs: float | None, unit: str, target: str, met: bool) -> None:
    peer = "" if theirs is None else f"{theirs:.3g} {unit}"
    ratio = "" if theirs is None else f"{theirs / ours:.1f}"
    print(f"| {name} | {ours:.3g} {unit} | {peer} | {ratio} | {target} |{'' if met else '  MISSED'}", flush=True)


def features() -> None:
    import librosa

    samples = (np.random.default_rng(0).standard_normal(3600 * RATE) * 0.1).astype(np.float32)
    front_end = seqem.Features(sample_rate=RATE)

    def peer() -> Any:
        static = librosa.feature.mfcc(
            y=samples, sr=RATE, n_mfcc=13, n_fft=512, win_length=400, hop_length=160, n_mels=26, window="hamming"
        )
        return np.concatenate([static, librosa.feature.delta(static), librosa.feature.delta(static, order=2)])

    ours, theirs = best(lambda: front_end(samples)), best(peer)
    row("MFCC and slopes of an hour of 16 kHz, librosa with 26 mels", ours, theirs, "s", "1", ours <= theirs)


def spoken(n: int) -> tuple[list[np.ndarray], list[str]]:
    """Recordings of single words, 40 frames each."""
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 3, (len(WORDS), STATES, WIDTH))
    said = np.arange(n) % len(WORDS)
    return [rng.normal(np.repeat(centres[w], 5, axis=0), 1.5) for w in said], [WORDS[w] for w in said]


def hmmlearn_model(model: seqem.SpeechRecogniser, word: str) -> Any:
    from hmmlearn.hmm import GMMHMM

    states = list(model.inventory_[word].emissions)
    emission = model.params_.emission
    peer = GMMHMM(STATES, n_mix=PARTS, covariance_type="diag", init_params="", n_iter=4, tol=-np.inf)
    peer.startprob_ = np.eye(STATES)[0]
    peer.transmat_ = np.diag(np.append(np.full(STATES - 1, 0.8), 1.0)) + np.diag(np.full(STATES - 1, 0.2), 1)
    peer.weights_, peer.n_features = emission.weights[states], WIDTH
    peer.means_, peer.covars_ = (leaf.reshape(-1, PARTS, WIDTH)[states] for leaf in emission.component)
    return peer


def words() -> None:
    frames, said = spoken(400)
    options = {"n_states": STATES, "n_mix": PARTS, "pauses": False, "normalise": None, "random_state": 0}
    model = seqem.SpeechRecogniser(**options).fit(frames, said)
    recipe, params, shards = model._model(), model.params_, model._training_shards
    n_frames = sum(map(len, frames))
    ours = best(lambda: recipe.m_step(map_reduce(recipe.e_step, params, shards).stats, params)) / n_frames * 1e6

    peers = {word: hmmlearn_model(model, word) for word in WORDS}
    own = {word: [f for f, w in zip(frames, said, strict=True) if w == word] for word in WORDS}
    start = time.process_time()
    for word in WORDS[:3]:
        peers[word].fit(np.concatenate(own[word]), [len(f) for f in own[word]])
    theirs = (time.process_time() - start) / sum(len(f) for w in WORDS[:3] for f in own[w]) / 4 * 1e6
    row(
        "GMM-HMM training, 8 states x 4, a frame and iteration, hmmlearn", ours, theirs, "us", "20", theirs >= 20 * ours
    )

    ours = best(lambda: model.predict(frames)) / n_frames * 1e6
    some = frames[:20]
    start = time.process_time()
    for part in some:
        for peer in peers.values():
            peer.score(part)
    theirs = (time.process_time() - start) / sum(map(len, some)) * 1e6
    row("one of ten words, 8 x 4, a frame, hmmlearn", ours, theirs, "us", "30", theirs >= 30 * ours)


def connected(folder: Path) -> None:
    """Search a loop of eleven digits whose graph is made before, as pocketsphinx makes its own."""
    model = seqem.read_sphinx(folder / "hmm", seqem.read_lexicon(folder / "lm" / "tidigits.dic"))
    search = model.search(seqem.read_fsg(folder / "lm" / "tidigits.fsg"))
    frames = [sphinx_streams(read_cepstra(path), "s2_4x") for path in sorted(folder.glob("*.mfc"))]
    ours = best(lambda: model.predict(frames, search)) / sum(map(len, frames)) * 1e6
    row("connected digits, semi-continuous with triphones, a frame", ours, None, "us", "60 us", ours <= 60)


def main() -> None:
    """Print a table: ours, theirs, how many times as fast, target."""
    warnings.simplefilter("ignore")
    print("| case | seqem | peer | times as fast | target |\n|---|---|---|---|---|")
    with threadpool_limits(1):
        features()
        words()
        if len(sys.argv) > 1:
            connected(Path(sys.argv[1]) / "tidigits")


if __name__ == "__main__":
    main()
