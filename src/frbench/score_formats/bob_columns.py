"""``format=bob_4`` and ``format=bob_5``: the four and five columns of bob's older score files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from frbench.errors import InputError
from frbench.score_formats import Source
from frbench.score_formats._cells import numbers_as_text, read_words, write_words

MODEL = "model of "
"""What stands before a client's name in the place of the reference's id, which four columns do
not hold; without it a probe of the same name would look like the same template."""


class Bob4:
    """``claimed_id real_id test_label score`` on every line, no header.

    ``claimed_id`` is the person of the reference, ``real_id`` the person on the probe and
    ``test_label`` the probe. Each client has one model.
    """

    name = "bob_4"
    takes: frozenset[str] = frozenset()
    _what = "claimed_id real_id test_label score, separated by spaces"

    def recognises(self, head: bytes, columns: tuple[str, ...]) -> bool:
        """Never: lines without a header can be anybody's."""
        return False

    def read(self, source: Source) -> pd.DataFrame:
        """Raises InputError naming each line of another length."""
        words = read_words(source.path, (4,), self._what)
        return pd.DataFrame(
            {
                "probe_id": words[2],
                "reference_id": MODEL + words[0],
                "probe_subject": words[1],
                "reference_subject": words[0],
                "score": words[3],
            }
        )

    def write(self, rows: pd.DataFrame, path: Path) -> None:
        """Raises InputError where a person has two references. Labels are not held."""
        models = rows[["reference_subject", "reference_id"]].drop_duplicates()
        twice = models[models.duplicated("reference_subject", keep=False)]
        if len(twice):
            person = twice["reference_subject"].iloc[0]
            raise InputError(
                f"{path}: {person} has {int((twice['reference_subject'] == person).sum())} "
                "references, but four columns name only the person; write format=bob_5"
            )
        table = rows[["reference_subject", "probe_subject", "probe_id"]]
        write_words(table.assign(score=numbers_as_text(rows["score"], "nan")), path)


class Bob5:
    """``claimed_id model_label real_id test_label score`` on every line, no header."""

    name = "bob_5"
    takes: frozenset[str] = frozenset()
    _what = "claimed_id model_label real_id test_label score, separated by spaces"

    def recognises(self, head: bytes, columns: tuple[str, ...]) -> bool:
        """Never: lines without a header can be anybody's."""
        return False

    def read(self, source: Source) -> pd.DataFrame:
        """Raises InputError naming each line of another length."""
        words = read_words(source.path, (5,), self._what)
        return pd.DataFrame(
            {
                "probe_id": words[3],
                "reference_id": words[1],
                "probe_subject": words[2],
                "reference_subject": words[0],
                "score": words[4],
            }
        )

    def write(self, rows: pd.DataFrame, path: Path) -> None:
        """Labels are not held; a failed comparison has the score ``nan``."""
        table = rows[["reference_subject", "reference_id", "probe_subject", "probe_id"]]
        write_words(table.assign(score=numbers_as_text(rows["score"], "nan")), path)
