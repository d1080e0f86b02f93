"""A run in one file to hand on: checked first, without tables of ids, always the same bytes."""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from frbench.digests import digest_bytes, digest_file
from frbench.errors import InputError
from frbench.run_collection.states import CHANGED
from frbench.run_collection.verify import check_files

IDENTIFYING = {
    *("image_id", "subject_id", "probe_id", "reference_id", "template_id", "path", "file"),
    *("person", "person_id", "probe_subject", "reference_subject"),
}
"""Columns whose tables stay behind."""

STAMP = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Archived:
    """What was written.

    Attributes:
        files: how many.
        left_out: name -> why it stayed behind.
    """

    path: Path
    files: int
    left_out: dict[str, str]


def archive_run(folder: Path, path: Path) -> Archived:
    """Writes the run as a zip file with the folder's name inside.

    Tables with a column of ids, images and hidden files other than ``.hydra`` stay behind, named
    in ``LEFT_OUT.json`` beside the folder.

    Raises:
        InputError: the run is not as it was written, or the file exists or cannot be written.
    """
    changed = [check for check in check_files(folder) if check.state == CHANGED]
    if changed:
        raise InputError(
            f"{folder} is not as it was written ({changed[0].what}: {changed[0].words}); "
            f"frbench runs verify {folder} lists everything"
        )
    if path.exists():
        raise InputError(f"{path} exists; name another file with output=FILE.zip")
    left_out: dict[str, str] = {}
    written = []
    partial = path.with_name(f".{path.name}.partial-{os.urandom(4).hex()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(each for each in folder.rglob("*") if each.is_file()):
                name = file.relative_to(folder).as_posix()
                if why := _kept_back(file, name):
                    left_out[name] = why
                    continue
                _put(archive, f"{folder.name}/{name}", file.read_bytes())
                written.append((f"{folder.name}/{name}", digest_file(file)))
            if left_out:
                text = json.dumps(left_out, indent=2, ensure_ascii=False) + "\n"
                _put(archive, "LEFT_OUT.json", text.encode())
        _read_back(partial, written)
        os.replace(partial, path)
    except OSError as cause:
        raise InputError(f"{path}: cannot be written ({cause.strerror or cause})") from cause
    finally:
        partial.unlink(missing_ok=True)
    return Archived(path, len(written), left_out)


def _put(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, STAMP)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content)


def _read_back(path: Path, written: list[tuple[str, str]]) -> None:
    with zipfile.ZipFile(path) as archive:
        for name, digest in written:
            if digest_bytes(archive.read(name)) != digest:
                raise InputError(f"{path}: {name} changed while it was archived; try again")


def _kept_back(file: Path, name: str) -> str:
    """Why a file is not handed on, or ""."""
    if file.is_symlink():
        return "a link"
    if file.suffix.lower() in (".png", ".jpg", ".jpeg", ".bmp", ".npy", ".safetensors"):
        return "an image or templates"
    columns: list[str] = []
    if file.suffix == ".parquet":
        columns = [str(each) for each in pd.read_parquet(file).columns]
    elif file.suffix == ".csv":
        columns = [str(each) for each in pd.read_csv(file, nrows=0).columns]
    held = sorted(IDENTIFYING.intersection(columns))
    return f"holds {', '.join(held)}" if held else ""
