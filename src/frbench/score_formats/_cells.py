"""Cells of CSV, Parquet and space-separated files; nothing is shifted, filled in or guessed."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from frbench.errors import InputError

HEAD = 4096
_PARQUET = b"PAR1"


def head_of(path: Path) -> bytes:
    """The first bytes of the file. Raises InputError where there is none."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the score list with benchmark.path=FILE.")
    try:
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError as cause:
        raise InputError(f"{path}: cannot be read ({cause.strerror}).") from None


def columns_of(path: Path, head: bytes) -> tuple[str, ...]:
    """Names of the columns of a CSV or Parquet file, else the words of the first line."""
    try:
        if head.startswith(_PARQUET):
            return tuple(pq.read_schema(path).names)
        line = head.decode("utf-8-sig").splitlines()[0] if head else ""
    except (pa.ArrowException, OSError, UnicodeDecodeError, IndexError):
        return ()
    cells = next(csv.reader([line]), [])
    return tuple(cell.strip() for cell in cells) if len(cells) > 1 else tuple(line.split())


def read_cells(path: Path) -> pd.DataFrame:
    """A CSV file as text, a Parquet file with its own types.

    Raises:
        InputError: absent, unreadable, ragged, doubled columns, or not separated by commas.
    """
    head = head_of(path)
    try:
        if head.startswith(_PARQUET):
            # without pandas' notes an index of the writer's is a column like the others
            table: pd.DataFrame = pq.read_table(path).to_pandas(ignore_metadata=True)
            return table
        return _read_csv(path)
    except (OSError, ValueError, pa.ArrowException, UnicodeError) as cause:
        reason = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
        raise InputError(f"{path}: cannot be read as a table ({reason}).") from cause


def _read_csv(path: Path) -> pd.DataFrame:
    """All cells as text. A row with a cell too many or too few is an error: a reader that fills
    or shifts it would count a half-written row as a failed comparison."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = next(csv.reader(file), [])
    doubled = sorted({name for name in header if header.count(name) > 1})
    if doubled:
        raise InputError(f"{path}: column {', '.join(doubled)} occurs more than once; keep one.")
    if len(header) == 1 and ";" in header[0]:
        raise InputError(f"{path} is separated by semicolons; save it with commas.")
    cells = pa_csv.read_csv(
        path,
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False
        ),
    )
    table: pd.DataFrame = cells.to_pandas()
    return table.rename(columns=str.strip)


def read_words(path: Path, widths: tuple[int, ...], what: str) -> pd.DataFrame:
    """Lines of words separated by white space, as text; every line has the same number of words.

    Args:
        path: the file; empty lines are passed over.
        widths: how many words a line may have.
        what: what the words are, for messages.

    Raises:
        InputError: absent, not UTF-8 (with the byte), or lines of another length (each named).
    """
    head_of(path)
    data = path.read_bytes()
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        raise InputError(
            f"{path}: byte {cause.start} (0x{data[cause.start]:02x}) is not UTF-8; it needs {what}"
        ) from None
    first = next((line for line in data.splitlines() if line.strip()), b"")
    width = len(first.split())
    if width not in widths:
        raise InputError(
            f"{path}: the first line has {width} words, but a line needs "
            f"{' or '.join(map(str, widths))}: {what}"
        )
    try:
        # one column too many is asked for, so that a longer line shows instead of being cut
        table = pd.read_csv(
            io.BytesIO(data.removeprefix(b"\xef\xbb\xbf")),
            sep=r"\s+",
            header=None,
            names=range(width + 1),
            dtype="str",
            quoting=csv.QUOTE_NONE,
            keep_default_na=False,
            na_values=[],
            index_col=False,
        )
    except (ValueError, pd.errors.ParserError) as cause:
        reason = " ".join(str(cause).split())
        raise InputError(f"{path}: cannot be read ({reason}); it needs {what}") from None
    table = table.fillna("")
    bad = (table[width - 1] == "") | (table[width] != "")
    if bad.any():
        raise InputError.listing(
            f"{path}: lines that do not have {width} words ({what}):",
            [
                f"line {row + 1}: {' '.join(filter(None, table.iloc[row]))!r}"
                for row in bad.to_numpy().nonzero()[0][:50]
            ],
        )
    return table[list(range(width))]


def write_words(table: pd.DataFrame, path: Path, header: str = "") -> None:
    """The columns separated by single spaces. Raises InputError for words with spaces in them."""
    for name in table.columns:
        spaced = table[name].str.contains(r"\s|^$", regex=True).to_numpy()
        if spaced.any():
            row = int(spaced.nonzero()[0][0])
            raise InputError(
                f"{path}: row {row + 1}, {name}: {table[name].iloc[row]!r} cannot stand in a file "
                "separated by spaces; write a CSV or Parquet table instead"
            )
    lines = table.iloc[:, 0]
    for name in table.columns[1:]:
        lines = lines + " " + table[name]
    written = "\n".join([*([header] if header else []), *lines.tolist()]) + "\n"
    path.write_text(written, encoding="utf-8")


def numbers_as_text(scores: pd.Series[float], failed: str) -> pd.Series[str]:
    """The shortest text that gives the same float64 back; ``failed`` where there is no score."""
    return pd.Series(
        [failed if score != score else repr(float(score)) for score in scores],
        dtype="str",
        index=scores.index,
    )
