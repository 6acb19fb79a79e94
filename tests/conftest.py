"""What all tests share: compiled kernels kept between runs, and the folder of large data beside the repository."""

import hashlib
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def _kernels_digest() -> str:
    """Return a hash of every file of ``seqem/kernels``: numba does not see that a helper in another file changed."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "seqem" / "kernels").glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


# Read by numba when it is first imported, which is after this file; processes started by tests inherit it.
os.environ["NUMBA_CACHE_DIR"] = str(ROOT / ".pytest_cache" / f"numba-{_kernels_digest()}")


@pytest.fixture(scope="session")
def data() -> Path:
    """Return the folder of small data that comes with the repository."""
    return ROOT / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of larger data that lies beside a checkout; skip where there is none."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the data folder {folder}, which is not here")
    return folder
