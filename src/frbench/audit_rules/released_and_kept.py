"""Are images of people released without charge still in the set, and of whom?"""

from __future__ import annotations

from typing import Any

import pandas as pd

from frbench.audit_rules import AuditEvidence
from frbench.auditing.manifest import UNKNOWN
from frbench.formatting import decimal, integer, percent
from frbench.guidance import IMAGES_KEPT, About
from frbench.page.tables import records
from frbench.rules._limits import Answer, Measured, against
from frbench.values import ALL, Finding


class ReleasedAndKept:
    """The guidance's example in two questions: how many, and more of one group than of another?

    Retaining custody images of unconvicted people under the policy of the time was held to
    breach article 8 in R (RMC and FJ) v Metropolitan Police [2012] EWHC 1681 (Admin).

    Args:
        share: of all images, from which the first answer is a flag; below it is a watch.
        limit: ratio of a group's share to that of all images, for the second.
        level: of the family of groups, by Holm.
        severity: level of a finding beyond the limit.
    """

    code = "released_and_kept"
    about = About(
        question=("Are images of people released without charge still in the set, and of whom?"),
        measure=(
            "The share of images of people released without charge or with no further action: of "
            "all images, and of each group's over that of all."
        ),
        threshold=(
            "A flag when the whole interval of the share lies above {share}, else a watch when "
            "there is any. A group is beyond when the whole interval of its ratio lies above "
            "{limit}. Tests are one-sided, and Holm's method holds the chance of any wrong flag "
            "among the groups at 1 - {level}."
        ),
        evidence=(
            "A column disposal; without it, or where none such is seen and the disposals of more "
            "than the share {share} are unknown, it cannot be told. An undecided answer names the "
            "persons that would settle it."
        ),
        severity="{severity}, watch, undecided, or note where there is none.",
        next_step=(
            "Ask under which power each image is kept, delete what has none, and retrain without "
            "them."
        ),
        answers=IMAGES_KEPT,
        gravest="flag",
    )

    def __init__(
        self,
        *,
        share: float = 0.05,
        limit: float = 1.25,
        level: float = 0.95,
        severity: str = "flag",
    ) -> None:
        self.share, self.limit, self.level, self.severity = share, limit, level, severity

    def parameters(self) -> dict[str, Any]:
        """For the record."""
        return {"share": self.share, "limit": self.limit, "level": self.level}

    def findings(self, evidence: AuditEvidence) -> list[Finding]:
        """How many, and per label whose share is higher."""
        if not evidence.training.disposed:
            text = (
                "The manifest has no column disposal: it cannot be told whether images of people "
                "released without charge are kept in the training set; add the column."
            )
            return [Finding(self.code, "undecided", text, {}, self.parameters(), None)]
        whole = evidence.composition[evidence.composition["group"] == ALL]
        unknown = int((evidence.training.table["disposal"] == UNKNOWN).sum())
        found = [self._all(records(whole)[0], unknown)] if len(whole) else []
        for label, rows in evidence.groups():
            found += self._between(label, rows, records(whole)[0])
        return found

    def _all(self, row: dict[str, Any], unknown: int) -> Finding:
        images, share = int(row["released_images"]), float(row["released_share"])
        keys = {"group": ALL}
        apart = f" The disposal of {integer(unknown)} further images is unknown." if unknown else ""
        if images == 0 and unknown > self.share * row["images"]:
            text = (
                f"The disposal of {integer(unknown)} of {integer(row['images'])} images is "
                "unknown, and none of the others shows a person released without charge: it "
                "cannot be told whether such images are kept; complete the column disposal."
            )
            return Finding(self.code, "undecided", text, keys, self.parameters(), None)
        if images == 0:
            text = f"No image of a person released without charge is in the training set.{apart}"
            return Finding(self.code, "note", text, keys, self.parameters(), False)
        text = (
            f"{integer(images)} of {integer(row['images'])} images ({percent(share)}) show people "
            "who were released without charge or against whom no further action was taken; ask "
            f"under which power each is kept, and whether it may be used for training.{apart}"
        )
        beyond = bool(row["released_low"] > self.share)
        return Finding(
            self.code, "flag" if beyond else "watch", text, keys, self.parameters(), beyond
        )

    def _between(self, label: str, rows: pd.DataFrame, whole: dict[str, Any]) -> list[Finding]:
        base = float(whole["released_share"])
        rows = rows[rows["images"] > 0]
        if base == 0 or len(rows) < 2:
            return []
        family = [
            Measured(
                str(row["group"]),
                row["released_share"] / base,
                row["released_low"] / base,
                row["released_high"] / base,
                float(row["level"]),
                int(row["subjects"]),
            )
            for row in records(rows)
        ]
        by_group = {str(row["group"]): row for row in records(rows)}
        answers = against(self.limit, family, level=self.level)
        found = []
        for answer, each in zip(answers, family, strict=True):
            if not answer.beyond:
                continue
            row = by_group[answer.group]
            text = (
                f"Of the images of “{answer.group}” ({label}), {percent(row['released_share'])} "
                f"({percent(row['released_low'])} to {percent(row['released_high'])}) show people "
                f"released without charge, {decimal(each.value)} times the share among all images "
                f"({percent(base)}), beyond the limit of {self.limit:g}."
            )
            keys = {"label": label, "group": answer.group}
            found.append(Finding(self.code, self.severity, text, keys, self.parameters(), True))
        unsure = [answer for answer in answers if answer.beyond is None]
        return found + ([self._undecided(label, unsure, by_group)] if unsure else [])

    def _undecided(
        self, label: str, answers: list[Answer], rows: dict[str, dict[str, Any]]
    ) -> Finding:
        words = [
            f"“{one.group}” ({percent(rows[one.group]['released_low'])} to "
            f"{percent(rows[one.group]['released_high'])}; {one.needed()} persons would tell, it "
            f"has {integer(rows[one.group]['subjects'])})"
            for one in answers
        ]
        text = (
            f"It cannot be told whether the share of people released without charge exceeds "
            f"{self.limit:g} times that among all images for {'; '.join(words)} ({label})."
        )
        keys = {"label": label, "group": [one.group for one in answers]}
        return Finding(self.code, "undecided", text, keys, self.parameters(), None)
