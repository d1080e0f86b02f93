"""A vendor's templates on disk, found again by the image's bytes and everything else of them.

A file per finished batch, written whole; its name is the SHA-256 of its content, so a damaged one
is seen and dropped. Only outcomes that the vendor itself settled are kept. Templates are biometric
data: the folder is readable by its owner only.
"""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from frbench.digests import digest_bytes
from frbench.errors import InputError
from frbench.opaque.private import private_folder
from frbench.opaque.vendor import Enrolled


class TemplateStore:
    """What is known of images enrolled by one vendor in one version.

    Args:
        folder: made if absent; None keeps nothing.

    Raises InputError when the folder cannot be used.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._known: dict[str, Enrolled] = {}
        if folder is None:
            return
        try:
            private_folder(folder)
            for left_over in folder.glob(".new-*"):
                left_over.unlink(missing_ok=True)
            for file in sorted(folder.glob("*.npz")):
                self._read(file)
        except OSError as cause:
            raise InputError(
                f"cache={folder}: cannot be used ({cause.strerror}); name another folder"
            ) from cause

    def get(self, digest: str) -> Enrolled | None:
        """The outcome for the image with these bytes, or None."""
        return self._known.get(digest)

    def keep(self, made: Mapping[str, Enrolled]) -> None:
        """Keep a batch by the SHA-256 of its images' bytes."""
        self._known |= made
        settled = {digest: each for digest, each in made.items() if each.settled}
        if self._folder is None or not settled:
            return
        blobs = [each.template or b"" for each in settled.values()]
        buffer = io.BytesIO()
        np.savez(
            buffer,
            image=np.array(list(settled)),
            failure=np.array([each.failure for each in settled.values()]),
            size=np.array([len(blob) for blob in blobs], dtype=np.int64),
            data=np.frombuffer(b"".join(blobs), dtype=np.uint8),
        )
        data = buffer.getvalue()
        handle, name = tempfile.mkstemp(prefix=".new-", dir=self._folder)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(name, self._folder / f"{digest_bytes(data)}.npz")

    def _read(self, file: Path) -> None:
        data = file.read_bytes()
        if digest_bytes(data) != file.stem:
            file.unlink(missing_ok=True)
            return
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as stored:
                images, failures = stored["image"].tolist(), stored["failure"].tolist()
                ends = np.cumsum(stored["size"])
                blob = stored["data"].tobytes()
        except (ValueError, KeyError, zipfile.BadZipFile):
            return
        start = 0
        for image, failure, end in zip(images, failures, ends.tolist(), strict=True):
            self._known[image] = Enrolled(None if failure else blob[start:end], failure)
            start = end
