"""How well an alignment agrees with a reference: SP and TC scores."""

import numpy as np


def read_reference(path):
    rows = {}
    for line in path.read_text().splitlines():
        if line.startswith(">"):
            name = line[1:].split()[0]
            rows[name] = ""
        else:
            rows[name] += line.strip()
    return rows


def sp_and_tc(reference, alignment):
    """Return the share of aligned pairs of the reference found again, and of its columns found whole, in percent."""
    place = {name: row for row, name in enumerate(alignment.names)}
    columns = {name: np.flatnonzero(alignment.is_residue[place[name]]) for name in reference}
    used = dict.fromkeys(reference, 0)
    right = pairs = whole = counted = 0
    for column in range(len(next(iter(reference.values())))):
        here = []
        for name, row in reference.items():
            if row[column] not in "-.":
                here.append(columns[name][used[name]])
                used[name] += 1
        if len(here) > 1:
            _, sizes = np.unique(here, return_counts=True)
            right += (sizes * (sizes - 1) // 2).sum()
            pairs += len(here) * (len(here) - 1) // 2
            whole, counted = whole + (len(sizes) == 1), counted + 1
    return 100 * right / pairs, 100 * whole / counted
