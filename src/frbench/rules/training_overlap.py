"""Was the matcher trained on people who are in the benchmark set?"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from omegaconf import OmegaConf

from frbench.guidance import WORKS_AS_INTENDED, About
from frbench.rules import Evidence
from frbench.values import Finding


@dataclass(frozen=True)
class Overlap:
    """One line of ``known_overlap.yaml``: two collections and what is known of their people."""

    one: str
    other: str
    extent: str
    how: str
    source: str


class TrainingOverlap:
    """Watches for people who were in the training data: their errors come out too low, and not
    equally for all groups.

    What a matcher was trained on is its ``training_data``, or what the user says with
    ``trained_on``; which collections share people stands in ``known_overlap.yaml``. No finding
    means that no overlap is known, not that there is none.

    Args:
        trained_on: names of collections that all measured matchers were trained on, besides what
            they say themselves, e.g. ``[ms-celeb-1m]``.
        severity: level of the finding.
    """

    code = "training_overlap"
    about = About(
        question="Was the matcher trained on people who are in the benchmark set?",
        measure=(
            "Names of the collections that the matcher says it was trained on, or that the user "
            "names, beside what is known of shared people."
        ),
        threshold="Any known overlap.",
        evidence=(
            "The name of at least one collection; where no collection is known for a matcher of "
            "real people it cannot be told."
        ),
        severity=(
            "{severity} where people are shared, undecided where nothing is known of the training."
        ),
        next_step=(
            "Evaluate on a set without these people; the rates here are too low, and not equally "
            "for all groups."
        ),
        answers=WORKS_AS_INTENDED,
    )

    def __init__(self, *, trained_on: Sequence[str] = (), severity: str = "watch") -> None:
        self.trained_on = (trained_on,) if isinstance(trained_on, str) else tuple(trained_on)
        self.severity = severity

    def parameters(self) -> dict[str, Any]:
        """For the record."""
        return {"trained_on": list(self.trained_on), "severity": self.severity}

    def findings(self, evidence: Evidence) -> list[Finding]:
        """One per arm whose training data share people with the set, or are not known."""
        sets = (evidence.faces.name, *evidence.faces.sources)
        found = []
        for arm in evidence.thresholds:
            data = (*evidence.training.get(arm, ()), *self.trained_on)
            if not data and not evidence.faces.synthetic:
                found.append(self._unknown(arm, evidence.faces.name))
            for overlap in overlaps(data, sets):
                who = f"The matcher “{arm}”" if arm else "The matcher"
                everyone = "the people" if overlap.extent == "all" else "some of the people"
                statement = (
                    f"{who} was trained on “{overlap.one}”, which has {everyone} of this set in it "
                    f"({overlap.how}; {overlap.source}): its error rates here are too low, and may "
                    "be so for some groups more than for others; take a set without these people."
                )
                keys = {"arm": arm, "benchmark": evidence.faces.name, "training": overlap.one}
                found.append(Finding(self.code, self.severity, statement, keys, self.parameters()))
        return found

    def _unknown(self, arm: str, benchmark: str) -> Finding:
        who = f"the matcher “{arm}”" if arm else "the matcher"
        statement = (
            f"It cannot be told whether {who} was trained on people of this set: no collection is "
            "known for it; name at least 1 with rules.training_overlap.trained_on=[…]."
        )
        keys = {"arm": arm, "benchmark": benchmark}
        return Finding(self.code, "undecided", statement, keys, self.parameters())


def overlaps(training: Sequence[str], sets: Sequence[str]) -> list[Overlap]:
    """Each training collection that shares people with one of the sets, once, as ``one``.

    >>> [each.extent for each in overlaps(["VGGFace2"], ["bfw"])]
    ['all']
    """
    found: dict[str, Overlap] = {}
    here = {each.casefold() for each in sets}
    for name in dict.fromkeys(each.casefold() for each in training):
        if name in here:
            found[name] = Overlap(
                name, name, "all", "it is the same collection, or the set was made from it",
                "the names of both",
            )  # fmt: skip
        for line in _both_ways():
            if line.one == name and line.other in here and line.extent != "none":
                found.setdefault(name, line)
                if line.extent == "all":
                    found[name] = line
    return list(found.values())


@functools.cache
def known() -> tuple[Overlap, ...]:
    """The lines of ``known_overlap.yaml``."""
    text = (resources.files("frbench.rules") / "known_overlap.yaml").read_text(encoding="utf-8")
    rows = OmegaConf.to_container(OmegaConf.create(text))
    assert isinstance(rows, list)
    return tuple(
        Overlap(
            str(row["set"]).casefold(),
            str(row["with"]).casefold(),
            str(row["extent"]),
            str(row["how"]),
            str(row["source"]),
        )
        for row in rows
        if isinstance(row, dict)
    )


def _both_ways() -> Iterator[Overlap]:
    for line in known():
        yield line
        yield Overlap(line.other, line.one, line.extent, line.how, line.source)
