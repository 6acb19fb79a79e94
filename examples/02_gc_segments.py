"""
Segments of a genome by GC content
==================================

The genome of phage lambda is a patchwork: the left arm is rich in G and C, most of the right one is not. A hidden Markov
model with two states finds the borders without being told where to look, and the segments go to a BED file that a
genome browser shows.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np

import seqem
from seqem.io.segments import segments, write_bed
from seqem.plot.emissions import emission_bars
from seqem.plot.states import state_posteriors

HERE = Path(__file__).parent if "__file__" in globals() else Path.cwd()
genome = seqem.read(HERE.parent / "data" / "lambda_virus.fa.gz")
gc = np.isin(genome.values, [1, 2])  # symbols 0 to 3 are A, C, G, T
half = len(gc) // 2
print(f"{genome.n_rows:,} bases; GC {gc[:half].mean():.1%} in the left half, {gc[half:].mean():.1%} in the right one")

# %%
# Where to begin
# --------------
# EM climbs to the nearest top, so it matters where it begins. We expect long segments: begin with 2000 bases on the average
# and a slight difference in composition. All parameters are then fitted. Beside it a fit from a random start, which knows
# nothing of this: it needs more steps and ends at the same top.

NAMES = ["GC-rich", "GC-poor"]
model = seqem.CategoricalHMM(2, init_params="", n_iter=300, tol=1e-4)
model.startprob_ = np.array([0.5, 0.5])
model.transmat_ = np.array([[0.9995, 0.0005], [0.0005, 0.9995]])
model.emissionprob_ = np.array([[0.22, 0.28, 0.28, 0.22], [0.28, 0.22, 0.22, 0.28]])
model.fit(genome)

random_start = seqem.CategoricalHMM(2, n_iter=300, tol=1e-4, random_state=0).fit(genome)
print(f"long segments: {model.log_likelihood_:.1f} after {model.n_iter_} steps ({model.stop_reason_})")
print(f"random start:  {random_start.log_likelihood_:.1f} after {random_start.n_iter_} steps")

# %%
# The mean length of a stay in state k is ``1 / (1 - transmat_[k, k])``.

print({name: round(1 / (1 - p)) for name, p in zip(NAMES, np.diag(model.transmat_), strict=True)})
fig, ax = plt.subplots(figsize=(5, 3), layout="constrained")
emission_bars(model.emissionprob_, symbols="ACGT", names=NAMES, ax=ax)

# %%
# The segments
# ------------
# Above: GC in windows of 500 bases. Below: the posterior probability of each state, and the best path as a ribbon.

path, posterior = model.predict(genome), model.predict_proba(genome)
places = np.arange(len(path)) / 1000
fig, (top, bottom) = plt.subplots(2, 1, figsize=(9, 5), sharex=True, layout="constrained", height_ratios=[1, 1.3])
windows = gc[: len(gc) // 500 * 500].reshape(-1, 500).mean(axis=1)
top.plot((np.arange(len(windows)) + 0.5) / 2, windows, color="#333333", linewidth=1)
top.set(ylabel="GC of 500 bases")
top.spines[["top", "right"]].set_visible(False)
state_posteriors(posterior, path, bottom, x=places, names=NAMES)
bottom.set_xlabel("position in kb")

# %%
# As BED
# ------
# Starts count from 0, ends are exclusive, the score is 1000 times the mean posterior.

name = genome.names[0]
found = list(segments(path, name, states=NAMES, posterior=posterior))
with TemporaryDirectory() as folder:
    bed = Path(folder) / "lambda.bed"
    write_bed(bed, found)
    text = bed.read_text()
print(text)

# %%
# The command line does the same from a random start, in two steps::
#
#     seqem fit categorical-hmm data/lambda_virus.fa.gz --states 2 -o lambda.safetensors
#     seqem decode lambda.safetensors data/lambda_virus.fa.gz -o lambda.bed
#
# What this page told, checked:

assert model.converged_
assert abs(model.log_likelihood_ - random_start.log_likelihood_) < 0.01
assert model.n_iter_ < random_start.n_iter_
assert gc[:half].mean() > 0.54
assert gc[half:].mean() < 0.46
assert (path[:half] == 0).mean() > 0.9  # the left half is the GC-rich state
assert len(found) == len(text.splitlines()) == 7
longest = max(found, key=lambda s: s.end - s.start)
assert (longest.state, longest.start, longest.end) == ("GC-rich", 176, 22499)
