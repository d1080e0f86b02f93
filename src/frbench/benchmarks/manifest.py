"""``benchmark=manifest``: any CSV or Parquet file with ``path, subject_id`` and label columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from frbench.benchmarks import Progress, silent
from frbench.contained_paths import path_faults
from frbench.errors import InputError
from frbench.label_columns import face_table, version_of
from frbench.table_files import StringTable, read_strings
from frbench.values import FaceSet

_LOADER_VERSION = 1
_REQUIRED = ("path", "subject_id")


class ManifestBenchmark:
    """A labelled set listed in one file.

    Columns ``path`` (relative to the root) and ``subject_id``; optionally ``image_id`` (default:
    the path as written); every other column is a label. All values stay text as written, and a
    blank cell is a missing label.
    """

    def __init__(
        self,
        *,
        path: str,
        root: str | None = None,
        name: str | None = None,
        label_columns: Sequence[str] | None = None,
    ) -> None:
        """Remember where the set is; nothing is read before ``load``.

        Args:
            path: the CSV or Parquet file.
            root: folder that its paths are relative to; default: the file's own folder.
            name: name of the set in results; default: the file's name, or its folder's where the
                file is just called manifest.
            label_columns: which columns are demographic labels; default: all others. The rest
                are kept as covariates.
        """
        self._path = Path(path).expanduser()
        self._root = Path(root).expanduser() if root is not None else self._path.parent
        self._name = name or default_name(self._path)
        self._labels = [label_columns] if isinstance(label_columns, str) else label_columns

    def load(self, *, progress: Progress = silent) -> FaceSet:
        """The validated set. Raises InputError naming every bad row at once."""
        if not self._root.is_dir():
            raise InputError(f"benchmark.root={self._root} is not a folder; check the path")
        table = read_strings(self._path, what="benchmark.path")
        check_rows(table, self._root)
        faces = self._faces(table.frame)
        return FaceSet(
            name=self._name,
            version=version_of(faces, loader=_LOADER_VERSION),
            root=self._root,
            faces=faces,
            about={"source": f"manifest {self._path}", "identities": "column subject_id"},
        )

    def _faces(self, frame: pd.DataFrame) -> pd.DataFrame:
        identity = frame[list(_REQUIRED)].copy()
        identity["image_id"] = frame["image_id"] if "image_id" in frame else frame["path"]
        others = frame.drop(columns=[*_REQUIRED, "image_id"], errors="ignore")
        return face_table(
            identity, others, labels=self._labels, what=f"benchmark.path={self._path}"
        )


def default_name(path: Path) -> str:
    """Name of a set from its file's name, or its folder's for a file just called manifest."""
    if path.stem.lower() == "manifest":
        return path.resolve().parent.name or path.stem
    return path.stem


def check_rows(table: StringTable, root: Path) -> None:
    """Raise InputError listing every row that is not an image of somebody inside the root."""
    import pandera.pandas as pa

    frame = table.frame
    absent = [name for name in _REQUIRED if name not in frame]
    if absent:
        raise InputError(
            f"benchmark.path={table.path} has no column {' and no column '.join(absent)}; its "
            f"columns are {', '.join(frame.columns)}"
        )
    faults = pd.Series(path_faults(root, frame["path"].fillna("")), index=frame.index)
    inside = pa.Check(lambda column: faults[column.index] == "", name="inside")
    columns = {
        "path": pa.Column(str, [inside], nullable=False),
        "subject_id": pa.Column(str, nullable=False),
    }
    if "image_id" in frame:
        columns["image_id"] = pa.Column(str, nullable=False, unique=True)
    else:
        columns["path"] = pa.Column(str, [inside], nullable=False, unique=True)
    try:
        pa.DataFrameSchema(columns).validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        problems = _problems(error.failure_cases, table, faults)
        raise InputError.listing(
            f"benchmark.path={table.path}: {len(problems)} problems; mend these rows:", problems
        ) from None


def _problems(cases: pd.DataFrame, table: StringTable, faults: pd.Series) -> list[str]:
    """One line per failed check, in the order of the rows."""
    ordered = cases.assign(index=cases["index"].astype(int)).sort_values(["index", "column"])
    doubled = ordered.loc[ordered["check"] == "field_uniqueness", "column"].unique()
    first = {column: _first_rows(table.frame[column]) for column in doubled}
    lines = []
    for row, column, check in zip(
        ordered["index"], ordered["column"], ordered["check"], strict=True
    ):
        value = table.frame[column].iloc[row]
        where = f"{table.where(row)}, column {column}"
        if check == "not_nullable":
            lines.append(f"{where}: blank; fill it in or remove the row")
        elif check == "inside":
            lines.append(f"{where}: {value!r} {faults[row]}")
        elif first[column].get(value, row) != row:
            lines.append(
                f"{where}: {value!r} occurs already in {table.where(first[column][value])}"
            )
    return lines


def _first_rows(column: pd.Series) -> dict[str, int]:
    """Value -> row of its first occurrence; blanks are no value."""
    once = column.dropna().drop_duplicates()
    return dict(zip(once.astype(str), once.index.tolist(), strict=True))
