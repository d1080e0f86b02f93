"""One call of a vendor's program: bounded in time, its output drained, nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from frbench.errors import InputError
from frbench.opaque.vendor import TimedOut, VendorFailed

KEPT = 2000
"""Bytes of what a program printed that are kept, the last ones."""


class Processes:
    """Starts programs, each in a process group of its own, and can end all of them."""

    def __init__(self) -> None:
        self._living: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def call(self, words: Sequence[str], *, verb: str, seconds: float, cwd: Path) -> None:
        """Run to the end. What it prints is read and forgotten but for the last words.

        Args:
            words: program and arguments.
            verb: how sentences name the call.

        Raises:
            TimedOut: it did not end in time; its process group is killed.
            VendorFailed: it ended with another status than 0, or ``stop`` was called.
            InputError: it cannot be started.
        """
        child = self._start(words, cwd)
        tail = _Tail(child.stdout)
        try:
            try:
                status = child.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                raise TimedOut(f"{verb} did not end within {seconds:g} s") from None
        finally:
            # also what the program left running: it would hold the pipe, and the machine
            _end_group(child)
            with self._lock:
                self._living.discard(child)
            said = tail.close()
        if status != 0:
            how = f"signal {-status}" if status < 0 else f"status {status}"
            raise VendorFailed(f"{verb} ended with {how}{said}")

    def stop(self) -> None:
        """End everything; later calls fail."""
        with self._lock:
            self._stopped = True
            living = list(self._living)
        for child in living:
            _end_group(child)

    def _start(self, words: Sequence[str], cwd: Path) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._stopped:
                raise VendorFailed("stopped")
            try:
                child = subprocess.Popen(
                    words,
                    cwd=cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as cause:
                raise InputError(
                    f"matcher.program={words[0]} cannot be started ({cause.strerror}); is it a "
                    "program for this machine?"
                ) from None
            self._living.add(child)
        return child


class _Tail:
    """Drains a pipe in a thread, so that a chatty program never blocks, and keeps the end."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        assert pipe is not None
        self._pipe, self._kept = pipe, b""
        self._thread = threading.Thread(target=self._drain, daemon=True)
        self._thread.start()

    def close(self) -> str:
        """The last line, in brackets, or ""; the program and its group are gone by now."""
        self._thread.join(timeout=5)
        if not self._thread.is_alive():
            self._pipe.close()
        lines = self._kept.decode("utf-8", "replace").split("\n")
        words = [
            "".join(c if c.isprintable() else "?" for c in line.strip()) for line in lines if line
        ]
        return f" (it said: {words[-1][-200:]})" if words else ""

    def _drain(self) -> None:
        with suppress(OSError, ValueError):
            while piece := os.read(self._pipe.fileno(), 65536):
                self._kept = (self._kept + piece)[-KEPT:]


def _end_group(child: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        child.wait(timeout=10)
