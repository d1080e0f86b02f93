"""From columns of a label file to the ``label_<attribute>`` columns of a FaceTable."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from frbench.digests import digest_of
from frbench.errors import InputError
from frbench.tables import FACE_COLUMNS

PREFIX = "label_"
_RESERVED = frozenset({"group", "image_id", "subject_id", "path"})


def face_table(
    identity: pd.DataFrame, others: pd.DataFrame, *, labels: Sequence[str] | None, what: str
) -> pd.DataFrame:
    """The FaceTable: image_id, subject_id, path, then a label per other column.

    Args:
        identity: columns image_id, subject_id, path.
        others: the remaining columns, row for row.
        labels: names of those that are labels; the rest are covariates under their own name.
            None makes all of them labels.
        what: the setting that named the file, for messages.

    Raises:
        InputError: a label that is no column, or two columns that end up under one name.
    """
    names = [str(name) for name in others.columns]
    chosen = set(names) if labels is None else set(labels)
    unknown = sorted(chosen - set(names))
    if unknown:
        raise InputError(
            f"label_columns names {', '.join(unknown)}, which {what} does not have; "
            f"its columns are {', '.join(names) or '(none)'}"
        )
    renamed = {name: label_name(name) if name in chosen else name for name in names}
    clashes = sorted(
        name
        for name, new in renamed.items()
        if list(renamed.values()).count(new) > 1 or new in _RESERVED
    )
    if clashes:
        raise InputError(
            f"{what}: columns {', '.join(clashes)} clash with each other or with a reserved name "
            "of the face table; rename them"
        )
    refuse_outer_spaces(identity["subject_id"], f"{what}: column subject_id")
    ordered = identity[list(FACE_COLUMNS)].reset_index(drop=True)
    return pd.concat([ordered, others.rename(columns=renamed).reset_index(drop=True)], axis=1)


def refuse_outer_spaces(values: pd.Series, where: str) -> None:
    """Raise InputError where two values differ in nothing but spaces around them.

    ``p1`` and ``p1 `` would be two persons, whose comparisons are then counted as non-mated.
    """
    occurring = sorted(values.dropna().unique())
    bare = pd.Series(occurring, dtype="str").str.strip()
    doubled = bare.duplicated(keep=False).to_numpy()
    twins = [repr(text) for text, twin in zip(occurring, doubled, strict=True) if twin]
    if twins:
        raise InputError.listing(
            f"{where}: values that differ only in spaces around them; mend them:", twins
        )


def label_name(column: str) -> str:
    """The column's name in a FaceTable; a column that carries the prefix already keeps it.

    >>> label_name("sex"), label_name("label_sex")
    ('label_sex', 'label_sex')
    """
    return column if column.startswith(PREFIX) else PREFIX + column


def version_of(faces: pd.DataFrame, *, loader: int) -> str:
    """Version of a loaded set: the loader's, and the first 12 digits of the table's SHA-256."""
    content = faces.astype("object").where(faces.notna(), None).to_dict(orient="split")
    return f"{loader}-{digest_of([content['columns'], content['data']])[:12]}"
