"""What a run has read, by SHA-256: every file that a setting names, and every image of the set."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from frbench.digests import digest_file
from frbench.pooling import images_of
from frbench.values import FaceSet

NO_INPUTS = ("output", "cache")
"""Settings that say where to write."""

WHOLE_FOLDERS = ("matcher", "before", "detector")
"""Where a setting may name a folder that is read whole, as an exported network is."""

MOST_FILES = 1000
"""Files of such a folder that are hashed at the most; a larger one is not a model."""

IMAGE_TABLE = "image_files.parquet"
"""Column ``sha256``, a row per image in the order of the set; no path and no id."""

ABSENT = "absent"


def named_files(config: Mapping[str, Any]) -> dict[str, Path]:
    """Key of the configuration -> absolute path, for every setting that names a file.

    A folder of a matcher stands for its files (``matcher.path/model.onnx``), a run whose
    thresholds are taken for its ``run.json``.
    """
    found: dict[str, Path] = {}
    for key, value in _texts("", config):
        if key.partition(".")[0] in NO_INPUTS or not value or len(value) > 4096 or "\0" in value:
            continue
        place = Path(os.path.abspath(Path(value).expanduser()))
        if place.is_file():
            found[key] = place
        elif key == "operating_point.from_run" and (place / "run.json").is_file():
            found[f"{key}/run.json"] = place / "run.json"
        elif key.partition(".")[0] in WHOLE_FOLDERS and "." in key and place.is_dir():
            inside = [each for each in sorted(place.rglob("*")) if each.is_file()][:MOST_FILES]
            found |= {f"{key}/{each.relative_to(place).as_posix()}": each for each in inside}
    return found


def _texts(where: str, node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from _texts(f"{where}.{key}" if where else str(key), value)
    elif isinstance(node, list | tuple):
        for number, value in enumerate(node):
            yield from _texts(f"{where}.{number}", value)
    elif isinstance(node, str) and not where.endswith("_target_"):
        yield where, node


def file_records(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row per named file: key, path, bytes, sha256."""
    return [
        {"key": key, "path": str(path), "bytes": path.stat().st_size, "sha256": digest_file(path)}
        for key, path in named_files(config).items()
    ]


def image_digests(faces: FaceSet) -> pd.DataFrame:
    """Columns path, sha256: every image of the set in its order, ``absent`` where there is none."""
    paths = [str(path) for path in images_of(faces).faces["path"]]
    digests = []
    for path in paths:
        try:
            digests.append(digest_file(faces.root / path))
        except OSError:
            digests.append(ABSENT)
    return pd.DataFrame({"path": paths, "sha256": digests}, dtype="str")
