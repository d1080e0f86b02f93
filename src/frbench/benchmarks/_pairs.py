"""Verification lists of LFW's kind: three fields are a mated pair, four a non-mated one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from frbench.errors import InputError

ImagePath = Callable[[str, int], str]
"""(person, number of the image) -> path of the image, relative to the set's root."""


@dataclass(frozen=True)
class PairFile:
    """What a list of pairs holds.

    Attributes:
        pairs: columns ``probe_id, reference_id`` (paths) and ``fold`` (from 1).
        remarks: what is unusual about the file, without names.
    """

    pairs: pd.DataFrame
    remarks: tuple[str, ...]


def read_pairs(file: Path, image: ImagePath, known: Collection[str]) -> PairFile:
    """The pairs of one file.

    The first line may be a header: ``folds<TAB>pairs`` as in LFW's ``pairs.txt``, or the number of
    pairs alone as in its development lists; RFW's files have none. Each fold has its mated pairs
    first, so that a new fold begins wherever a mated line follows a non-mated one. Fields are
    separated by tabs, or by other white space where a line has no tab.

    Args:
        file: the list.
        image: where the image of a person lies.
        known: paths of all images of the set.

    Raises:
        InputError: listing every line that is no pair or names an absent image, or that the
            header's counts do not fit.
    """
    lines = _lines(file)
    header = _header(lines[0][1]) if lines else None
    body = lines[1:] if header else lines
    known = known if isinstance(known, set | frozenset | dict) else set(known)
    rows, problems = [], []
    fold, before = 1, True
    for number, fields in body:
        pair = _pair(fields, image)
        if pair is None:
            problems.append(f"line {number}: {' '.join(fields)!r} is no pair")
            continue
        absent = [path for path in pair if path not in known]
        if absent:
            problems.append(f"line {number}: no image {absent[0]}")
            continue
        mated = len(fields) == 3
        if mated and not before:
            fold += 1
        before = mated
        rows.append((*pair, fold, mated))
    if problems:
        raise InputError.listing(
            f"{file}: {len(problems)} lines cannot be used; complete the images or remove the "
            "lines (person, number, number; or person, number, person, number):",
            problems,
        )
    if not rows:
        raise InputError(f"{file} lists no pairs; give the list as it is distributed")
    table = pd.DataFrame(rows, columns=["probe_id", "reference_id", "fold", "mated"])
    remarks = _against_header(file, table, header)
    return PairFile(table.drop(columns="mated"), tuple(remarks + _oddities(table)))


def _lines(file: Path) -> list[tuple[int, list[str]]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}); check the path") from None
    except UnicodeDecodeError:
        raise InputError(f"{file} is not UTF-8; give the list as it is distributed") from None
    split = [
        (number, line.strip().split("\t") if "\t" in line.strip() else line.split())
        for number, line in enumerate(text.splitlines(), start=1)
    ]
    return [(number, [each.strip() for each in fields]) for number, fields in split if any(fields)]


def _header(fields: list[str]) -> tuple[int, int] | None:
    """(folds, mated pairs a fold), where the line holds nothing but one or two numbers."""
    if len(fields) > 2 or not all(each.isdigit() for each in fields):
        return None
    return (1, int(fields[0])) if len(fields) == 1 else (int(fields[0]), int(fields[1]))


def _pair(fields: list[str], image: ImagePath) -> tuple[str, str] | None:
    if len(fields) not in (3, 4):
        return None
    numbers = (fields[1], fields[-1])
    if not all(each.isdigit() for each in numbers):
        return None
    other = fields[0] if len(fields) == 3 else fields[2]
    return image(fields[0], int(numbers[0])), image(other, int(numbers[1]))


def _against_header(file: Path, table: pd.DataFrame, header: tuple[int, int] | None) -> list[str]:
    if header is None:
        return ["no header; folds counted by the order of mated and non-mated lines"]
    folds, each = header
    counted = Counter(zip(table["fold"], table["mated"], strict=True))
    expected = {(fold, mated): each for fold in range(1, folds + 1) for mated in (True, False)}
    wrong = [
        f"fold {fold}: {counted.get((fold, mated), 0)} "
        f"{'mated' if mated else 'non-mated'} pairs instead of {expected.get((fold, mated), 0)}"
        for fold, mated in sorted({*counted, *expected})
        if counted.get((fold, mated), 0) != expected.get((fold, mated), 0)
    ]
    if wrong:
        raise InputError.listing(
            f"{file}: its header promises {folds} folds of {each} mated and {each} non-mated "
            "pairs; take the whole file, or remove the header from a shortened one:",
            wrong,
        )
    return []


def _oddities(table: pd.DataFrame) -> list[str]:
    remarks = []
    itself = int((table["probe_id"] == table["reference_id"]).sum())
    if itself:
        remarks.append(f"{itself} pairs compare an image with itself and are not counted")
    doubled = int(table.duplicated(["probe_id", "reference_id"]).sum())
    if doubled:
        remarks.append(f"{doubled} pairs are listed more than once and counted each time")
    return remarks
