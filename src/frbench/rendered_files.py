"""Rendered pictures as files in a private cache folder: all of a set, or none.

Pictures are rendered once and used again by every run that names the same people.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frbench.errors import InputError
from frbench.rendering import RENDERER_VERSION

if TYPE_CHECKING:
    from frbench.rendering.render import Shot

Progress = Callable[[int, int], None]
_CHUNK = 64


@dataclass(frozen=True)
class PersonStream:
    """Which pictures of which population: everything that their pixels follow from."""

    shots: Sequence[Shot]
    seed: int
    stream: str


def fill(
    folder: Path, names: Sequence[str], stream: PersonStream, said: str, progress: Progress
) -> None:
    """Make sure that the folder holds exactly these pictures, one name a shot.

    They are rendered beside the final place, then renamed: a reader never sees half a set.

    Args:
        folder: readable by its owner only; a damaged set there is replaced.
        said: the setting that asked for them, for the sentence when it fails.

    Raises:
        InputError: the folder cannot be written.
    """
    if _complete(folder, names):
        return
    work: Path | None = None
    try:
        _private_folder(folder.parent)
        work = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
        _render_into(work, names, stream, progress)
        _put(work, folder, names)
    except OSError as why:
        raise InputError(
            f"{said}: cannot write the pictures to {folder} ({why.strerror}); "
            f"free some space, or name another folder with {said.partition('=')[0]}.cache or "
            "FRBENCH_CACHE."
        ) from why
    finally:
        if work is not None:
            shutil.rmtree(work, ignore_errors=True)


def _render_into(
    work: Path, names: Sequence[str], stream: PersonStream, progress: Progress
) -> None:
    import torch

    from frbench.rendering.render import render

    def one_chunk(start: int) -> int:
        chosen = slice(start, start + _CHUNK)
        pictures = render(stream.shots[chosen], seed=stream.seed, stream=stream.stream)
        for name, picture in zip(names[chosen], pictures, strict=True):
            _write_png(work / name, picture)
        return len(pictures)

    # one torch thread per worker: the many small steps of a picture gain nothing from sharing
    # one step between cores, and lose much to waiting for each other on a busy machine
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            done = 0
            for rendered in pool.map(one_chunk, range(0, len(names), _CHUNK)):
                done += rendered
                progress(done, len(names))
    finally:
        torch.set_num_threads(threads)


def _write_png(path: Path, picture: Any) -> None:
    from PIL import Image

    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        Image.fromarray(picture).save(file, format="PNG", compress_level=1)


def _private_folder(folder: Path) -> None:
    """Make the missing folders of the path, readable by their owner only."""
    for part in reversed([folder, *folder.parents]):
        part.mkdir(mode=0o700, exist_ok=True)


def _complete(folder: Path, names: Sequence[str]) -> bool:
    """Whether the folder holds exactly the set's pictures, none of them empty."""
    if not folder.is_dir():
        return False
    found = {entry.name for entry in os.scandir(folder) if entry.stat().st_size > 0}
    return found == set(names)


def _put(work: Path, folder: Path, names: Sequence[str]) -> None:
    """Rename into place; a damaged set there gives way, one that another process made stays."""
    if folder.exists() and not _complete(folder, names):
        shutil.rmtree(folder)
    try:
        work.rename(folder)
    except OSError:
        if not _complete(folder, names):
            raise


def renderer_digest() -> str:
    """Hash of the renderer's source and of torch's version: a changed renderer cannot hit."""
    import torch

    import frbench.rendering

    digest = hashlib.sha256(f"{RENDERER_VERSION} {torch.__version__}".encode())
    for source in sorted(Path(frbench.rendering.__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()
