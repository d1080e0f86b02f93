"""The files of the command contract (docs/vendor-command.md): written for a vendor, and checked.

Tab-separated UTF-8 text without a header, one line an item, in the order of the request.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from frbench.errors import InputError
from frbench.opaque.vendor import BadAnswer, Enrolled, VendorInfo
from frbench.values import Float64s

MOST_BYTES = 256 * 2**20
"""Largest answer or template that is read."""
REASON = 200
"""Characters of a vendor's reason that are kept."""


def item(number: int) -> str:
    """The name of an item in a request: neutral, so that no person's id leaves frbench."""
    return f"{number:08d}"


def write_images(file: Path, images: Sequence[Path]) -> None:
    """``id, path`` a line. Raises InputError for a path that a line cannot hold."""
    lines = []
    for number, image in enumerate(images):
        path = str(image.absolute())
        if any(sign in path for sign in "\t\n\r"):
            raise InputError(f"{path!r}: a path with a tab or line break cannot be handed on")
        lines.append(f"{item(number)}\t{path}\n")
    file.write_text("".join(lines), encoding="utf-8", errors="surrogateescape")


def read_enrolled(folder: Path, count: int) -> list[Enrolled]:
    """The outcomes in ``folder``: ``status.tsv`` and a file ``ID.template`` each.

    Raises BadAnswer.
    """
    rows = _rows(folder / "status.tsv", count, columns=(2, 3))
    outcomes = []
    for number, row in enumerate(rows):
        where = f"status.tsv line {number + 1}"
        if _status(row[1], where) != 0:
            said = row[2].strip()[:REASON] if len(row) > 2 else ""
            outcomes.append(Enrolled(None, said or f"status {row[1]}"))
            continue
        file = folder / f"{item(number)}.template"
        if not file.is_file():
            raise BadAnswer(f"{where} says status 0, but there is no file {file.name}")
        outcomes.append(Enrolled(_read(file)))
    return outcomes


def write_pairs(file: Path, names: Sequence[tuple[str, str]]) -> None:
    """``id, probe template, reference template`` a line; relative to the working folder."""
    lines = [f"{item(n)}\t{probe}\t{other}\n" for n, (probe, other) in enumerate(names)]
    file.write_text("".join(lines), encoding="utf-8")


def read_scores(file: Path, count: int) -> Float64s:
    """``id, status, score`` a line; NaN where the status is not 0. Raises BadAnswer."""
    scores = np.full(count, np.nan)
    for number, row in enumerate(_rows(file, count, columns=(2, 3))):
        where = f"{file.name} line {number + 1}"
        if _status(row[1], where) != 0:
            continue
        try:
            score = float(row[2])
        except (IndexError, ValueError):
            said = row[2][:40] if len(row) > 2 else ""
            raise BadAnswer(f"{where}: status 0 with the score {said!r}, no number") from None
        if not math.isfinite(score):
            raise BadAnswer(
                f"{where}: status 0 with the score {row[2].strip()[:40]}; a comparison that gave "
                "no finite score has another status"
            )
        scores[number] = score
    return scores


def read_info(file: Path, where: str) -> VendorInfo:
    """What a vendor says of itself, JSON. Raises InputError."""
    try:
        return VendorInfo.read(json.loads(_read(file).decode("utf-8")), where)
    except (OSError, ValueError, BadAnswer) as cause:
        raise InputError(f"{where}: is no JSON file ({str(cause)[:200]})") from None


def _rows(file: Path, count: int, columns: tuple[int, int]) -> list[list[str]]:
    """The cells of exactly ``count`` lines whose ids come in the order of the request."""
    if not file.is_file():
        raise BadAnswer(f"ended with status 0 without writing {file.name}")
    try:
        lines = _read(file).decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise BadAnswer(f"{file.name} is no UTF-8 text") from None
    if len(lines) != count:
        raise BadAnswer(f"{file.name} has {len(lines)} lines for {count} items")
    rows = []
    for number, line in enumerate(lines):
        row = line.split("\t")
        if not columns[0] <= len(row) <= columns[1]:
            raise BadAnswer(
                f"{file.name} line {number + 1} has {len(row)} columns, not {columns[0]} or "
                f"{columns[1]}, separated by tabs"
            )
        if row[0] != item(number):
            raise BadAnswer(
                f"{file.name} line {number + 1} is about {row[0][:40]!r}, but {item(number)!r} was "
                "asked there; answer in the order of the request"
            )
        rows.append(row)
    return rows


def _status(cell: str, where: str) -> int:
    if not (cell.isascii() and cell.isdigit() and len(cell) < 10):
        raise BadAnswer(f"{where}: the status {cell[:40]!r} is no whole number")
    return int(cell)


def _read(file: Path) -> bytes:
    if file.is_symlink() or file.stat().st_size > MOST_BYTES:
        raise BadAnswer(f"{file.name} is a link, or larger than {MOST_BYTES // 2**20} MiB")
    return file.read_bytes()
