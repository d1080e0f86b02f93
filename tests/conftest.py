"""Shared by all tests; its place also makes ``worlds`` importable from every folder below."""

import logging
import os

import pytest

# Threads that spin while they wait for each other cost most of the time where several test
# processes share few cores; this must be said before torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def our_warnings_are_heard() -> None:
    """A configuration refused in this process leaves every logger off; the next test needs ours."""
    ours = logging.getLogger("frbench")
    ours.disabled = False
    ours.setLevel(logging.WARNING)
