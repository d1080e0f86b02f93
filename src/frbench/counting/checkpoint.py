"""The saved state of an unfinished sweep: one file, replaced as a whole, bound to its inputs."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from frbench.errors import InputError

State = dict[str, npt.NDArray[Any]]

VERSION = "2"
"""Changes whenever a state written before could not be continued correctly."""

SPACING = 5.0
"""Seconds between two saves at least; and saving takes at most a twentieth of the time."""


class Checkpoint:
    """A folder with the state of one sweep.

    Args:
        folder: made if missing; None keeps nothing.
        inputs: everything that the result depends on; a state of other inputs is not used.

    Raises:
        InputError: the folder cannot be written.
    """

    def __init__(self, folder: Path | None, inputs: Mapping[str, object]) -> None:
        self._path = None if folder is None else folder / "sweep.npz"
        self._key = "" if folder is None else _key(inputs)
        self._due = time.monotonic() + SPACING
        if folder is not None:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as problem:
                raise InputError(
                    f"cannot keep the state of the comparison in {folder}: {problem.strerror}; "
                    "name a folder that can be written"
                ) from problem

    def load(self) -> State | None:
        """The state of an earlier, unfinished run on the same inputs."""
        if self._path is None or not self._path.exists():
            return None
        try:
            # opened here, since numpy leaves a damaged file open
            with self._path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                state = {name: file[name] for name in file.files}
        except (OSError, ValueError, BadZipFile):
            return None
        return state if str(state.pop("key", "")) == self._key else None

    @property
    def due(self) -> bool:
        """Whether it is time to save."""
        return self._path is not None and time.monotonic() >= self._due

    def save(self, state: State) -> None:
        """Replace the saved state; a run killed meanwhile leaves the earlier one whole."""
        if self._path is None:
            return
        started = time.monotonic()
        part = self._path.with_suffix(".part")
        try:
            with part.open("wb") as file:
                np.savez(file, allow_pickle=False, **state, key=np.array(self._key))
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._path)
        except OSError as problem:
            raise InputError(
                f"cannot save the state of the comparison to {self._path}: {problem.strerror}; "
                "free some space or name another folder"
            ) from problem
        ended = time.monotonic()
        self._due = ended + max(SPACING, 20 * (ended - started))

    def clear(self) -> None:
        """Remove the state of a finished run."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def _key(inputs: Mapping[str, object]) -> str:
    digest = hashlib.blake2b(VERSION.encode(), digest_size=20)
    for name in sorted(inputs):
        value = inputs[name]
        digest.update(f"|{name}=".encode())
        if isinstance(value, np.ndarray):
            digest.update(f"{value.dtype}{value.shape}".encode())
            digest.update(np.ascontiguousarray(value).data)
        else:
            digest.update(repr(value).encode())
    return digest.hexdigest()
