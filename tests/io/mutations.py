"""Damaged copies of a small valid file, for the tests that a reader refuses or reads but never breaks."""

import random

TOKENS = [
    b"",
    b"\n",
    b"//",
    b"nan",
    b"-1",
    b"inf",
    b"*",
    b"1e999",
    b"9" * 30,
    b"\xff",
    b"\x00",
    b">",
    b"#=GC RF ",
    b"\r",
    b"-",
]


def mutate(text: bytes, rng: random.Random) -> bytes:
    """Return ``text`` with one to four random edits."""
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(text) + 1)
        stop = min(len(text), at + rng.choice([0, 0, 1, 1, 5, 40]))
        kind = rng.randrange(6)
        if kind == 0:
            text = text[:at] + bytes([rng.randrange(256)]) + text[at + 1 :]
        elif kind == 1:
            text = text[:at] + rng.choice(TOKENS) + text[stop:]
        elif kind == 2:
            text = text[:at]
        elif kind == 3:
            text = text[:at] + text[at:stop] * 2 + text[stop:]
        elif kind == 4:
            lines = text.split(b"\n")
            lines.insert(rng.randrange(len(lines)), rng.choice(lines))
            text = b"\n".join(lines)
        else:
            lines = text.split(b"\n")
            del lines[rng.randrange(len(lines))]
            text = b"\n".join(lines)
    return text


def survives(path, text: bytes, read, error: type[Exception]) -> bool:
    """Return whether ``read`` takes the text; an exception other than ``error`` goes through."""
    path.write_bytes(text)
    try:
        read(path)
    except error:
        return False
    return True
