"""dlib's recognition network in processes of its own, since it holds Python's lock throughout.

Plain child processes that talk over their pipes, rather than ``multiprocessing``: that would
import the caller's script again, or fork a process in which torch's threads are running.
"""

from __future__ import annotations

import signal
import struct
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from frbench.dlib_files import RECOGNITION, import_dlib, model_file
from frbench.values import Float64s

CHIP = 150
LENGTH = 128
_COUNT = struct.Struct("<i")

Chips = npt.NDArray[np.uint8]


class DlibWorkers:
    """Some child processes that each hold the network; started at first use, ended by ``close``.

    A child also ends by itself when its input closes, so none outlives a killed parent.
    """

    def __init__(self, count: int, jitter: int) -> None:
        self._count = count
        self._jitter = jitter
        self._children: list[subprocess.Popen[bytes]] = []

    def describe(self, chips: Chips) -> Float64s:
        """float64 (b, 128) for uint8 (b, 150, 150, 3), whatever the number of processes.

        Raises:
            RuntimeError: a child ended before it answered.
        """
        if not self._children:
            self._children = [self._start() for _ in range(self._count)]
        shares = np.array_split(chips, self._count)
        try:
            for child, share in zip(self._children, shares, strict=True):
                assert child.stdin is not None
                child.stdin.write(_COUNT.pack(len(share)) + share.tobytes())
                child.stdin.flush()
            answers = [
                self._answer(child, len(share))
                for child, share in zip(self._children, shares, strict=True)
            ]
        except BaseException:
            self.close()  # a half-read pipe would answer the next question with this one's rest
            raise
        return np.concatenate(answers)

    def close(self) -> None:
        """End the children."""
        for child in self._children:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()
        self._children = []

    def __del__(self) -> None:
        self.close()

    def _start(self) -> subprocess.Popen[bytes]:
        # -P: a file of the user's that is called numpy.py must not be taken for the module
        command = [sys.executable, "-P", "-m", "frbench.dlib_worker", str(self._jitter)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    @staticmethod
    def _answer(child: subprocess.Popen[bytes], count: int) -> Float64s:
        assert child.stdout is not None
        size = count * LENGTH * 8
        data = child.stdout.read(size)
        if len(data) != size:
            raise RuntimeError(f"a dlib process ended with status {child.wait()}")
        return np.frombuffer(data, dtype=np.float64).reshape(count, LENGTH)


def descriptors(chips: Sequence[Chips] | Chips, model: Any, jitter: int) -> Float64s:
    """float64 (b, 128), one chip at a time.

    With jitter every chip gets a network of its own: dlib's random state lives in the network
    and moves on with each face, so a vector would depend on the faces before it.
    """
    rows = []
    for chip in chips:
        fresh = model if jitter == 0 else load()
        rows.append(np.array(fresh.compute_face_descriptor(chip, jitter), dtype=np.float64))
    return np.stack(rows) if rows else np.zeros((0, LENGTH))


def load() -> Any:
    """dlib's recognition network with its published weights."""
    return import_dlib().face_recognition_model_v1(str(model_file(RECOGNITION)))


def _serve(source: IO[bytes], answer: IO[bytes], jitter: int) -> None:
    model = load()
    while len(head := source.read(_COUNT.size)) == _COUNT.size:
        (count,) = _COUNT.unpack(head)
        data = source.read(count * CHIP * CHIP * 3)
        chips = np.frombuffer(data, dtype=np.uint8).reshape(count, CHIP, CHIP, 3)
        answer.write(descriptors(chips, model, jitter).tobytes())
        answer.flush()


if __name__ == "__main__":
    # the parent decides what an interrupt means, and closes the pipe
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(BrokenPipeError):
        _serve(sys.stdin.buffer, sys.stdout.buffer, int(sys.argv[1]))
