"""The vector kernels compiled for machines with smaller registers give the numbers that they give here."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from seqem.bio.alphabet import PROTEIN
from seqem.core.batch import SequenceBatch
from seqem.kernels import profile_forward as kf
from seqem.profile.configure import configure
from seqem.profile.decode import Decoder
from seqem.profile.filters import Filters
from seqem.profile.tables import aligned, forward_tables
from tests.profile import brute

ROOT = Path(__file__).resolve().parents[2]
# Of x86: eight floats a register, and four without a fused product; each as numba names it.
TARGETS = {
    "avx2": ("haswell", "+avx2,+fma"),
    "sse4": ("nehalem", "+sse4.2"),
    "sse2": ("x86-64", "+sse2"),
    "plain": ("x86-64", ""),
}


def numbers():
    """Return what the kernels say about a model and a few sequences, as lists."""
    rng = np.random.default_rng(9)
    core = brute.random_core(75, rng, alphabet=PROTEIN, strength=0.2, gaps=0.05)
    planted = [[rng.choice(20, p=p) for p in core.match[1:]] for _ in range(4)]
    noise = [rng.integers(0, 26, L).tolist() for L in (1, 2, 30, 64, 200)]
    batch = SequenceBatch.of(
        [np.array(x, np.uint8) for x in [*planted, planted[0] + noise[2] + planted[1], *noise]], alphabet=PROTEIN
    )
    profile = configure(core)
    filters, decoder = Filters(profile), Decoder(configure(core, multihit=False))
    t = forward_tables(profile)
    forward, backward, traces = [], [], []
    for residues in batch:
        specials = profile.specials(len(residues)).astype(np.float32)
        ahead, behind = np.empty((2, len(residues) + 1, kf.STATES), np.float32)
        cells = aligned(np.zeros(t.row, np.float32))
        forward.append(kf.forward(residues, t.odds, t.ahead, specials, cells, 0, ahead, t.dim))
        kf.backward(residues, t.odds, t.back, specials, ahead, cells, 0, behind, t.dim)
        backward.append(float(np.log(behind[0, kf.N]) + np.log(ahead[1:, kf.SCALE].astype(float)).sum()))
    for residues in [batch[s] for s in range(len(planted))]:
        found = decoder(residues, len(residues))
        traces.append([found.trace.nodes.tolist(), found.trace.residues.tolist()])
    return {
        "segments": filters.segments(batch.values, batch.offsets).tolist(),
        "viterbi": filters.viterbi(batch.values, batch.offsets, np.arange(len(batch))).tolist(),
        "forward": forward,
        "backward": backward,
        "traces": traces,
    }


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names x86 targets")
@pytest.mark.parametrize("target", TARGETS)
def test_smaller_registers_give_the_same_numbers(target, tmp_path):
    name, features = TARGETS[target]
    environment = os.environ | {
        "NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    program = "import json; from tests.kernels.test_profile_machines import numbers; print(json.dumps(numbers()))"
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    theirs, ours = json.loads(done.stdout), numbers()
    for field in ("segments", "viterbi"):
        assert_array_equal(theirs[field], ours[field])
    for field in ("forward", "backward"):
        assert_allclose(theirs[field], ours[field], rtol=0, atol=1e-4)
    assert theirs["traces"] == ours["traces"]
