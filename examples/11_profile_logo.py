"""
The logo of a family
====================

What a profile HMM says of a family fits in one picture: tall letters where evolution allows little, bars below where domains
are longer or shorter than others. Here the fibronectin type III domain, from its alignment in Pfam.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import seqem
from seqem.profile.logo import logo_heights
from seqem.profile.stat import model_statistics

HERE = Path(__file__).parent if "__file__" in globals() else Path.cwd()
model = seqem.ProfileHMM.from_alignment(HERE.parent / "data" / "fn3.sto")
print(model_statistics(model.core))

# %%
# The whole model, thirty nodes a row. The tryptophan at 20 and the tyrosine at 69 hold the core of the domain together.

axes = model.logo(columns_per_row=30)
figure = axes[0].figure
with TemporaryDirectory() as folder:
    for kind in ("png", "svg"):
        figure.savefig(Path(folder) / f"fn3.{kind}")
    sizes = [path.stat().st_size for path in Path(folder).iterdir()]
figure  # noqa: B018 - a gallery shows the last value

# %%
# What this page told, checked:

heights = logo_heights(model.core).sum(axis=1)
tall = np.argsort(heights)[::-1][:3]
print([(int(k) + 1, model.consensus[k], round(float(heights[k]), 2)) for k in tall])
assert model.core.n_nodes == 85
assert [(k + 1, model.consensus[k]) for k in tall[:2]] == [(20, "W"), (69, "Y")]
assert min(sizes) > 10_000
