"""From a path to the lines of a domain's alignment, letter by letter."""

from seqem.kernels._jit import kernel

MATCH_STATE, INSERT_STATE = 1, 2
BLANK, PLUS, DASH, DOT, STAR, ZERO, SMALL, CAPITAL = 32, 43, 45, 46, 42, 48, 0x20, 0xDF


@kernel
def unwind(path, count, posterior, row, width, before, steps, values):
    """Fill ``steps`` (3, n), states, nodes and residues, and ``values``, posteriors, of a backward path from match to match.

    ``before`` is added to the numbers of residues; deletes have the posterior 0. Return n.
    """
    begin, end = count - 1, 0
    while path[begin, 0] != MATCH_STATE:
        begin -= 1
    while path[end, 0] != MATCH_STATE:
        end += 1
    n = 0
    for z in range(begin, end - 1, -1):
        state, k, i = path[z, 0], path[z, 1] - 1, path[z, 2]
        at = i * row + (k // width) * 3 * width + k % width
        value = posterior[at] if state == MATCH_STATE else posterior[at + width]
        values[n] = value if state in (MATCH_STATE, INSERT_STATE) else 0
        steps[0, n], steps[1, n], steps[2, n] = state, k + 1, i + before
        n += 1
    return n


@kernel
def draw(states, nodes, places, posteriors, symbols, letters, consensus, odds, lines):
    """Fill ``lines`` (4, n): model, match, target and posterior; ``places`` are of ``symbols``, from 0."""
    for z in range(states.shape[0]):
        k, symbol = nodes[z] - 1, symbols[places[z]]
        letter, model, mark = letters[symbol], consensus[k], BLANK
        if states[z] == MATCH_STATE:
            if (model & CAPITAL) == letter:
                mark = model
            elif odds[symbol, k] > 1.0:
                mark = PLUS
        elif states[z] == INSERT_STATE:
            model, letter = DOT, letter | SMALL
        else:
            letter = DASH
        tenth = int(posteriors[z] * 10 + 0.5)
        shown = DOT if letter == DASH else (STAR if tenth >= 10 else ZERO + tenth)
        lines[0, z], lines[1, z], lines[2, z], lines[3, z] = model, mark, letter, shown
