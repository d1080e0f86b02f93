"""CSV and Parquet files of labels, read as strings: ``001`` stays ``001``, blank is missing.

The CSV reader is strict on purpose. A row with a cell too few, a wrong encoding or a doubled
column would shift labels between people without any later stage being able to notice.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from frbench.errors import InputError

_PARQUET_MAGIC = b"PAR1"
_PANDAS_INDEX = re.compile(r"__index_level_\d+__")
"""What pandas calls the row numbers of a filtered table; they would look like a label."""
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class StringTable:
    """A table of strings and where each row stands in its file.

    Attributes:
        path: the file.
        frame: string columns, missing where the cell was blank; index 0 … N - 1.
        lines: line of the file on which each row ends, counted from 1, or None for Parquet,
            which has no lines.
    """

    path: Path
    frame: pd.DataFrame
    lines: list[int] | None

    def where(self, row: int) -> str:
        """The row as a reader of the file counts it: ``row 3 (line 4)``."""
        if self.lines is None:
            return f"row {row + 1}"
        return f"row {row + 1} (line {self.lines[row]})"


def read_strings(path: Path, *, what: str) -> StringTable:
    """The table in a CSV (UTF-8, comma) or Parquet file, told apart by content.

    Blank cells, cells of white space and the text ``nan`` are missing; every other text is kept
    as it stands, ``NA`` included. Numbers in Parquet become their shortest text.

    Args:
        path: the file.
        what: what the file is, for messages, e.g. ``benchmark.path``.

    Raises:
        InputError: absent, unreadable, empty, wrongly encoded, ragged, or doubled columns.
    """
    data = _read_bytes(path, what)
    if data.startswith(_PARQUET_MAGIC):
        frame, lines = _from_parquet(data, path, what), None
    else:
        frame, lines = _from_csv(_decode(data, path, what), path, what)
    _check_header(frame, path, what)
    return StringTable(path, frame, lines)


def missing_or_text(value: Any) -> str | None:
    """One cell as text, None where it is missing.

    >>> missing_or_text(" "), missing_or_text(7.0), missing_or_text("001")
    (None, '7', '001')
    """
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, float | np.floating):
        if np.isnan(value):
            return None
        return str(int(value)) if float(value).is_integer() else str(value)
    text = str(value)
    return None if not text.strip() or text.strip().lower() == "nan" else text


def _read_bytes(path: Path, what: str) -> bytes:
    if path.is_dir():
        raise InputError(f"{what}={path} is a folder; give the CSV or Parquet file itself")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{what}={path} does not exist; check the path") from None
    except OSError as error:
        raise InputError(f"{what}={path} cannot be read ({error.strerror})") from None
    if not data.strip():
        raise InputError(f"{what}={path} is empty; it needs a header line and a row per image")
    return data


def _decode(data: bytes, path: Path, what: str) -> str:
    if data.startswith(_UTF16_MARKS):
        raise InputError(f"{what}={path} is encoded as UTF-16; save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{what}={path} is not UTF-8: byte 0x{data[error.start]:02x} on line {line}; "
            "save it as UTF-8"
        ) from None


def _from_csv(text: str, path: Path, what: str) -> tuple[pd.DataFrame, list[int]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    rows: list[list[str | None]] = []
    lines: list[int] = []
    ragged: list[str] = []
    try:
        for cells in reader:
            if header is None:
                header = _header(cells, path, what)
            elif not cells:
                continue
            elif len(cells) != len(header):
                ragged.append(f"line {reader.line_num}: {len(cells)} cells")
            else:
                rows.append([missing_or_text(cell) for cell in cells])
                lines.append(reader.line_num)
    except csv.Error as error:
        raise InputError(
            f"{what}={path} is not a readable CSV: line {reader.line_num}: {error}"
        ) from None
    if header is None:
        raise InputError(f"{what}={path} has no header line")
    if ragged:
        raise InputError.listing(
            f"{what}={path}: {len(ragged)} rows do not have the header's {len(header)} cells; "
            "put quotes around cells that hold commas:",
            ragged,
        )
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(header)
    frame = pd.concat(
        [
            pd.Series(list(cells), name=name, dtype="str")
            for name, cells in zip(header, columns, strict=True)
        ],
        axis=1,
    )
    return frame, lines


def _header(cells: list[str], path: Path, what: str) -> list[str]:
    for mark, name in ((";", "semicolons"), ("\t", "tabs")):
        if len(cells) == 1 and mark in cells[0]:
            raise InputError(f"{what}={path} is separated by {name}; save it with commas")
    return [cell.strip() for cell in cells]


def _from_parquet(data: bytes, path: Path, what: str) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(data))
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{what}={path} is not a readable Parquet file ({reason})") from None
    columns = [
        pd.Series([missing_or_text(cell) for cell in column.to_pylist()], name=name, dtype="str")
        for name, column in zip(table.column_names, table.columns, strict=True)
        if not _PANDAS_INDEX.fullmatch(name)
    ]
    return pd.concat(columns, axis=1) if columns else pd.DataFrame()


def _check_header(frame: pd.DataFrame, path: Path, what: str) -> None:
    names = [str(name) for name in frame.columns]
    if any(not name for name in names):
        position = names.index("") + 1
        raise InputError(f"{what}={path}: column {position} has no name; name it or remove it")
    doubled = sorted(name for name, times in Counter(names).items() if times > 1)
    if doubled:
        raise InputError(
            f"{what}={path}: column {', '.join(doubled)} occurs more than once; keep one of each"
        )
    if frame.empty:
        raise InputError(f"{what}={path} has a header but no rows")
