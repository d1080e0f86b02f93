"""Where a run folder stands: written whole or not at all.

A run is first written beside its final place under a name that begins with a dot, and renamed
when everything is in it; a folder with a ``run.json`` is therefore always complete.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from frbench.errors import InputError


def run_place(output: str) -> Path:
    """The run folder that ``output`` names, with a last part that can be given a neighbour."""
    place = Path(output).expanduser()
    return place if place.name not in ("", "..") else Path(os.path.abspath(place))


@contextmanager
def staged(final: Path, partial: Path) -> Iterator[Path]:
    """A folder to write into that takes its final place only when the block ends well.

    A complete run that already stands at ``final`` is not lost: it moves aside to ``final~1``,
    ``final~2``, … When the block fails, what was written so far is removed.

    Raises:
        InputError: the place cannot be written, or the disk is full.
    """
    try:
        _refuse_what_is_no_run(final)
        partial.mkdir(parents=True, exist_ok=True)
        yield partial
        _refuse_what_is_no_run(final)
        final.parent.mkdir(parents=True, exist_ok=True)
        if final.exists() and any(final.iterdir()):
            final.rename(_aside(final))
        os.replace(partial, final)
    except OSError as cause:
        if not _is_about_writing(cause, partial, final):
            raise
        raise InputError(
            f"{cause.filename or partial}: cannot be written ({cause.strerror or cause}); choose "
            "another folder with output=DIR or make room; nothing was left half-written and "
            "finished templates stay in the cache."
        ) from cause
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _is_about_writing(cause: OSError, partial: Path, final: Path) -> bool:
    """Whether the run folder is to blame, and not a child process or an input file."""
    if cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        return True
    if not cause.filename:
        return False
    named, writing, place = map(_absolute, (cause.filename, partial, final))
    return writing in (named, *named.parents) or named in (place, *place.parents)


def _absolute(path: str | Path) -> Path:
    return Path(os.path.abspath(path))


def _refuse_what_is_no_run(final: Path) -> None:
    if not final.exists():
        return
    if final.is_file() or (any(final.iterdir()) and not (final / "run.json").is_file()):
        raise InputError(
            f"output={final} exists and is not a run of frbench; choose another folder."
        )


def _aside(final: Path) -> Path:
    number = 1
    while (place := final.with_name(f"{final.name}~{number}")).exists():
        number += 1
    return place
