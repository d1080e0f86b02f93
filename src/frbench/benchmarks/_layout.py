"""What the loaders of distributors' layouts share: finding images, joining labels, voting."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from frbench.contained_paths import path_faults
from frbench.errors import InputError
from frbench.label_columns import face_table, version_of
from frbench.table_files import StringTable, read_strings
from frbench.values import FaceSet

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".webp"}
    | {".tif", ".tiff", ".gif", ".ppm", ".pgm", ".pbm", ".pnm"}
)
"""Usual endings of the formats that ``imaging.decode`` opens."""


@dataclass(frozen=True)
class Origin:
    """Where a set comes from, for the sentence that a missing folder ends with.

    Attributes:
        name: of the set.
        obtain: how one gets it.
        licence: in words.
        layout: what the folder must hold.
    """

    name: str
    obtain: str
    licence: str
    layout: str

    def remedy(self) -> str:
        """What to do where the set, or a part of it, is not there."""
        return (
            f"{self.name} is not included: {self.obtain} ({self.licence}); benchmark.root is the "
            f"folder that holds {self.layout}"
        )

    def about(self, root: Path) -> dict[str, str]:
        """Provenance for the record."""
        return {"source": f"{self.name}, {root}", "obtained": self.obtain, "licence": self.licence}


def need_folder(root: Path, origin: Origin) -> None:
    """Raise InputError with the way to the set where there is no such folder."""
    if not root.is_dir():
        raise InputError(f"benchmark.root={root} is not a folder; {origin.remedy()}")


def images_below(root: Path) -> list[str]:
    """Paths of all images below the root, relative, sorted by their parts; hidden ones left out.

    Raises:
        InputError: a link leads out of the root, or a folder cannot be read.
    """
    found: list[str] = []
    links: list[str] = []
    for folder, children, files in os.walk(root, onerror=_refuse):
        links += [
            os.path.relpath(os.path.join(folder, child), root)
            for child in children
            if os.path.islink(os.path.join(folder, child))
        ]
        children[:] = [child for child in children if not child.startswith(".")]
        found += [
            Path(folder, name).relative_to(root).as_posix()
            for name in files
            if not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES
        ]
    found.sort(key=lambda path: PurePosixPath(path).parts)
    listed = sorted([*links, *found])
    faults = [
        f"{path} {fault}"
        for path, fault in zip(listed, path_faults(root, listed), strict=True)
        if fault
    ]
    if faults:
        raise InputError.listing(
            f"benchmark.root={root}: {len(faults)} entries lie elsewhere; copy them here or give "
            "the root that holds them:",
            faults,
        )
    return found


def _refuse(error: OSError) -> None:
    raise InputError(f"benchmark.root: {error.filename} cannot be read ({error.strerror})")


def first_file(root: Path, candidates: Iterable[str]) -> Path | None:
    """The first of these that is a file below the root."""
    return next((root / each for each in candidates if (root / each).is_file()), None)


def rows_frame(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """String columns from one mapping per row; None and "" are missing."""
    return pd.DataFrame(
        {name: pd.Series([row.get(name) or None for row in rows], dtype="str") for name in columns}
    )


def face_set(
    name: str,
    root: Path,
    frame: pd.DataFrame,
    *,
    labels: Sequence[str],
    loader: int,
    about: Mapping[str, str],
    provenance: Mapping[str, str],
    sources: Sequence[str] = (),
    notices: Sequence[str] = (),
    pairs: pd.DataFrame | None = None,
    members: pd.DataFrame | None = None,
) -> FaceSet:
    """The FaceSet of a frame with ``path, subject_id`` and further columns.

    Args:
        name: of the set, in results.
        root: folder that the paths are relative to.
        frame: a row per image; ``image_id`` is the path unless the column is there.
        labels: which further columns are labels; the rest are covariates.
        loader: version of the loader.
        about: provenance in words, without names of people.
        provenance: of each label: who said so.
        sources, notices, pairs, members: as in FaceSet.
    """
    if frame.empty:
        raise InputError(f"benchmark.root={root} holds no image of {name}; check the folder")
    identity = frame[["subject_id", "path"]].copy()
    identity["image_id"] = frame["image_id"] if "image_id" in frame else frame["path"]
    others = frame.drop(columns=["subject_id", "path", "image_id"], errors="ignore")
    faces = face_table(identity, others, labels=list(labels), what=f"benchmark.root={root}")
    single = int((faces["subject_id"].value_counts() == 1).sum())
    words = {
        **about,
        **{f"provenance of {label}": said for label, said in provenance.items()},
        "persons with one image": str(single),
    }
    version = _version(faces, loader, pairs, members)
    if pairs is not None:
        words["protocol"] = f"{len(pairs)} listed pairs in {pairs['fold'].nunique()} folds"
    return FaceSet(
        name,
        version,
        root,
        faces,
        about=words,
        pairs=pairs,
        members=members,
        sources=tuple(sources),
        notices=tuple(notices),
    )


def _version(
    faces: pd.DataFrame, loader: int, pairs: pd.DataFrame | None, members: pd.DataFrame | None
) -> str:
    """As ``version_of``, with the lists that change results just as labels do."""
    version = version_of(faces, loader=loader)
    for table in (pairs, members):
        if table is not None:
            rows = pd.util.hash_pandas_object(table, index=False).to_numpy()
            version += f"-{hashlib.sha256(rows.tobytes()).hexdigest()[:12]}"
    return version


def only_in_pairs(frame: pd.DataFrame, pairs: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """The images that the pairs name, and how many others were left out."""
    named = set(pairs["probe_id"]).union(pairs["reference_id"])
    kept = frame[frame["path"].isin(named)].reset_index(drop=True)
    return kept, len(frame) - len(kept)


def join_labels(
    frame: pd.DataFrame, file: Path, *, keys: Mapping[str, str] | None = None
) -> tuple[pd.DataFrame, list[str]]:
    """The frame with the columns of a label file, by path or by person, and their names.

    The file has ``path`` (a row per image; a ``subject_id`` beside it must agree) or
    ``subject_id`` (a row per person). Images without a row are unlabelled; a row without an image
    is an error.

    Args:
        frame: ``path, subject_id`` and more.
        file: CSV or Parquet.
        keys: for each column of the frame that the file may name otherwise, that name.

    Raises:
        InputError: listing every row that fits nothing, is doubled, or contradicts the folders.
    """
    table = read_strings(file, what="benchmark.labels")
    key = next((name for name in ("path", "subject_id") if name in table.frame), None)
    if key is None:
        raise InputError(
            f"benchmark.labels={file} has neither a column path (labels per image) nor subject_id "
            f"(labels per person); its columns are {', '.join(table.frame.columns)}"
        )
    own = (keys or {}).get(key, key)
    _check_rows(table, key, frame, own)
    new = [name for name in table.frame.columns if name not in ("path", "subject_id", "image_id")]
    doubled = [name for name in new if name in frame]
    values = table.frame.set_index(key)[new].reindex(frame[own]).reset_index(drop=True)
    joined = pd.concat([frame.drop(columns=doubled).reset_index(drop=True), values], axis=1)
    return joined, new


def _check_rows(table: StringTable, key: str, frame: pd.DataFrame, own: str) -> None:
    persons = dict(zip(frame[own], frame["subject_id"], strict=True))
    check_person = key == "path" and "subject_id" in table.frame
    said = table.frame["subject_id"] if check_person else table.frame[key]
    first: dict[str, int] = {}
    problems = []
    for row, (value, person) in enumerate(zip(table.frame[key], said, strict=True)):
        where = f"{table.where(row)}, column {key}"
        if pd.isna(value):
            problems.append(f"{where}: blank; fill it in or remove the row")
        elif value in first:
            problems.append(f"{where}: {value!r} occurs already in {table.where(first[value])}")
        else:
            first[value] = row
            if value not in persons:
                problems.append(f"{where}: {value!r} is not in the set")
            elif check_person and person != persons[value]:
                problems.append(f"{where}: {value!r} shows {persons[value]!r}, not {person!r}")
    if problems:
        raise InputError.listing(
            f"benchmark.labels={table.path}: {len(problems)} problems; mend these rows:", problems
        )


def known_code(value: str | None, codes: Mapping[str, str | None]) -> bool:
    """Whether a label is missing or one of the set's codes."""
    return value is None or pd.isna(value) or value in codes


def refuse_unknown(
    values: pd.Series, codes: Mapping[str, str | None], where: Sequence[str], what: str
) -> None:
    """Raise InputError listing every value that is none of the codes, with its place."""
    problems = [
        f"{place}: {value!r}"
        for value, place in zip(values, where, strict=True)
        if not known_code(value, codes)
    ]
    if problems:
        raise InputError.listing(
            f"{what}: {len(problems)} values are none of {', '.join(codes)}; mend these rows:",
            problems,
        )


def contradictions(frame: pd.DataFrame, column: str) -> list[str]:
    """A line per person who carries two values of the column."""
    kinds = frame.groupby("subject_id", sort=True)[column].nunique()
    twice = set(kinds[kinds > 1].index)
    part = frame[frame["subject_id"].isin(twice)]
    return [
        f"{person}: {column} "
        + ", ".join(f"{value} ({count})" for value, count in values.value_counts().items())
        for person, values in part.groupby("subject_id", sort=True)[column]
    ]


def vote(frame: pd.DataFrame, column: str) -> tuple[pd.Series, list[str]]:
    """Each image's person's commonest value (missing when tied), and the persons with two."""
    counts = frame.groupby(["subject_id", column]).size().rename("images").reset_index()
    most = counts.groupby("subject_id")["images"].transform("max")
    best = counts[counts["images"] == most]
    clear = best[~best["subject_id"].duplicated(keep=False)]
    chosen = clear.set_index("subject_id")[column]
    settled = frame["subject_id"].map(chosen).astype("str")
    return settled, contradictions(frame, column)


def listed(things: Sequence[str], *, shown: int = 8) -> str:
    """The first few of a list, and how many more."""
    more = f" and {len(things) - shown} more" if len(things) > shown else ""
    return ", ".join(things[:shown]) + more
