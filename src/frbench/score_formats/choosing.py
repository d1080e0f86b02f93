"""Which convention a score file follows: named by the user, or told by what can be nothing else."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from frbench.errors import InputError
from frbench.score_formats import ScoreFormat, Source
from frbench.score_formats._cells import columns_of, head_of
from frbench.score_formats.bee import Bee
from frbench.score_formats.bfw import Bfw
from frbench.score_formats.bob_columns import Bob4, Bob5
from frbench.score_formats.bob_csv import BobCsv
from frbench.score_formats.nist_match import NistMatch
from frbench.score_formats.table import Table

AUTO = "auto"


def formats() -> dict[str, ScoreFormat]:
    """Every format of the shelf by name."""
    shelf: tuple[ScoreFormat, ...] = (
        Table(),
        BobCsv(),
        Bob4(),
        Bob5(),
        Bee(),
        Bfw(),
        NistMatch(),
    )
    return {each.name: each for each in shelf}


def choose_format(name: str, path: Path) -> tuple[ScoreFormat, str]:
    """The format and how it was chosen, in words for the record.

    A CSV or Parquet file that no other format recognises is taken for frbench's own table, whose
    reader then names the columns that are missing.

    Raises:
        InputError: an unknown name; or ``auto`` and a pickle, or a file that could be several
            things.
    """
    known = formats()
    if name != AUTO:
        if name not in known:
            raise InputError(f"benchmark.format={name} is unknown; take {AUTO}, {', '.join(known)}")
        return known[name], "as set"
    head = head_of(path)
    if head[:1] == b"\x80":
        raise InputError(
            f"{path}: this is a pickle, which can run code when it is opened; save it as CSV or "
            "Parquet where you trust it"
        )
    columns = columns_of(path, head)
    found = [each for each in known.values() if each.recognises(head, columns)]
    if len(found) == 1:
        return found[0], "recognised by its header"
    if len(found) > 1:
        raise InputError(
            f"{path} could be {' or '.join(each.name for each in found)}; say which with "
            "benchmark.format"
        )
    if b"," in head or b";" in head or head.startswith(b"PAR1"):
        return known["table"], "a table"
    raise InputError(
        f"{path}: nothing in it says what it is; name it with benchmark.format, one of "
        f"{', '.join(known)}"
    )


def require_settings_fit(format: ScoreFormat, source: Source) -> None:
    """Raise InputError for a setting that this format would pass over in silence."""
    for each in fields(Source):
        if each.name in ("path", "kind") or getattr(source, each.name) is None:
            continue
        if each.name not in format.takes:
            raise InputError(
                f"benchmark.{each.name} has no meaning for benchmark.format={format.name}; "
                "remove it"
            )
