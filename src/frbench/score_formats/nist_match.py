"""``format=nist_match``: the log of comparisons that NIST's face 1:1 validation writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from frbench.errors import InputError
from frbench.score_formats import Source
from frbench.score_formats._cells import numbers_as_text, read_words, write_words

HEADER = "enrollTempl verifTempl simScore returnCode"
_FIRST_WORDS = (("enrollTempl", "verifTempl"), ("enrollTemplate", "verifTemplate"))
_SUFFIX = ".template"


class NistMatch:
    """``enrollTempl verifTempl simScore returnCode`` below a header of these words.

    The enrolled template is the reference, the verification template the probe; their names are
    those of the template files, whose ending ``.template`` is taken off. A return code other than
    0 is a failed comparison, whatever score stands beside it. Persons and labels come from
    ``benchmark.labels``.
    """

    name = "nist_match"
    takes: frozenset[str] = frozenset()

    def recognises(self, head: bytes, columns: tuple[str, ...]) -> bool:
        """By the first two words of its header."""
        return columns[:2] in _FIRST_WORDS

    def read(self, source: Source) -> pd.DataFrame:
        """Raises InputError naming each line of another length or without a whole return code."""
        what = f"{HEADER}, with these words as first line"
        words = read_words(source.path, (4,), what)
        if tuple(words.iloc[0, :2]) not in _FIRST_WORDS:
            raise InputError(f"{source.path}: the first line is not {HEADER!r}; add it")
        words = words.iloc[1:].reset_index(drop=True)
        code = pd.to_numeric(words[3], errors="coerce")
        wrong = np.flatnonzero((code.isna() | (code % 1 != 0)).to_numpy())
        if len(wrong):
            raise InputError.listing(
                f"{source.path}: return codes that are no whole number:",
                [f"line {row + 2}: {words[3].iloc[row]!r}" for row in wrong[:50]],
            )
        return pd.DataFrame(
            {
                "probe_id": words[1].str.removesuffix(_SUFFIX),
                "reference_id": words[0].str.removesuffix(_SUFFIX),
                "score": words[2].where(code == 0, ""),
            }
        )

    def write(self, rows: pd.DataFrame, path: Path) -> None:
        """Persons and labels are not held; a failed comparison has score -1 and return code 1."""
        failed = rows["score"].isna()
        table = pd.DataFrame(
            {
                "enrollTempl": rows["reference_id"],
                "verifTempl": rows["probe_id"],
                "simScore": numbers_as_text(rows["score"], "-1"),
                "returnCode": failed.astype(int).astype("str"),
            }
        )
        for name in ("enrollTempl", "verifTempl"):
            if table[name].str.endswith(_SUFFIX).any():
                raise InputError(f"{path}: an id ends in {_SUFFIX}, which readers take off")
        write_words(table, path, HEADER)
