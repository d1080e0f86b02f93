"""Templates kept between runs, found again only by everything that made them.

A folder per setting of matcher, preprocessing and detector; in it, shards of records keyed by the
SHA-256 of the image's bytes. A shard's name is the SHA-256 of its own content, which makes writing
it twice harmless, half a shard impossible to mistake for a whole one, and locks unnecessary.
Faces are biometric data: folders are readable by their owner only.
"""

from __future__ import annotations

import errno
import io
import json
import logging
import os
import tempfile
import time
import zipfile
from collections.abc import KeysView, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from frbench.digests import digest_bytes, digest_of
from frbench.errors import InputError
from frbench.values import Float32s

_SHARD_RECORDS = 512
_SHARD_SECONDS = 10.0
_STALE_SECONDS = 3600.0
_FULL = (errno.ENOSPC, errno.EDQUOT)
_LOG = logging.getLogger("frbench")


@dataclass(frozen=True)
class Template:
    """The outcome for one image: a unit vector, or the reason of a failure to enrol.

    Attributes:
        vector: float32 [D], unit length, or None for a failure.
        failure: the reason, "" where there is a vector.
    """

    vector: Float32s | None
    failure: str = ""


class TemplateCache:
    """The records of one setting: all of them in memory, new ones written shard by shard."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Open, or create, the records made under exactly these settings.

        Args:
            folder: the cache's root; ``embeddings/<key>/shards`` is made below it.
            settings: plain data naming everything but the image that can change a template.

        Raises:
            InputError: the folder cannot be made or written to.
        """
        self.key = digest_of(settings)
        self._root = folder
        self._shards = folder / "embeddings" / self.key / "shards"
        self._fresh: dict[str, Template] = {}
        self._written = time.monotonic()
        try:
            for made in (folder, *reversed([*self._shards.parents][:2]), self._shards):
                made.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._remove_stale()
            described = json.dumps(settings, indent=2, sort_keys=True).encode()
            self._write(self._shards.parent / "settings.json", described)
            self._known = self._read_all()
        except OSError as error:
            raise self._refusal(error) from None

    def __contains__(self, image: object) -> bool:
        return image in self._known

    def __getitem__(self, image: str) -> Template:
        return self._known[image]

    def images(self) -> KeysView[str]:
        """The images that there is a record of."""
        return self._known.keys()

    def add(self, image: str, template: Template) -> None:
        """Keep a record; it reaches the disk with its shard, at the latest at ``flush``."""
        self._known[image] = template
        self._fresh[image] = template
        waited = time.monotonic() - self._written
        if len(self._fresh) >= _SHARD_RECORDS or waited > _SHARD_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what is new as one shard. Raises InputError when the disk is full or read-only."""
        self._written = time.monotonic()
        if not self._fresh:
            return
        data = _packed(self.key, self._fresh)
        try:
            self._write(self._shards / f"{digest_bytes(data)}.npz", data)
        except OSError as error:
            raise self._refusal(error) from None
        self._fresh = {}

    def _write(self, path: Path, data: bytes) -> None:
        """The whole file or nothing of it, readable by its owner only."""
        handle, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def _read_all(self) -> dict[str, Template]:
        known: dict[str, Template] = {}
        for path in sorted(self._shards.glob("*.npz")):
            data = path.read_bytes()
            if digest_bytes(data) != path.stem:
                _LOG.warning("cache file %s is damaged; its templates are made anew", path)
                path.unlink(missing_ok=True)
                continue
            known |= _unpacked(self.key, data)
        return known

    def _remove_stale(self) -> None:
        """What killed processes left half-written; a living one finishes within seconds."""
        for folder in (self._shards, self._shards.parent):
            for path in folder.glob(".new-*"):
                if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                    path.unlink(missing_ok=True)

    def _refusal(self, error: OSError) -> InputError:
        if error.errno in _FULL:
            return InputError(
                f"cache={self._root}: the disk is full; free some space or name another folder "
                "(what was written before is kept, and nothing is half-written)"
            )
        return InputError(
            f"cache={self._root} cannot be used ({error.strerror}: {error.filename}); "
            "name a folder that you can write to"
        )


def _packed(key: str, records: Mapping[str, Template]) -> bytes:
    """The records as one .npz; failures have a reason and a row of zeros."""
    length = max(
        (len(made.vector) for made in records.values() if made.vector is not None), default=0
    )
    vectors = np.zeros((len(records), length), dtype=np.float32)
    for row, made in enumerate(records.values()):
        if made.vector is not None:
            vectors[row] = made.vector
    buffer = io.BytesIO()
    np.savez(
        buffer,
        key=np.array(key),
        image=np.array(list(records)),
        vectors=vectors,
        failure=np.array([made.failure for made in records.values()]),
    )
    return buffer.getvalue()


def _unpacked(key: str, data: bytes) -> dict[str, Template]:
    """The records of a shard; none when it belongs to another setting or another program."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as shard:
            if str(shard["key"]) != key:
                return {}
            images, vectors, failures = shard["image"], shard["vectors"], shard["failure"]
    except (ValueError, KeyError, OSError, zipfile.BadZipFile):
        return {}
    return {
        str(image): Template(None, str(failure)) if failure else Template(vector)
        for image, vector, failure in zip(images, vectors, failures, strict=True)
    }
