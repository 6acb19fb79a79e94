"""Profile HMMs against pyhmmer (HMMER 3.4): ``python -m tests.benchmarks.profiles FOLDER``.

FOLDER holds ``hmmer_tutorial`` with the models and alignments of HMMER's tutorial (Debian: hmmer-examples), ``db`` with
``uniprot20k.fasta.gz`` (Debian: mmseqs2-examples, DB.fasta.gz) and ``homfam`` with ``egf.fasta``. Both programs run in one
thread, in turn, CPU time, best of several runs; what is compared is the ratio.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyhmmer

from seqem import ProfileHMM, read
from seqem.core.batch import SequenceBatch
from seqem.em.mapreduce import map_reduce
from seqem.io.alignments import read_alignment
from seqem.io.hmmer3 import read_model
from seqem.profile.calibrate import calibrate
from seqem.profile.configure import configure
from seqem.profile.decode import Machine
from seqem.profile.filters import Filters
from seqem.profile.search import search
from seqem.profile.single_sequence import from_sequence

ABC = pyhmmer.easel.Alphabet.amino()
ROUNDS = 5


def best(work: Callable[[], Any], rounds: int = ROUNDS, clock: Callable[[], float] = time.process_time) -> float:
    """Return the least time of several runs in seconds, after one that compiles."""
    work()
    times = []
    for _ in range(rounds):
        start = clock()
        work()
        times.append(clock() - start)
    return min(times)


def row(name: str, ours: float, theirs: float, target: float) -> None:
    verdict = "" if ours <= target * theirs else "  MISSED"
    print(f"| {name} | {ours * 1e3:.1f} | {theirs * 1e3:.1f} | {ours / theirs:.3f} | {target} |{verdict}", flush=True)


def digital(path: Path) -> Any:
    with pyhmmer.easel.SequenceFile(path, digital=True, alphabet=ABC) as file:
        return file.read_block()


def their_search(model: Any, block: Any) -> Any:
    return lambda: pyhmmer.plan7.Pipeline(ABC).search_hmm(model, block)


def shuffled(batch: SequenceBatch) -> SequenceBatch:
    rng = np.random.default_rng(0)
    return SequenceBatch.of([rng.permutation(s) for s in batch], names=batch.names, alphabet=batch.alphabet)


def searches(folder: Path, block: Any, batch: SequenceBatch) -> None:
    print("| search of 20,000 proteins | seqem, ms | HMMER, ms | ratio | target |\n|---|---|---|---|---|")
    mixed = shuffled(batch)
    texts = [
        pyhmmer.easel.DigitalSequence(ABC, name=name.encode(), sequence=bytes(_hmmer_codes(s)))
        for name, s in zip(mixed.names or (), mixed, strict=True)
    ]
    mixed_block = pyhmmer.easel.DigitalSequenceBlock(ABC, texts)
    for name, target in (("globins4", 0.5), ("fn3", 0.5), ("Pkinase", 0.15)):
        path = folder / "hmmer_tutorial" / f"{name}.hmm"
        core, model = read_model(path), next(pyhmmer.plan7.HMMFile(path))
        row(name, best(lambda c=core: search(c, batch)), best(their_search(model, block)), target)
        row(f"{name}, shuffled", best(lambda c=core: search(c, mixed)), best(their_search(model, mixed_block)), 0.5)
    query = read(folder / "hmmer_tutorial" / "HBB_HUMAN.fa", alphabet="protein")
    theirs = digital(folder / "hmmer_tutorial" / "HBB_HUMAN.fa")[0]

    def phmmer() -> Any:
        return search(calibrate(from_sequence(query[0], read_model(path).alphabet, name="HBB")), batch)

    row("phmmer HBB_HUMAN", best(phmmer), best(lambda: pyhmmer.plan7.Pipeline(ABC).search_seq(theirs, block)), 0.5)


def _hmmer_codes(symbols: np.ndarray) -> np.ndarray:
    """Return HMMER's codes, which have the gap between canonical and degenerate letters, in another order."""
    from seqem.bio.alphabet import PROTEIN

    letters = PROTEIN.letters + "".join(PROTEIN.degenerate)
    table = np.array(["ACDEFGHIKLMNPQRSTVWY-BJZOUX*~".index(letter) for letter in letters], np.uint8)
    return table[symbols]


def others(folder: Path) -> None:
    print("\n| other work | seqem, ms | HMMER, ms | ratio | target |\n|---|---|---|---|---|")
    background = pyhmmer.plan7.Background(ABC)
    for name in ("globins4", "Pkinase"):
        path = folder / "hmmer_tutorial" / f"{name}.sto"
        alignment = read_alignment(path)
        with pyhmmer.easel.MSAFile(path, digital=True, alphabet=ABC) as file:
            msa = file.read()
        msa.name = msa.name or name.encode()
        ours = best(lambda a=alignment: ProfileHMM.from_alignment(a))
        row(f"build {name}", ours, best(lambda m=msa: pyhmmer.plan7.Builder(ABC).build_msa(m, background)), 1.0)
    model = ProfileHMM.load(folder / "hmmer_tutorial" / "globins4.hmm")
    theirs = next(pyhmmer.plan7.HMMFile(folder / "hmmer_tutorial" / "globins4.hmm"))
    block = digital(folder / "hmmer_tutorial" / "globins45.fa")
    family = read(folder / "hmmer_tutorial" / "globins45.fa", alphabet="protein")
    row("align 45 globins", best(lambda: model.align(family)), best(lambda: pyhmmer.hmmer.hmmalign(theirs, block)), 0.1)


def stages(folder: Path, batch: SequenceBatch) -> None:
    print("\n| stage, giga-cells/s | globins4 (149) | fn3 (86) | Pkinase (260) | target |\n|---|---|---|---|---|")
    part = batch.between(0, 2000)
    everything = np.arange(len(part))
    table: dict[str, list[float]] = {"SSV": [], "Viterbi filter": [], "Forward": [], "Backward": []}
    for name in ("globins4", "fn3", "Pkinase"):
        profile = configure(read_model(folder / "hmmer_tutorial" / f"{name}.hmm"))
        cells = part.n_rows * profile.odds.shape[1] / 1e9
        filters, machine = Filters(profile), Machine(profile, np.float32, 16)
        table["SSV"].append(cells / best(lambda f=filters: f.segments(part.values, part.offsets)))
        table["Viterbi filter"].append(cells / best(lambda f=filters: f.viterbi(part.values, part.offsets, everything)))
        states = [machine.forward(s, machine.specials(len(s)), machine.one_row())[1] for s in part]
        table["Forward"].append(cells / best(lambda m=machine: _each(m, part)))
        table["Backward"].append(cells / best(lambda m=machine, x=states: _each_back(m, part, x)))
    for (stage, speeds), target in zip(table.items(), (60, 6, 2.5, 2), strict=True):
        print(f"| {stage} | {' | '.join(f'{speed:.2f}' for speed in speeds)} | {target} |")


def _each(machine: Machine, batch: SequenceBatch) -> None:
    for s in batch:
        machine.forward(s, machine.specials(len(s)), machine.one_row())


def _each_back(machine: Machine, batch: SequenceBatch, states: list[Any]) -> None:
    for s, x in zip(batch, states, strict=True):
        machine.backward(s, machine.specials(len(s)), x, machine.one_row())


def threads(folder: Path, batch: SequenceBatch) -> None:
    core = read_model(folder / "hmmer_tutorial" / "Pkinase.hmm")
    alone = best(lambda: search(core, batch), clock=time.perf_counter)
    with ThreadPoolExecutor(2) as pool:
        both = best(lambda: search(core, batch, executor=pool), clock=time.perf_counter)
    print(f"\ntwo threads, Pkinase: {alone / both:.2f} times (target 1.8)")


def training(folder: Path) -> None:
    egf = read(folder / "homfam" / "egf.fasta", alphabet="protein")
    model = ProfileHMM(random_state=0)
    start = time.process_time()
    model.fit(egf)
    whole = time.process_time() - start
    em, params = model._model(), model.result_.params
    shards = egf.shards(1 << 15)
    ours = best(lambda: map_reduce(em.e_step, params, shards))
    block = digital(folder / "homfam" / "egf.fasta")
    hmm = _as_hmmer(model)
    theirs = best(lambda: _their_recursions(hmm, block))
    print("\n| training on 7,774 EGF domains | seqem, ms | HMMER, ms | ratio | target |\n|---|---|---|---|---|")
    row("one iteration (HMMER: Forward and Backward)", ours, theirs, 0.2)
    print(f"whole training: {whole:.1f} s of CPU (target 20 s), {model.core.n_nodes} nodes")


def _as_hmmer(model: ProfileHMM) -> Any:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.hmm")
        return next(pyhmmer.plan7.HMMFile(Path(folder) / "model.hmm"))


def _their_recursions(hmm: Any, block: Any) -> None:
    """Run Forward and Backward of HMMER, filters off and domains found: what its library offers nearest to them."""
    pyhmmer.plan7.Pipeline(ABC, F1=1.0, F2=1.0, F3=1.0, bias_filter=False).search_hmm(hmm, block)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    path = folder / "db" / "uniprot20k.fasta.gz"
    batch = read(path, alphabet="protein", format="fasta")
    searches(folder, digital(path), batch)
    others(folder)
    stages(folder, batch)
    threads(folder, batch)
    training(folder)


if __name__ == "__main__":
    main()
