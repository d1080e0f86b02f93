"""``format=bee``: similarity matrices of NIST's Biometric Evaluation Environment, with masks.

A file is four lines and then the cells, row by row: ``S2`` (similarities) or ``D2`` (distances);
the name of the target signature set; of the query signature set; ``MF rows columns`` (float32) or
``MB rows columns`` (a byte: a mask), and the four bytes of the number 0x12345678 as the writing
machine stores it, which tell its byte order. Rows are queries (probes), columns targets
(references). In a mask 0xff is a mated comparison, 0x7f a non-mated one and 0 is left out.
Source: OpenBR's reader and writer of these files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from frbench.errors import InputError
from frbench.score_formats import COLUMNS, SIDES, Source, labels_of
from frbench.score_formats._cells import head_of
from frbench.score_formats._sigset import read_sigset, write_sigset

MATED, NON_MATED, LEFT_OUT = 0xFF, 0x7F, 0x00
_MAGIC: dict[bytes, Literal["<", ">"]] = {b"\x78\x56\x34\x12": "<", b"\x12\x34\x56\x78": ">"}
_FAILED = float(np.finfo(np.float32).max)
_TYPES: dict[bytes, np.dtype[Any]] = {b"MF": np.dtype(np.float32), b"MB": np.dtype(np.uint8)}


@dataclass(frozen=True)
class Matrix:
    """A matrix file.

    Attributes:
        cells: float32 or uint8 [queries, targets], in the machine's own byte order.
        kind: ``similarity`` or ``distance``.
        targets, queries: the names of signature sets in the header.
    """

    cells: npt.NDArray[Any]
    kind: str
    targets: str
    queries: str


def read_matrix(path: Path) -> Matrix:
    """Raises InputError saying which line of the header or which byte is wrong."""
    head_of(path)
    data = path.read_bytes()
    lines = data.split(b"\n", 3)
    if len(lines) < 4 or lines[0].strip() not in (b"S2", b"D2"):
        raise InputError(f"{path}: line 1 is {lines[0][:20]!r}, but a BEE matrix starts S2 or D2")
    start = sum(len(line) + 1 for line in lines[:3])
    words = lines[3][:60].split(b" ", 3)
    if len(words) < 4 or words[0] not in _TYPES or not (words[1] + words[2]).isdigit():
        raise InputError(
            f"{path}: line 4 is {lines[3][:20]!r}, but it must be MF or MB, rows, columns and the "
            "four bytes of 0x12345678"
        )
    mark = words[3][:4]
    begin = start + len(b" ".join(words[:3])) + 6
    if mark not in _MAGIC or data[begin - 1 : begin] != b"\n":
        raise InputError(
            f"{path}: bytes {begin - 5} to {begin - 1} are {data[begin - 5 : begin]!r}, but the "
            "number 0x12345678 and a line feed must stand there"
        )
    shape = int(words[1]), int(words[2])
    kind = _TYPES[words[0]].newbyteorder(_MAGIC[mark])
    expected = begin + shape[0] * shape[1] * kind.itemsize
    if len(data) != expected:
        raise InputError(
            f"{path}: {len(data)} bytes, but {shape[0]} x {shape[1]} cells of {kind.itemsize} "
            f"end at byte {expected}; the file is cut short or is no such matrix"
        )
    cells = np.frombuffer(data, dtype=kind, offset=begin).reshape(shape)
    said = "distance" if lines[0].strip() == b"D2" else "similarity"
    native = cells.astype(_TYPES[words[0]])
    return Matrix(native, said, *(line.decode("utf-8", "replace").strip() for line in lines[1:3]))


def write_matrix(matrix: Matrix, path: Path, *, order: Literal["<", ">"] = "<") -> None:
    """A matrix file in the given byte order."""
    letter = "B" if matrix.cells.dtype.itemsize == 1 else "F"
    rows, columns = matrix.cells.shape
    mark = next(bytes_ for bytes_, each in _MAGIC.items() if each == order)
    first = "D2" if matrix.kind == "distance" else "S2"
    head = f"{first}\n{matrix.targets}\n{matrix.queries}\nM{letter} {rows} {columns} ".encode()
    cells = matrix.cells.astype(matrix.cells.dtype.newbyteorder(order)).tobytes()
    path.write_bytes(head + mark + b"\n" + cells)


class Bee:
    """A ``.mtx`` matrix, its two signature sets and, optionally, its mask.

    The sets are looked for under the names of the header, in the matrix's folder, unless
    ``benchmark.probes`` and ``benchmark.references`` name them. An image's id is its file name,
    the person the signature's name, and every further attribute a label. NaN, and the largest
    float32 in the unlike direction, mark a failed comparison.
    """

    name = "bee"
    takes = frozenset({"mask", "probes", "references"})

    def recognises(self, head: bytes, columns: tuple[str, ...]) -> bool:
        """By its first line."""
        return head.startswith((b"S2\n", b"D2\n", b"S2\r\n", b"D2\r\n"))

    def read(self, source: Source) -> pd.DataFrame:
        """Raises InputError for a header, a list or a mask that does not fit the matrix."""
        matrix = read_matrix(source.path)
        if matrix.cells.dtype != np.float32:
            raise InputError(f"{source.path}: this is a mask; name it with benchmark.mask")
        if matrix.kind != source.kind:
            raise InputError(
                f"{source.path}: its header says {matrix.kind}; set benchmark.kind={matrix.kind}"
            )
        folder = source.path.parent
        sides = {
            "probe": read_sigset(source.probes or folder / matrix.queries),
            "reference": read_sigset(source.references or folder / matrix.targets),
        }
        for side, length, what in zip(SIDES, matrix.cells.shape, ("rows", "columns"), strict=True):
            if len(sides[side]) != length:
                raise InputError(
                    f"{source.path}: {length} {what}, but the signature set of the {side}s names "
                    f"{len(sides[side])} images"
                )
        kept = np.ones(matrix.cells.shape, dtype=np.bool_)
        if source.mask is not None:
            kept = _kept(source, matrix, sides)
        return _rows(matrix, sides, kept)

    def write(self, rows: pd.DataFrame, path: Path) -> None:
        """``path``, ``<stem>.mask.mtx``, ``<stem>.probes.xml`` and ``<stem>.references.xml``.

        Raises InputError where two different scores would be one in float32.
        """
        stem = path.name.removesuffix(".mtx")
        sides = {side: _side(rows, side) for side in SIDES}
        probe, reference = (
            pd.Index(sides[side]["id"]).get_indexer(rows[f"{side}_id"]) for side in SIDES
        )
        shape = len(sides["probe"]), len(sides["reference"])
        cells = np.full(shape, np.nan, dtype=np.float32)
        cells[probe, reference] = _narrow(rows["score"], path)
        mask = np.full(shape, LEFT_OUT, dtype=np.uint8)
        mated = (rows["probe_subject"] == rows["reference_subject"]).to_numpy()
        mask[probe, reference] = np.where(mated, MATED, NON_MATED)
        names = {side: f"{stem}.{side}s.xml" for side in SIDES}
        for side in SIDES:
            write_sigset(sides[side], path.with_name(names[side]))
        lists = names["reference"], names["probe"]
        write_matrix(Matrix(cells, "similarity", *lists), path)
        write_matrix(Matrix(mask, "similarity", *lists), path.with_name(f"{stem}.mask.mtx"))


def _kept(source: Source, matrix: Matrix, sides: dict[str, pd.DataFrame]) -> npt.NDArray[np.bool_]:
    """Which cells the mask counts; it must agree with the persons of the signature sets."""
    assert source.mask is not None
    mask = read_matrix(source.mask).cells
    if mask.dtype != np.uint8 or mask.shape != matrix.cells.shape:
        raise InputError(
            f"{source.mask}: {mask.dtype} {mask.shape}; the mask must be MB {matrix.cells.shape}"
        )
    strange = np.argwhere(~np.isin(mask, (MATED, NON_MATED, LEFT_OUT)))
    if len(strange):
        row, column = strange[0]
        raise InputError(
            f"{source.mask}: row {row + 1}, column {column + 1}: {mask[row, column]:#04x} is none "
            "of 0xff (mated), 0x7f (non-mated) and 0x00 (left out)"
        )
    persons = [sides[side]["subject"].to_numpy(dtype=object) for side in SIDES]
    mated = persons[0][:, None] == persons[1][None, :]
    wrong = np.argwhere((mask != LEFT_OUT) & ((mask == MATED) != mated))
    if len(wrong):
        raise InputError.listing(
            f"{source.mask}: {len(wrong)} cells contradict the persons of the signature sets:",
            [
                f"row {row + 1}, column {column + 1}: {mask[row, column]:#04x}, persons "
                f"{persons[0][row]} and {persons[1][column]}"
                for row, column in wrong[:50]
            ],
        )
    kept: npt.NDArray[np.bool_] = mask != LEFT_OUT
    return kept


def _rows(
    matrix: Matrix, sides: dict[str, pd.DataFrame], kept: npt.NDArray[np.bool_]
) -> pd.DataFrame:
    places = np.nonzero(kept)
    score = matrix.cells[places].astype(np.float64)
    failed = score == (_FAILED if matrix.kind == "distance" else -_FAILED)
    shared = [name for name in sides["probe"].columns if name in sides["reference"].columns]
    columns: dict[str, object] = {"score": np.where(failed, np.nan, score)}
    for side, place in zip(SIDES, places, strict=True):
        for name in shared:
            columns[f"{side}_{name}"] = sides[side][name].take(place).reset_index(drop=True)
    rows = pd.DataFrame(columns)
    return rows[[*COLUMNS, *(name for name in rows.columns if name not in COLUMNS)]]


def _side(rows: pd.DataFrame, side: str) -> pd.DataFrame:
    """The images of one side, in the order of their first comparison."""
    names = {f"{side}_{name}": name for name in ("id", "subject", *labels_of(rows))}
    return rows[list(names)].rename(columns=names).drop_duplicates("id").reset_index(drop=True)


def _narrow(scores: pd.Series[float], path: Path) -> npt.NDArray[np.float32]:
    wide = scores.to_numpy(dtype=np.float64)
    narrow = wide.astype(np.float32)
    done = ~np.isnan(wide)
    if len(np.unique(wide[done])) != len(np.unique(narrow[done])):
        raise InputError(
            f"{path}: two different scores are the same number in float32, which is all that this "
            "format holds; write a Parquet or CSV table instead"
        )
    return narrow
