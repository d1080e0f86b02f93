"""A file of comparisons that were scored elsewhere: the door for any matcher's score list.

One row per comparison, with the persons and labels of both sides; no image is opened. What the
file looks like is the business of the shelf ``score_formats``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from frbench.benchmarks import Progress, silent
from frbench.benchmarks.bfw import is_bad
from frbench.digests import digest_file, digest_of
from frbench.errors import InputError
from frbench.score_formats import SIDES, Source, labels_of
from frbench.score_formats.choosing import AUTO, choose_format, require_settings_fit
from frbench.score_formats.joined import join_labels
from frbench.score_formats.rows import checked
from frbench.values import FaceSet, ScoredPairs, ScoreTally


class ScoreBenchmark:
    """Reads any format of the shelf; frbench's own is a CSV or Parquet table of ``probe_id,
    reference_id, probe_subject, reference_subject, score`` and, per label, ``probe_<label>,
    reference_<label>``.

    A blank or NaN score is a failed comparison: it counts against the matcher where the two
    persons are the same and never for or against it otherwise. A row that compares a template
    with itself is not a comparison of two samples; such rows are left out and counted in the
    record.

    Args:
        path: the file.
        kind: ``similarity`` (larger is more alike) or ``distance`` (negated at the door).
        name: what results call the set; default the file's stem.
        matcher: what results call the matcher that made the scores.
        format: a name of the shelf ``score_formats``, or ``auto``: recognised where the file can
            be nothing else.
        labels: manifest of persons and labels, joined by id (``score_formats.joined``).
        column: the column of scores, for formats with several.
        mask, probes, references: mask and lists of a matrix of scores.
        errata: whether comparisons with BFW's known bad images are left out or kept.
    """

    def __init__(
        self,
        *,
        path: str | Path,
        kind: Literal["similarity", "distance"] = "similarity",
        name: str | None = None,
        matcher: str = "scored elsewhere",
        format: str = AUTO,
        labels: str | Path | None = None,
        column: str | None = None,
        mask: str | Path | None = None,
        probes: str | Path | None = None,
        references: str | Path | None = None,
        errata: Literal["leave_out", "keep"] = "leave_out",
    ) -> None:
        if kind not in ("similarity", "distance"):
            raise InputError(f"benchmark.kind must be similarity or distance, not {kind!r}.")
        if errata not in ("leave_out", "keep"):
            raise InputError(f"errata={errata} is unknown; take one of leave_out, keep")
        self.path = Path(path).expanduser()
        self._errata = errata
        self.kind = kind
        self.name = name or self.path.stem
        self.matcher = matcher
        self._format = format
        self._labels = _place(labels)
        self._source = Source(
            self.path, kind, column, _place(mask), _place(probes), _place(references)
        )
        self._notes: dict[str, str] = {}
        self._rows: pd.DataFrame | None = None

    def load(self, *, progress: Progress = silent) -> FaceSet:
        """The templates that occur in the list, a row each, with person and labels."""
        rows = self._read()
        templates = _templates(rows)
        _refuse_two_identities(templates, self.path)
        templates["path"] = ""
        about = {
            "source": self.path.name,
            "scores": f"{len(rows)} comparisons, {self.kind}"
            + (", negated" if self.kind == "distance" else ""),
            "self_comparisons_left_out": str(self.self_comparisons),
            "enrolment": "failures to enrol are not visible in a list of scores",
            **self._notes,
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
        others = (self._source.mask, self._source.probes, self._source.references, self._labels)
        more = [digest_file(path) for path in others if path is not None]
        column = self._source.column
        print_of = f"{digest_file(self.path)}-{self.kind}"
        if more or column or "format" in self._notes:
            kept = ["errata kept"] if self._errata == "keep" else []
            print_of += f"-{digest_of([*more, column, self._notes.get('format'), *kept])[:16]}"
        return {"name": self.matcher, "fingerprint": print_of, "scores": self.kind}

    @property
    def self_comparisons(self) -> int:
        """Rows left out because they compare a template with itself."""
        self._read()
        return self._self_comparisons

    def _from_file(self) -> pd.DataFrame:
        """The checked rows, persons and labels joined in."""
        format, how = choose_format(self._format, self.path)
        require_settings_fit(format, self._source)
        rows = format.read(self._source)
        if format.name != "table":
            self._notes["format"] = f"{format.name}, {how}"
        if self._labels is not None:
            joined = join_labels(rows, self._labels, self.path)
            rows, self._notes["labels"] = joined.rows, joined.note
        elif format.name != "table" and "probe_subject" not in rows:
            raise InputError(
                f"{self.path}: a file of format {format.name} does not say who is on the images; "
                "give a manifest with image_id, subject_id and labels as benchmark.labels=FILE"
            )
        rows = checked(rows, self.path)
        if format.name == "bfw":
            return self._without_errata(rows)
        if self._errata == "keep":
            raise InputError(
                f"benchmark.errata=keep speaks of BFW's images, and {self.path} is of format "
                f"{format.name}; leave the setting out"
            )
        return rows

    def _without_errata(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Three images of BFW show somebody else, so that their labels of mated pairs are wrong."""
        ids = pd.concat([rows["probe_id"], rows["reference_id"]]).drop_duplicates()
        bad = ids[ids.map(is_bad)]
        named = (rows["probe_id"].isin(bad) | rows["reference_id"].isin(bad)).to_numpy()
        fate = "kept" if self._errata == "keep" else "left out"
        self._notes["errata"] = (
            f"{int(named.sum())} comparisons with {len(bad)} images known to show somebody else "
            f"are {fate}"
        )
        return rows if self._errata == "keep" else rows[~named].reset_index(drop=True)

    def _read(self) -> pd.DataFrame:
        if self._rows is None:
            rows = self._from_file()
            itself = (rows["probe_id"] == rows["reference_id"]).to_numpy()
            self._self_comparisons = int(itself.sum())
            rows = rows[~itself].reset_index(drop=True)
            if rows.empty:
                raise InputError(f"{self.path}: no comparison of two different templates in it.")
            if self.kind == "distance":
                rows["score"] = -rows["score"]
            self._rows = rows
        return self._rows


def _place(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path).expanduser()


def _templates(rows: pd.DataFrame) -> pd.DataFrame:
    """A row per template and description of it; one template, one row, in a consistent file."""
    sides = []
    for side in SIDES:
        names = {f"{side}_id": "image_id", f"{side}_subject": "subject_id"}
        names |= {f"{side}_{label}": f"label_{label}" for label in labels_of(rows)}
        once = ~_repeated(rows, list(names))
        sides.append(rows.loc[once, list(names)].rename(columns=names))
    return pd.concat(sides, ignore_index=True).drop_duplicates(ignore_index=True)


def _repeated(rows: pd.DataFrame, columns: list[str]) -> npt.NDArray[np.bool_]:
    """Rows that say the same as one above them; codes are compared, since texts take seconds."""
    key = np.zeros(len(rows), dtype=np.int64)
    for column in columns:
        codes = pd.factorize(rows[column], use_na_sentinel=False)[0].astype(np.int64)
        key = pd.factorize(key * (int(codes.max(initial=0)) + 1) + codes)[0].astype(np.int64)
    repeated: npt.NDArray[np.bool_] = pd.Series(key).duplicated().to_numpy()
    return repeated


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
