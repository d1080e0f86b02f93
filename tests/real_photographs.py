"""Where the real photographs are, for tests that skip by name without them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"
SHARED = Path(os.environ.get("FRBENCH_SHARED_DATA", _BESIDE))


def needs(name):
    """Marks of a test that reads the set ``name``."""
    absent = pytest.mark.skipif(
        not (SHARED / name / "manifest.csv").is_file(),
        reason=f"the real photographs '{name}' are not beside the checkout",
    )
    return lambda test: pytest.mark.real_data(absent(test))
