"""``detector=landmarks``: faces marked already, read from a CSV or Parquet file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from frbench.detectors import Detection, Image
from frbench.digests import digest_file
from frbench.errors import InputError
from frbench.landmark_schemes import dlib5_of_68, five_of_68
from frbench.table_files import StringTable, read_strings
from frbench.values import Float32s, Float64s

_KEYS = ("image_id", "path")
_BOX = ("box_x0", "box_y0", "box_x1", "box_y1")
_NAMED = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
_POINTS = (5, 68)


class LandmarksDetector:
    """Takes each image's face from a file; opens no model.

    A row a face. Columns: ``image_id`` or ``path`` (as in the set); the points, in pixels of the
    upright image, as ``x1, y1 … x5, y5`` (centre of the left-of-image eye, of the right one, nose
    tip, left and right mouth corner), as ``left_eye_x, left_eye_y, right_eye_x … mouth_right_y``,
    or as ``x1 … y68`` in the order of the iBUG scheme; optionally ``box_x0, box_y0, box_x1,
    box_y1``; or a box alone. A row without coordinates says that no face was found, and so does
    an image without a row.
    """

    name = "landmarks"

    def __init__(self, *, path: str) -> None:
        """Remember the file; nothing is read before the first image.

        Args:
            path: the CSV or Parquet file.
        """
        self._path = Path(path).expanduser()

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """Refused with InputError: without its name an image cannot be looked up."""
        raise InputError("detector=landmarks knows images by name and cannot search pixels")

    def identity(self) -> Mapping[str, Any]:
        """The SHA-256 of the file. Raises InputError where it cannot be read."""
        try:
            return {"name": self.name, "file": digest_file(self._path)}
        except OSError as error:
            raise InputError(
                f"detector.path={self._path} cannot be read ({error.strerror}); check the path"
            ) from None

    def expect(self, names: Sequence[tuple[str, ...]]) -> None:
        """Raises InputError where the file is faulty or lists none of these images."""
        if not any(name in self._faces for each in names for name in each):
            raise InputError(
                f"detector.path={self._path} lists none of the set's {len(names)} images: it says "
                f"{next(iter(self._faces))!r} where the set says {names[0][-1]!r}; use the same "
                "image_id or path in both"
            )

    def listed(self, names: tuple[str, ...]) -> list[list[float | None]]:
        """Box and points of each face of this image."""
        return [
            [None if np.isnan(number) else float(number) for number in row]
            for row in self._rows(names)
        ]

    def look_up(self, names: tuple[str, ...], image: Image) -> list[Detection]:
        """The faces listed for this image; those that lie outside it are left out."""
        height, width = image.shape[:2]
        found = [_face(row) for row in self._rows(names)]
        corners = np.array([width, height, width, height], dtype=np.float32)
        middles = [(face, (face.extent + np.roll(face.extent, 2)) / 2) for face in found]
        return [face for face, at in middles if (at >= 0).all() and (at <= corners).all()]

    def _rows(self, names: tuple[str, ...]) -> list[Float64s]:
        for name in names:
            if name in self._faces:
                return self._faces[name]
        return []

    @cached_property
    def _faces(self) -> dict[str, list[Float64s]]:
        """By name of the image: a row a face, four numbers of the box and then the points."""
        table = read_strings(self._path, what="detector.path")
        columns = [str(column) for column in table.frame.columns]
        key = next((name for name in _KEYS if name in columns), None)
        if key is None:
            raise InputError(f"detector.path={self._path}: no column image_id or path; add one")
        numbers = _numbers(table, columns, key)
        faces: dict[str, list[Float64s]] = defaultdict(list)
        for name, row in zip(table.frame[key], numbers, strict=True):
            kept = faces[str(name)]
            if not np.isnan(row).all():
                kept.append(row)
        return dict(faces)


def _numbers(table: StringTable, columns: list[str], key: str) -> Float64s:
    """float64 [rows, 4 + 2 P]: box, then x y of each point; NaN where the file has none."""
    where = f"detector.path={table.path}"
    points = _point_columns(columns)
    box = list(_BOX) if set(_BOX) <= set(columns) else []
    if not points and not box:
        raise InputError(
            f"{where}: no landmarks: give x1, y1 … x5, y5, or left_eye_x … mouth_right_y, or "
            "x1, y1 … x68, y68, or box_x0, box_y0, box_x1, box_y1"
        )
    wide = np.full((len(table.frame), 4 + len(points)), np.nan)
    problems = [f"{table.where(row)}: {key} is blank" for row in _where(table.frame[key].isna())]
    for group, names in ((slice(4), box), (slice(4, None), points)):
        part = wide[:, group]
        for place, name in enumerate(names):
            for row, text in enumerate(table.frame[name]):
                part[row, place] = _number(text, f"{table.where(row)}, {name}", problems)
        if names:
            problems += _faults(part, table, names is box)
    if problems:
        raise InputError.listing(f"{where}: rows that cannot be used; mend them:", problems)
    return wide


def _point_columns(columns: list[str]) -> list[str]:
    """The columns of the points in order, for whichever naming the file has."""
    named = [f"{name}_{axis}" for name in _NAMED for axis in "xy"]
    if set(named) <= set(columns):
        return named
    for count in sorted(_POINTS, reverse=True):
        numbered = [f"{axis}{number}" for number in range(1, count + 1) for axis in "xy"]
        if set(numbered) <= set(columns):
            return numbered
    return []


def _number(text: Any, where: str, problems: list[str]) -> float:
    if not isinstance(text, str):
        return np.nan
    try:
        number = float(text)
    except ValueError:
        number = np.inf
    if not np.isfinite(number):
        problems.append(f"{where}: {text!r} is not a number of pixels")
        return np.nan
    return number


def _faults(part: Float64s, table: StringTable, is_box: bool) -> list[str]:
    """Rows that are half blank, or whose numbers make no face."""
    blank = np.isnan(part)
    problems = [
        f"{table.where(row)}: some coordinates are blank; fill them in or blank them all"
        for row in _where(blank.any(axis=1) & ~blank.all(axis=1))
    ]
    whole = ~blank.any(axis=1)
    if is_box:
        bad = whole & ((part[:, 2] <= part[:, 0]) | (part[:, 3] <= part[:, 1]))
        return problems + [
            f"{table.where(row)}: the box has no area; x0 < x1 and y0 < y1 are needed"
            for row in _where(bad)
        ]
    points = part.reshape(len(part), -1, 2)
    bad = whole & (np.ptp(points, axis=1).max(axis=1) == 0)
    return problems + [f"{table.where(row)}: all points coincide" for row in _where(bad)]


def _where(found: Any) -> list[int]:
    return [int(row) for row in np.flatnonzero(found)]


def _face(row: Float64s) -> Detection:
    box, points = row[:4].astype(np.float32), row[4:].reshape(-1, 2).astype(np.float32)
    return Detection(box, 1.0, {} if np.isnan(points).any() else _schemes(points))


def _schemes(points: Float32s) -> dict[str, Float32s]:
    if len(points) == 68:
        return {"five": five_of_68(points), "dlib5": dlib5_of_68(points)}
    return {"five": points} if len(points) else {}
