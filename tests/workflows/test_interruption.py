"""A run that is stopped leaves nothing half-written, keeps what it had, and goes on from there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SMALL = (
    "benchmark.people_per_group=6",
    "benchmark.images_per_person=3",
    "operating_point.target_fmr=[1e-2]",
    "output=out",
)


def start(cwd: Path) -> subprocess.Popen[str]:
    """``frbench evaluate`` on a few synthetic faces, in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "frbench", "evaluate", *SMALL],
        cwd=cwd,
        env={**os.environ, "FRBENCH_CACHE": str(cwd / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_ctrl_c_is_130_and_the_next_run_finishes(tmp_path: Path) -> None:
    """Interrupted while it works: status 130, one sentence, no folder; then a whole run."""
    process = start(tmp_path)
    assert process.stderr is not None
    while "…" not in (line := process.stderr.readline()):
        assert line, "the process ended before its first stage"
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    if process.returncode != 0:
        assert process.returncode == 130, said
        assert "run the same command to resume" in said
        assert "Traceback" not in said
        assert [p.name for p in tmp_path.iterdir() if p.name != "cache"] == []
    again = start(tmp_path)
    _, said = again.communicate(timeout=240)
    assert again.returncode == 0, said
    assert (tmp_path / "out" / "run.json").is_file()


@pytest.mark.slow
def test_a_killed_run_leaves_no_run_folder(tmp_path: Path) -> None:
    """SIGKILL gives no chance to tidy up; what is left begins with a dot and is no run."""
    process = start(tmp_path)
    assert process.stderr is not None
    while "…" not in (line := process.stderr.readline()):
        assert line, "the process ended before its first stage"
    process.kill()
    process.communicate(timeout=60)
    assert not (tmp_path / "out").exists()
    assert all(p.name.startswith(".") for p in tmp_path.iterdir() if p.name != "cache")
    again = start(tmp_path)
    _, said = again.communicate(timeout=240)
    assert again.returncode == 0, said
