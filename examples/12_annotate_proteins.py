"""
The domains of many proteins
============================

A small library of profile HMMs against five hundred proteins: which domains does each one have, and where? Every model
searches all proteins; of domains that overlap the one with the better E-value stays; the picture shows the proteins with most.
"""

import itertools
from pathlib import Path

import matplotlib.pyplot as plt

import seqem
from seqem.plot.domains import domains

HERE = Path(__file__).parent if "__file__" in globals() else Path.cwd()
DATA = HERE.parent / "data"
proteins = seqem.read(DATA / "proteins500.fa.gz", alphabet="protein")
library = [seqem.ProfileHMM.from_alignment(DATA / f"{name}.sto", name=name) for name in ("fn3", "Pkinase", "globins4")]

# %%
# Search with each model
# ----------------------
# Only significant domains count: those that a search of this size finds by chance once in a hundred times.

found: dict[str, list] = {}
lengths = {}
for model in library:
    hits = model.search(proteins)
    print(f"{model.core.name}: {len(hits)} proteins, {sum(len(hit.reported_domains) for hit in hits)} domains")
    for hit in hits:
        lengths[hit.name] = hit.length
        found.setdefault(hit.name, []).extend((d, model.core.name) for d in hit.domains if d.included)


def without_overlaps(annotated: list) -> list:
    kept: list = []
    for domain, name in sorted(annotated, key=lambda pair: pair[0].evalue):
        if all(domain.envelope_to < d.envelope_from or d.envelope_to < domain.envelope_from for d, _ in kept):
            kept.append((domain, name))
    return sorted(kept, key=lambda pair: pair[0].envelope_from)


architecture = {name: without_overlaps(annotated) for name, annotated in found.items()}
chosen = sorted((name for name in architecture if architecture[name]), key=lambda name: -len(architecture[name]))[:8]
for name in chosen:
    print(f"{name:32}", " ".join(f"{model}:{d.envelope_from}-{d.envelope_to}" for d, model in architecture[name]))

# %%
# Draw them
# ---------

figure, ax = plt.subplots(figsize=(9, 4), layout="constrained")
domains(
    [lengths[name] for name in chosen],
    [[(d.envelope_from, d.envelope_to) for d, _ in architecture[name]] for name in chosen],
    [[model for _, model in architecture[name]] for name in chosen],
    [name.split("|")[-1] for name in chosen],
    ax,
)

# %%
# What this page told, checked:

kinases = [name for name, parts in architecture.items() if any(model == "Pkinase" for _, model in parts)]
assert len(kinases) == 9
assert len(architecture[chosen[0]]) >= 3
neighbours = [pair for parts in architecture.values() for pair in itertools.pairwise(d for d, _ in parts)]
assert all(a.envelope_to < b.envelope_from for a, b in neighbours)
