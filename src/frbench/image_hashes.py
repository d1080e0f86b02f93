"""The exact and the perceptual hash of many image files, kept between runs for files unchanged.

What is kept is found again by path, size, inode and the times of the last change of content and
of status; a file that changed within the last seconds is not kept at all, since a clock that
coarse could not tell it from its next version.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from frbench.digests import digest_bytes, digest_of
from frbench.errors import InputError
from frbench.imaging import UnreadableImage, decode, decoder_identity, quiet_decoding, read_image
from frbench.near_duplicates import perceptual_hash
from frbench.progress import Report

_VERSION = 1
_SETTLED_SECONDS = 2.0
_AHEAD = 64


@dataclass(frozen=True)
class ImageHash:
    """What one file is.

    Attributes:
        digest: SHA-256 of the bytes, "" where they cannot be read.
        coarse, fine: 64-bit and 256-bit perceptual hash of the decoded picture, or None.
        fault: why it is no image that can be used, "" otherwise.
    """

    digest: str
    coarse: int | None = None
    fine: int | None = None
    fault: str = ""


def hash_images(
    paths: Sequence[Path], *, cache: Path | None = None, progress: Report | None = None
) -> list[ImageHash]:
    """The hashes in the order of the paths; every image is decoded whole, so damage shows.

    Raises:
        InputError: the cache folder cannot be written.
    """
    kept = _Kept(cache, paths)
    found: list[ImageHash] = []
    with quiet_decoding(), ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for path, item in zip(paths, _in_order(pool, paths, kept), strict=True):
            kept.add(path, item)
            found.append(item)
            if progress is not None:
                progress(len(found), len(paths))
    kept.save()
    return found


def hash_of(path: Path) -> ImageHash:
    """The hashes of one file; never raises for a bad one."""
    try:
        data = read_image(path)
    except UnreadableImage as error:
        return ImageHash("", fault=str(error))
    digest = digest_bytes(data)
    try:
        return ImageHash(digest, *perceptual_hash(decode(data)))
    except UnreadableImage as error:
        return ImageHash(digest, fault=str(error))


def _in_order(pool: ThreadPoolExecutor, paths: Sequence[Path], kept: _Kept) -> Iterator[ImageHash]:
    """A few files ahead of whoever reads, so that memory does not grow with the set."""
    queue: deque[Future[ImageHash] | ImageHash] = deque()
    for path in paths:
        queue.append(kept.get(path) or pool.submit(hash_of, path))
        if len(queue) > _AHEAD:
            yield _done(queue.popleft())
    while queue:
        yield _done(queue.popleft())


def _done(item: Future[ImageHash] | ImageHash) -> ImageHash:
    return item if isinstance(item, ImageHash) else item.result()


class _Kept:
    """The hashes of one set of files from earlier runs, in one private file of the cache."""

    def __init__(self, cache: Path | None, paths: Sequence[Path]) -> None:
        self._file: Path | None = None
        self._known: dict[str, dict[str, Any]] = {}
        self._fresh = 0
        self._started = time.time()
        if cache is None or not paths:
            return
        root = os.path.commonpath([os.path.abspath(path.parent) for path in paths])
        name = digest_of([_VERSION, decoder_identity(), root])
        self._file = cache / "hashes" / f"{name}.json"
        try:
            held = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        if isinstance(held, dict):
            self._known = held

    def get(self, path: Path) -> ImageHash | None:
        """What is known of this file in exactly this state."""
        entry = self._known.get(os.path.abspath(path))
        if entry is None or entry["state"] != _state(path):
            return None
        return ImageHash(**entry["hash"])

    def add(self, path: Path, item: ImageHash) -> None:
        """Keep a hash, unless the file may still be changing."""
        state = _state(path)
        if self._file is None or state is None or self.get(path) == item:
            return
        if max(state[2:4]) / 1e9 > self._started - _SETTLED_SECONDS:
            return
        self._known[os.path.abspath(path)] = {"state": state, "hash": asdict(item)}
        self._fresh += 1

    def save(self) -> None:
        """The whole file or nothing of it, readable by its owner only."""
        if self._file is None or not self._fresh:
            return
        try:
            for folder in (self._file.parent.parent, self._file.parent):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=".new-", dir=self._file.parent)
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                json.dump(self._known, stream)
            os.replace(name, self._file)
        except OSError as error:
            raise InputError(
                f"cache={self._file.parent.parent} cannot be used ({error.strerror}); name a "
                "folder that you can write to"
            ) from None


def _state(path: Path) -> list[int] | None:
    """Size, inode and times of the last change; None where there is no file."""
    try:
        of = path.stat()
    except OSError:
        return None
    return [of.st_size, of.st_ino, of.st_mtime_ns, of.st_ctime_ns]
