"""
Moving from HMMER and pyhmmer
=============================

The models, the numbers and the tables are the same; what changes is that one library also trains. Where pyhmmer is installed,
this page runs both and compares; where it is not, it shows the seqem half.
"""

from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import seqem
from seqem.io.hit_tables import write_tblout

HERE = Path(__file__).parent if "__file__" in globals() else Path.cwd()
DATA = HERE.parent / "data"

# %%
# Build
# -----
# ``pyhmmer.plan7.Builder(alphabet).build_msa(msa, background)`` becomes one call, with hmmbuild's choices as arguments:

model = seqem.ProfileHMM.from_alignment(DATA / "Pkinase.sto", weighting="pb", effective="entropy", symfrac=0.5)
print(model.core.name, model.core.n_nodes, f"{model.core.effective_number:.6f}")

# %%
# Search
# ------
# ``pyhmmer.hmmsearch(hmm, sequences)`` becomes a method; thresholds have names for what they are. Scores are bits.

proteins = seqem.read(DATA / "proteins500.fa.gz", alphabet="protein")
hits = model.search(proteins, evalue=10.0, include_evalue=0.01)
for hit in hits:
    domain = hit.best_domain
    print(f"{hit.name:28} {hit.score:7.2f} {hit.evalue:9.2g} {domain.envelope_from:5}-{domain.envelope_to}")

with TemporaryDirectory() as folder:
    write_tblout(Path(folder) / "hits.tbl", hits)
    table = (Path(folder) / "hits.tbl").read_text()
    model.save(Path(folder) / "Pkinase.hmm")
    theirs = None
    if find_spec("pyhmmer"):
        import pyhmmer

        alphabet = pyhmmer.easel.Alphabet.amino()
        with pyhmmer.plan7.HMMFile(Path(folder) / "Pkinase.hmm") as file:
            hmm = file.read()
        with pyhmmer.easel.SequenceFile(DATA / "proteins500.fa.gz", digital=True, alphabet=alphabet) as file:
            theirs = pyhmmer.plan7.Pipeline(alphabet).search_hmm(hmm, file.read_block())

# %%
# Align
# -----
# ``pyhmmer.hmmalign`` becomes ``model.align``, which can also align every domain of a sequence that has several.

family = model.align(seqem.read(DATA / "kinases.fa", alphabet="protein"))
print(family.alignment.symbols.shape)

# %%
# What this page told, checked:

if theirs is not None:
    ours = [(hit.name, hit.score) for hit in hits]
    assert [name for name, _ in ours] == [hit.name for hit in theirs if hit.reported]
    assert np.allclose([score for _, score in ours], [hit.score for hit in theirs if hit.reported], atol=0.01)
assert sum(not line.startswith("#") for line in table.splitlines()) == len(hits) == 9
assert len(family.alignment) == 38
