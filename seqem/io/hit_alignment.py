"""The alignment of a domain in lines of a given width."""

from __future__ import annotations

from collections.abc import Iterator

from seqem.profile.hits import Domain

_LEAST = 40


def alignment_lines(domain: Domain, model_name: str, target_name: str, width: int) -> Iterator[str]:
    """Yield the lines of an alignment in blocks: annotation, model, match, target, posterior.

    Parameters
    ----------
    domain : Domain
        With coordinates and alignment; on the reverse strand the target counts down.
    model_name, target_name : str
        What stands before the lines.
    width : int
        Length of a line; blocks have 40 columns at least.

    Examples
    --------
    >>> from seqem.profile.hits import Domain, DomainAlignment
    >>> alignment = DomainAlignment("ac.gt", "a  gt", "a-Cgt", "9.899")
    >>> domain = Domain(9.0, 0.0, 1, 4, 7, 10, 1, 4, -9.0, 1e-4, 1e-4, 0.9, True, True, alignment)
    >>> [line.rstrip() for line in alignment_lines(domain, "m", "seq", 60)]
    ['    m  1 ac.gt 4', '         a  gt', '  seq  7 a-Cgt 10', '         9.899 PP']
    """
    alignment = domain.alignment
    names = max(len(model_name), len(target_name))
    ends = (domain.model_from, domain.model_to, domain.target_from, domain.target_to)
    digits = max(len(str(end)) for end in ends)
    columns = len(alignment.model)
    block = width - names - 2 * digits - 5
    if block < columns:
        block = max(block, _LEAST)
    model_at, target_at = domain.model_from, domain.target_from
    step = 1 if domain.target_from <= domain.target_to else -1
    margin = " " * (names + digits + 1)
    for start in range(0, columns, block):
        part = slice(start, start + block)
        if start:
            yield "\n"
        annotation = ((alignment.structure, "CS"), (alignment.reference, "RF"), (alignment.mask, "MM"))
        yield from (f"  {margin} {line[part]} {tag}\n" for line, tag in annotation if line is not None)
        model, target = alignment.model[part], alignment.target[part]
        model_end = model_at + _letters(model, ".") - 1
        target_end = target_at + step * (_letters(target, "-") - 1)
        yield f"  {model_name:>{names}} {model_at:>{digits}} {model} {model_end:<{digits}}\n"
        yield f"  {margin} {alignment.match[part]}\n"
        empty = not _letters(target, "-")
        first, last = ("-", "-") if empty else (str(target_at), str(target_end))
        last = last.rjust(digits) if empty else last.ljust(digits)
        yield f"  {target_name:>{names}} {first:>{digits}} {target} {last}\n"
        yield f"  {margin} {alignment.posterior[part]} PP\n"
        model_at, target_at = model_end + 1, target_end + step


def _letters(text: str, gap: str) -> int:
    return len(text) - text.count(gap)
