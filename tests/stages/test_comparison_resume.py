"""A comparison that is really killed goes on where it was, and ends with the same result."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from comparison_worlds import world

from frbench.comparison import ComparisonSpec, compare
from frbench.errors import InputError
from frbench.values import ScoreTally

SPEC = ComparisonSpec(keep_fmr=0.02, keep_all=1, tile=64, histogram_bins=64)

CHILD = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
import frbench.counting.checkpoint as checkpoint
from comparison_worlds import world
from frbench.comparison import ComparisonSpec, compare
checkpoint.SPACING = 0.0
w = world(11, images=900, subjects=300, dimensions=32)
spec = ComparisonSpec(keep_fmr=0.02, keep_all=1, tile=64, histogram_bins=64)
compare(w.embedded, w.faces, spec, checkpoint=Path({folder!r}),
        progress=lambda done, total: time.sleep(0.05))
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The saved state of a comparison in a process of its own that was killed midway."""
    folder = tmp_path_factory.mktemp("killed")
    code = CHILD.format(tests=str(Path(__file__).parent), folder=str(folder))
    child = subprocess.Popen([sys.executable, "-c", code])
    try:
        for _ in range(1200):
            if (folder / "sweep.npz").exists() or child.poll() is not None:
                break
            time.sleep(0.05)
        time.sleep(1.0)
        assert child.poll() is None, "the child ended before it could be killed"
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    return folder / "sweep.npz"


def test_resumes_after_a_kill(killed: Path, tmp_path: Path):
    """After SIGKILL the same call skips the finished tiles and gives the uninterrupted result."""
    shutil.copy(killed, tmp_path)
    w = world(11, images=900, subjects=300, dimensions=32)
    told: list[int] = []
    resumed = compare(
        w.embedded, w.faces, SPEC, checkpoint=tmp_path, progress=lambda done, _: told.append(done)
    )
    whole: list[int] = []
    tally = compare(w.embedded, w.faces, SPEC, progress=lambda done, _: whole.append(done))
    assert len(told) < len(whole)
    assert told == whole[-len(told) :]
    assert_equal(resumed, tally)
    assert not (tmp_path / "sweep.npz").exists()


def assert_equal(a: ScoreTally, b: ScoreTally) -> None:
    """Equal to the bit."""
    assert a.floor == b.floor
    for name in ("mated", "tail"):
        for column in ("first", "second", "score"):
            left, right = (getattr(getattr(t, name), column) for t in (a, b))
            np.testing.assert_array_equal(left, right)
    np.testing.assert_array_equal(a.histogram.counts, b.histogram.counts)


def test_a_state_of_other_inputs_is_not_used(killed: Path, tmp_path: Path):
    """A saved state belongs to its inputs; with other templates the run starts anew."""
    shutil.copy(killed, tmp_path)
    w = world(12, images=900, subjects=300, dimensions=32)
    told: list[int] = []
    tally = compare(
        w.embedded, w.faces, SPEC, checkpoint=tmp_path, progress=lambda done, _: told.append(done)
    )
    fresh: list[int] = []
    assert_equal(
        tally, compare(w.embedded, w.faces, SPEC, progress=lambda done, _: fresh.append(done))
    )
    assert told == fresh


def test_a_damaged_state_is_not_used(tmp_path: Path):
    """A state file cut short is ignored: the result is what it would have been without it."""
    (tmp_path / "sweep.npz").write_bytes(b"PK\x03\x04 cut short")
    w = world(13)
    assert_equal(
        compare(w.embedded, w.faces, SPEC, checkpoint=tmp_path),
        compare(w.embedded, w.faces, SPEC),
    )


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path):
    """The sentence names the folder and what to do."""
    (tmp_path / "file").write_text("")
    w = world(14)
    with pytest.raises(InputError, match="cannot keep the state"):
        compare(w.embedded, w.faces, SPEC, checkpoint=tmp_path / "file" / "below")
