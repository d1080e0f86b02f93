"""A file of comparisons that were scored elsewhere: the door for any matcher's score list.

One row per comparison, with the persons and labels of both sides; no image is opened.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from frbench.benchmarks import Progress, silent
from frbench.errors import InputError
from frbench.table_files import missing_or_text
from frbench.values import FaceSet, ScoredPairs, ScoreTally

REQUIRED = ("probe_id", "reference_id", "probe_subject", "reference_subject", "score")


class ScoreBenchmark:
    """Reads ``probe_id, reference_id, probe_subject, reference_subject, score`` and, per label,
    ``probe_<label>, reference_<label>`` from CSV or Parquet.

    A blank or NaN score is a failed comparison: it counts against the matcher where the two
    persons are the same and never for or against it otherwise. A row that compares a template
    with itself is not a comparison of two samples; such rows are left out and counted in the
    record.

    Args:
        path: the file.
        kind: ``similarity`` (larger is more alike) or ``distance`` (negated at the door).
        name: what results call the set; default the file's stem.
        matcher: what results call the matcher that made the scores.
    """

    def __init__(
        self,
        *,
        path: str | Path,
        kind: Literal["similarity", "distance"] = "similarity",
        name: str | None = None,
        matcher: str = "scored elsewhere",
    ) -> None:
        if kind not in ("similarity", "distance"):
            raise InputError(f"benchmark.kind must be similarity or distance, not {kind!r}.")
        self.path = Path(path).expanduser()
        self.kind = kind
        self.name = name or self.path.stem
        self.matcher = matcher
        self._rows: pd.DataFrame | None = None

    def load(self, *, progress: Progress = silent) -> FaceSet:
        """The templates that occur in the list, a row each, with person and labels."""
        rows = self._read()
        names = list(rows.columns)
        labels = [c.removeprefix("probe_") for c in names if _is_label(c, names)]
        sides = []
        for side in ("probe", "reference"):
            columns = {f"{side}_id": "image_id", f"{side}_subject": "subject_id"}
            columns |= {f"{side}_{label}": f"label_{label}" for label in labels}
            sides.append(rows[list(columns)].rename(columns=columns))
        templates = pd.concat(sides, ignore_index=True).drop_duplicates(ignore_index=True)
        _refuse_two_identities(templates, self.path)
        templates["path"] = ""
        about = {
            "source": self.path.name,
            "scores": f"{len(rows)} comparisons, {self.kind}"
            + (", negated" if self.kind == "distance" else ""),
            "self_comparisons_left_out": str(self.self_comparisons),
            "enrolment": "failures to enrol are not visible in a list of scores",
        }
        return FaceSet(self.name, "1", self.path.parent, templates, about=about)

    def tally(self, faces: FaceSet) -> ScoreTally:
        """Every listed comparison of the grouped templates, as the engine's result.

        Args:
            faces: what ``load`` returned, after ``assign_groups`` (persons may have been dropped;
                their comparisons are dropped with them).
        """
        rows, table = self._read(), faces.faces
        place = pd.Series(np.arange(len(table), dtype=np.int32), index=table["image_id"])
        first = rows["probe_id"].map(place)
        second = rows["reference_id"].map(place)
        kept = (first.notna() & second.notna()).to_numpy()
        listed = ScoredPairs(
            first.to_numpy()[kept].astype(np.int32),
            second.to_numpy()[kept].astype(np.int32),
            rows["score"].to_numpy(dtype=np.float64)[kept],
        )
        subject = pd.factorize(table["subject_id"])[0].astype(np.int32)
        same_person = subject[listed.first] == subject[listed.second]
        completed = ~np.isnan(listed.score)
        return ScoreTally(
            groups=tuple(table["group"].cat.categories),
            subject=subject,
            group=np.asarray(table["group"].cat.codes, dtype=np.int16),
            stratum=np.zeros(len(table), dtype=np.int16),
            enrolled=np.ones(len(table), dtype=np.bool_),
            mated=listed.take(same_person & completed),
            tail=listed.take(~same_person & completed),
            floor=-np.inf,
            policy="as listed",
            ordered=True,
            listed=listed,
            enrolment_known=False,
            work={"engine": "score list", "comparisons": len(listed)},
        )

    def matcher_record(self) -> dict[str, str]:
        """What is known of the matcher: its name, and the hash of the list as fingerprint."""
        self._read()
        digest = hashlib.sha256(self.path.read_bytes()).hexdigest()
        return {"name": self.matcher, "fingerprint": f"{digest}-{self.kind}"}

    @property
    def self_comparisons(self) -> int:
        """Rows left out because they compare a template with itself."""
        self._read()
        return self._self_comparisons

    def _read(self) -> pd.DataFrame:
        if self._rows is None:
            rows = _checked(_read_table(self.path), self.path)
            itself = (rows["probe_id"] == rows["reference_id"]).to_numpy()
            self._self_comparisons = int(itself.sum())
            rows = rows[~itself].reset_index(drop=True)
            if rows.empty:
                raise InputError(f"{self.path}: no comparison of two different templates in it.")
            if self.kind == "distance":
                rows["score"] = -rows["score"]
            self._rows = rows
        return self._rows


def _read_table(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the score list with benchmark.path=FILE.")
    try:
        with path.open("rb") as file:
            if file.read(4) == b"PAR1":
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


def _is_label(column: str, columns: Sequence[str]) -> bool:
    if not column.startswith("probe_") or column in ("probe_id", "probe_subject"):
        return False
    return column.replace("probe_", "reference_", 1) in columns


def _checked(rows: pd.DataFrame, path: Path) -> pd.DataFrame:
    absent = [column for column in REQUIRED if column not in rows.columns]
    if absent:
        raise InputError(
            f"{path}: the column{'s' * (len(absent) > 1)} {', '.join(absent)} "
            f"{'are' if len(absent) > 1 else 'is'} missing; it needs {', '.join(REQUIRED)} and, "
            "for each label, probe_<label> and reference_<label>."
        )
    one_sided = [
        c
        for c in rows.columns
        if c.startswith(("probe_", "reference_"))
        and c not in REQUIRED
        and c.replace("probe_", "\0").replace("reference_", "probe_").replace("\0", "reference_")
        not in rows.columns
    ]
    if one_sided:
        raise InputError(
            f"{path}: {', '.join(one_sided)} stands on one side only; a label needs both "
            "probe_<label> and reference_<label>."
        )
    problems: list[str] = []
    texts = [c for c in rows.columns if c != "score"]
    checked = pd.DataFrame({c: _as_text(rows[c]) for c in texts})
    for column in REQUIRED[:-1]:
        blank = checked[column].isna().to_numpy()
        problems += [f"row {i + 1}, {column}: blank" for i in np.flatnonzero(blank)[:50]]
    checked["score"] = _as_scores(rows["score"], problems)
    doubled = checked.duplicated(["probe_id", "reference_id"]).to_numpy()
    problems += [
        f"row {i + 1}: {checked['probe_id'].iloc[i]} against {checked['reference_id'].iloc[i]} "
        "is listed a second time"
        for i in np.flatnonzero(doubled)[:50]
    ]
    if problems:
        raise InputError.listing(
            f"{path}: rows that cannot be used; mend or remove them:", problems
        )
    return checked


def _as_text(values: pd.Series[str]) -> pd.Series[str]:
    if pd.api.types.is_float_dtype(values):
        values = values.map(missing_or_text)  # 7.0 beside a blank is the 7 of the other side
    text = values.astype("str").str.strip()
    return text.where(values.notna() & ~text.str.lower().isin(["", "nan"]))


def _as_scores(values: pd.Series[str], problems: list[str]) -> pd.Series[float]:
    if pd.api.types.is_numeric_dtype(values):
        scores = values.astype(np.float64)
        blank = scores.isna()
    else:
        text = values.astype("str").str.strip()
        blank = values.isna() | text.str.lower().isin(["", "nan", "na", "null", "none"])
        scores = pd.to_numeric(text.where(~blank), errors="coerce").astype(np.float64)
    bad = ((scores.isna() & ~blank) | np.isinf(scores)).to_numpy()
    problems += [
        f"row {i + 1}, score: {values.iloc[i]!r} is not a finite number (leave it blank for a "
        "failed comparison)"
        for i in np.flatnonzero(bad)[:50]
    ]
    return scores


def _refuse_two_identities(templates: pd.DataFrame, path: Path) -> None:
    twice = templates[templates.duplicated("image_id", keep=False)]
    if twice.empty:
        return
    raise InputError.listing(
        f"{path}: {twice['image_id'].nunique()} templates carry two persons or two labels in "
        "different rows; mend the rows:",
        [
            f"{template}: "
            + ", ".join(
                f"{column.removeprefix('label_')} {' / '.join(map(str, values[column].unique()))}"
                for column in values.columns
                if column != "image_id" and values[column].nunique(dropna=False) > 1
            )
            for template, values in twice.groupby("image_id")
        ],
    )
