"""
A protein family, trained unaligned, and its relatives
======================================================

Thirty-eight protein kinases that nobody has aligned, and five hundred proteins of which some may be kinases. A profile HMM is
trained on the first, by Baum-Welch on the sequences as they are, and searched for in the second. Beside it stands the model
of the alignment that the curators of Pfam have made of the same sequences.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np

import seqem
from seqem.profile.frames import domains_frame, hits_frame

HERE = Path(__file__).parent if "__file__" in globals() else Path.cwd()
DATA = HERE.parent / "data"
family = seqem.read(DATA / "kinases.fa", alphabet="protein")
proteins = seqem.read(DATA / "proteins500.fa.gz", alphabet="protein")
print(f"{len(family)} kinases of {family.lengths.min()} to {family.lengths.max()} residues; {len(proteins)} proteins")

# %%
# Train
# -----
# Four starts, each from one of the sequences with some noise; nodes that few sequences use are cut out, inserts that many use
# become nodes, until nothing changes. The sequences are then aligned to the best model, and the model to search with is built
# from that alignment as hmmbuild would.

trained = seqem.ProfileHMM(random_state=0).fit(family, name="kinases")
for start in trained.starts_:
    print(f"start: objective {start.objective:.0f}, {start.stop_reason}")
print(f"{trained.core.n_nodes} nodes, worth {trained.core.effective_number:.1f} independent sequences")
print(trained.consensus)

figure, axes = plt.subplots(1, 1, layout="constrained")
axes.plot(trained.history_.objective)
axes.set_xlabel("iteration")
axes.set_ylabel("log-likelihood + log prior")

# %%
# Search
# ------
# E-values are calibrated: the score of the last of these would be reached by chance in 500 proteins once in thousands of searches.

hits = trained.search(proteins)
print(hits_frame(hits)[["target", "score", "bias", "evalue"]].to_string(index=False))
best = hits[0].best_domain
for line in (best.alignment.model, best.alignment.match, best.alignment.target, best.alignment.posterior):
    print(line[:100])

# %%
# The curators' model finds the same proteins.

curated = seqem.ProfileHMM.from_alignment(DATA / "Pkinase.sto")
theirs = curated.search(proteins)
print(domains_frame(theirs).shape[0], "domains by the curated model")

# %%
# Every sequence has a score, hit or not; and the model is a file that HMMER, Pfam and InterPro read.

scores = trained.score(proteins)
with TemporaryDirectory() as folder:
    trained.save(Path(folder) / "kinases.hmm")
    again = seqem.ProfileHMM.load(Path(folder) / "kinases.hmm")

# %%
# At the command line::
#
#     seqem train data/kinases.fa -o kinases.hmm
#     seqem search kinases.hmm data/proteins500.fa.gz --tblout kinases.tbl
#
# What this page told, checked:

assert {hit.name for hit in hits if hit.included} == {hit.name for hit in theirs if hit.included}
assert len(hits) == 9
assert hits[0].evalue < 1e-70
assert hits[-1].evalue < 1e-3
assert np.sort(scores)[-9] > 15 > np.sort(scores)[-10]
assert np.allclose(again.core.match, trained.core.match, atol=1e-5)
