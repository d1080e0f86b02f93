"""``benchmark=folder``: one folder per person, images below it, labels in a file beside them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from frbench.benchmarks import Progress, silent
from frbench.benchmarks._layout import IMAGE_SUFFIXES, images_below
from frbench.errors import InputError
from frbench.label_columns import face_table, version_of
from frbench.table_files import StringTable, read_strings
from frbench.values import FaceSet

_LOADER_VERSION = 1
_WHAT = "benchmark.labels"


@dataclass(frozen=True)
class _Labelled:
    """Rows of the set before they become a FaceTable, and how they came about."""

    paths: list[str]
    subjects: list[str]
    others: pd.DataFrame
    about: dict[str, str]


class FolderBenchmark:
    """A labelled set laid out as ``root/<person>/…/<image>``, with an optional label file.

    The label file has a row per person (``subject_id``) or a row per image (``path``). Where it
    has both, identities come from its ``subject_id`` and the folders may mean anything, or be
    absent: many sets are sorted by view or not at all.
    """

    def __init__(self, *, root: str, labels: str | None = None, name: str | None = None) -> None:
        """Remember where the set is; nothing is read before ``load``.

        Args:
            root: folder that holds the people's folders.
            labels: CSV or Parquet file of labels; None for a set without labels.
            name: name of the set in results; default: the root folder's name.
        """
        self._root = Path(root).expanduser()
        self._labels = Path(labels).expanduser() if labels is not None else None
        self._name = name or self._root.resolve().name

    def load(self, *, progress: Progress = silent) -> FaceSet:
        """The validated set. Raises InputError naming every label row that fits nothing."""
        images = _images(self._root)
        labelled = self._labelled(images)
        identity = pd.DataFrame(
            {"image_id": labelled.paths, "subject_id": labelled.subjects, "path": labelled.paths},
            dtype="str",
        )
        faces = face_table(identity, labelled.others, labels=None, what=_WHAT)
        return FaceSet(
            name=self._name,
            version=version_of(faces, loader=_LOADER_VERSION),
            root=self._root,
            faces=faces,
            about={"source": f"folder {self._root}", **labelled.about},
        )

    def _labelled(self, images: list[str]) -> _Labelled:
        if self._labels is None:
            return _unlabelled(self._root, images)
        table = read_strings(self._labels, what=_WHAT)
        if "path" in table.frame and "subject_id" in table.frame:
            return _identities_from_file(table, images)
        if "path" in table.frame:
            return _labels_per_image(table, self._root, images)
        if "subject_id" in table.frame:
            return _labels_per_person(table, self._root, images)
        raise InputError(
            f"{_WHAT}={table.path} has neither a column subject_id (labels per person) nor path "
            f"(labels per image); its columns are {', '.join(table.frame.columns)}"
        )


def _images(root: Path) -> list[str]:
    """Paths of all images below the root, relative, sorted by their parts; hidden ones left out."""
    if not root.is_dir():
        raise InputError(f"benchmark.root={root} is not a folder; check the path")
    found = images_below(root)
    if not found:
        raise InputError(
            f"benchmark.root={root} holds no images ({', '.join(sorted(IMAGE_SUFFIXES))})"
        )
    return found


def _people(root: Path, images: list[str]) -> tuple[list[str], list[str], dict[str, str]]:
    """The images that lie in somebody's folder, whose folder that is, and what was left out."""
    inside = [path for path in images if "/" in path]
    if not inside:
        raise InputError(
            f"benchmark.root={root}: all {len(images)} images lie directly in the root, so nothing "
            f"says who is on them; give {_WHAT} with the columns path and subject_id"
        )
    about = {"identities": "the folder in the root that holds the image"}
    if len(inside) < len(images):
        about["left_out"] = f"{len(images) - len(inside)} images directly in the root"
    return inside, [path.split("/", 1)[0] for path in inside], about


def _unlabelled(root: Path, images: list[str]) -> _Labelled:
    paths, subjects, about = _people(root, images)
    about["labels"] = "none given"
    if (root / "manifest.csv").is_file():
        about["labels"] += f" (the root holds manifest.csv, which {_WHAT} can name)"
    return _Labelled(paths, subjects, pd.DataFrame(index=range(len(paths))), about)


def _labels_per_person(table: StringTable, root: Path, images: list[str]) -> _Labelled:
    paths, subjects, about = _people(root, images)
    _check_keys(table, "subject_id", set(subjects), "no folder of that name in the root")
    others = table.frame.set_index("subject_id").reindex(subjects).reset_index(drop=True)
    about["labels"] = f"per person, from {table.path}"
    return _Labelled(paths, subjects, others, about)


def _labels_per_image(table: StringTable, root: Path, images: list[str]) -> _Labelled:
    paths, subjects, about = _people(root, images)
    _check_keys(table, "path", set(paths), "no image of that path below the root")
    others = table.frame.set_index("path").reindex(paths).reset_index(drop=True)
    about["labels"] = f"per image, from {table.path}"
    return _Labelled(paths, subjects, others, about)


def _identities_from_file(table: StringTable, images: list[str]) -> _Labelled:
    """Only the images that the file names, since nobody else is known to be on the others."""
    nameless = [
        f"{table.where(row)}, column subject_id: blank; fill it in or remove the row"
        for row, blank in enumerate(table.frame["subject_id"].isna())
        if blank
    ]
    _check_keys(table, "path", set(images), "no image of that path below the root", nameless)
    rows = table.frame.set_index("path")
    paths = [path for path in images if path in rows.index]
    others = rows.loc[paths].reset_index(drop=True)
    about = {
        "identities": f"column subject_id of {table.path}, not the folders",
        "labels": f"per image, from {table.path}",
    }
    if len(paths) < len(images):
        about["left_out"] = f"{len(images) - len(paths)} images that the label file does not name"
    return _Labelled(paths, list(others["subject_id"]), others.drop(columns="subject_id"), about)


def _check_keys(
    table: StringTable, column: str, known: set[str], absent: str, more: list[str] | None = None
) -> None:
    """Raise InputError listing every row whose key is blank, unknown or given before."""
    problems = list(more or [])
    first: dict[str, int] = {}
    for row, key in enumerate(table.frame[column]):
        where = f"{table.where(row)}, column {column}"
        if pd.isna(key):
            problems.append(f"{where}: blank; fill it in or remove the row")
        elif key in first:
            problems.append(f"{where}: {key!r} occurs already in {table.where(first[key])}")
        else:
            first[key] = row
            if key not in known:
                problems.append(f"{where}: {key!r}: {absent}")
    if problems:
        raise InputError.listing(
            f"{_WHAT}={table.path}: {len(problems)} problems; mend these rows:", problems
        )
