"""What passes between the stages: small frozen objects, counted first and divided last.

The tables (faces, rates, gaps) are DataFrames whose columns `tables.py` fixes; the objects here
hold what does not fit a tidy table. Decision rule everywhere: match if ``score >= threshold``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.floating[Any]]
Float32s = npt.NDArray[np.float32]
Float64s = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]
Int32s = npt.NDArray[np.int32]
Int16s = npt.NDArray[np.int16]
Bools = npt.NDArray[np.bool_]

ALL = "all"
"""Name of the pooled cell, in the place of a group."""

UNLABELLED = "unlabelled"
"""Name of the group of images whose label is missing; a group like any other, never dropped."""


@dataclass(frozen=True)
class FaceSet:
    """A labelled benchmark set: who is on which image, and under which label.

    Attributes:
        name: short name of the set, as results print it.
        version: version of the set or of its loader; changes whenever results could change.
        root: folder that the table's paths are relative to.
        faces: FaceTable, a row per image (see ``tables.FACES``).
        synthetic: True when no real person is shown; every report then says so.
        about: provenance in words: source, licence, label provenance, notes.
        pairs: the comparisons that a protocol lists, columns ``probe_id, reference_id`` (values of
            ``image_id``) and ``fold`` (int64, counted from 1); None where all pairs are compared.
        members: the images behind each row of ``faces`` where a row is a template of several
            images, columns ``template_id`` (a value of ``image_id``), ``path`` and ``medium``;
            None where each row is one image.
        sources: names of the public collections that the images were taken from.
        notices: what the loader saw and did not settle, a line each. They may name people, so
            they are for the screen and never for a record.
    """

    name: str
    version: str
    root: Path
    faces: pd.DataFrame
    synthetic: bool = False
    about: Mapping[str, str] = field(default_factory=dict)
    pairs: pd.DataFrame | None = None
    members: pd.DataFrame | None = None
    sources: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class EmbeddingSet:
    """One template per image, or a recorded failure to enrol.

    Attributes:
        vectors: float32 [N, D], unit length; rows of failed images are zero.
        enrolled: bool [N]; False is a failure to enrol.
        failure: str [N]; the reason where ``enrolled`` is False, else "".
        image_id: str [N], in the order of the FaceTable.
        matcher: name of the matcher, as results print it.
        fingerprint: hash of everything that can change the vectors: weights, preprocessing,
            detector, image bytes, code version of the stage, precision.
        digests: str [N]; SHA-256 of each image file (with its listed landmarks, where a detector
            takes them from a file), "" where it cannot be read; None where no file was opened.
    """

    vectors: Float32s
    enrolled: Bools
    failure: npt.NDArray[np.str_]
    image_id: npt.NDArray[np.str_]
    matcher: str
    fingerprint: str
    digests: npt.NDArray[np.str_] | None = None


@dataclass(frozen=True)
class ScoredPairs:
    """Comparisons with their score, as three parallel columns.

    Attributes:
        first, second: int32 [M], row numbers of the two images in the FaceTable. When the
            comparisons have roles (``ScoreTally.ordered``), first is the probe.
        score: float32 or float64 [M], similarity.
    """

    first: Int32s
    second: Int32s
    score: Floats

    def __len__(self) -> int:
        return len(self.score)

    def take(self, chosen: Bools | Int64s) -> ScoredPairs:
        """The chosen comparisons, by mask or by position."""
        return ScoredPairs(self.first[chosen], self.second[chosen], self.score[chosen])


@dataclass(frozen=True)
class Histogram:
    """Counts of all scores per cell, for score distributions and error curves below the floor.

    Attributes:
        edges: float64 [B + 1], score units.
        counts: int64 [2, G, G, B]: (0 mated, 1 non-mated), group of first, group of second.
            Without roles each comparison is counted once, at ``[.., min(a, b), max(a, b), ..]``.
        bin_error: largest possible distance between a score and the score that chose its bin,
            score units.
    """

    edges: Float64s
    counts: Int64s
    bin_error: float


@dataclass(frozen=True)
class ScoreTally:
    """All comparisons of one matcher on one set, reduced to what error rates need, exactly.

    Every comparison at or above ``floor`` is listed, so counts at any threshold >= floor are
    exact; a threshold below it is refused. The images are listed with subject and group so that
    the number of comparisons per cell, per person and per pair of persons follows by arithmetic.

    Attributes:
        groups: names of the groups, length G; an absent group keeps its place.
        subject: int32 [N], code of the person on each image.
        group: int16 [N], position in ``groups`` of each image's group.
        stratum: int16 [N]; a non-mated comparison was made only between images of one stratum
            (the impostor policy: all zero for ``all``, the code of the sex for ``same_sex``).
        enrolled: bool [N].
        mated: every completed mated comparison (two different images of one person), any score.
        tail: every completed non-mated comparison with ``score >= floor``.
        floor: lowest score down to which ``tail`` is complete; -inf when it holds everything.
        policy: name of the impostor policy.
        ordered: False when each unordered pair of images was compared once (a cell is an
            unordered pair of groups); True when first is the probe and second the reference.
        references_from: with two sets of images, the number of probes: images from this row on
            are references, and every probe was compared with every reference of its stratum.
            None when every image played both roles.
        listed: the attempted comparisons when they come from a list (a score file) instead of
            all pairs; the score is NaN where the comparison failed. None means all pairs.
        histogram: all scores, or None where the engine was told to skip it.
        enrolment_known: False when failures to enrol cannot be seen, as in a list of scores;
            ``enrolled`` then says nothing, and no failure-to-enrol rate is reported.
        work: how the counting was done (tiles, band, recomputed scores, seconds); for the record.
    """

    groups: tuple[str, ...]
    subject: Int32s
    group: Int16s
    stratum: Int16s
    enrolled: Bools
    mated: ScoredPairs
    tail: ScoredPairs
    floor: float
    policy: str = "all"
    ordered: bool = False
    references_from: int | None = None
    listed: ScoredPairs | None = None
    histogram: Histogram | None = None
    enrolment_known: bool = True
    work: Mapping[str, float | int | str] = field(default_factory=dict)


@dataclass(frozen=True)
class Threshold:
    """One global decision threshold and where it comes from.

    Attributes:
        value: score units; match if ``score >= value``.
        rule: ``target_fmr``, ``fixed``, or ``stated`` (a score said to give target_fmr).
        target_fmr: fraction, or None for a fixed threshold.
        achieved_fmr: fraction measured on the calibration comparisons; never above the target.
        errors, comparisons: false matches and completed non-mated comparisons behind it.
        chosen_on: fingerprint of the embeddings or scores it was chosen on.
        caution: one sentence when few errors support it, else "".
        source: whose comparisons it was chosen on: ``this set``, ``calibration split``,
            ``run NAME``, or ``stated`` where it was given as a score.
        stated_by: who states the score, in the user's words.
        low, high: interval of the threshold that would have the target FMR among all persons like
            those it was chosen on, score units; None where it was not estimated.
        level: confidence level of that interval, or None.
    """

    value: float
    rule: str
    target_fmr: float | None
    achieved_fmr: float
    errors: int
    comparisons: int
    chosen_on: str
    caution: str = ""
    source: str = "this set"
    stated_by: str = ""
    low: float | None = None
    high: float | None = None
    level: float | None = None

    @property
    def label(self) -> str:
        """Name of the operating point: ``FMR 0.001``, ``stated FMR 0.001`` or ``score >= 0.6``."""
        if self.rule == "stated":
            return f"stated FMR {self.target_fmr:g}"
        if self.target_fmr is not None:
            return f"FMR {self.target_fmr:g}"
        return f"score >= {self.value:g}"


@dataclass(frozen=True)
class Finding:
    """One answer to one documented question, with the rows it rests on.

    Attributes:
        code: name of the rule, e.g. ``fmr_gap``.
        level: ``note``, ``watch``, ``flag`` or ``undecided``.
        statement: one plain sentence.
        keys: the rows of the tables it rests on, as column -> value.
        rule: the rule's parameters.
        interval_excludes_limit: whether the interval lies wholly beyond the limit (True), wholly
            within (False), or None where it straddles it or no interval applies.
        gravest: the gravest level that the rule, as configured, can answer. An ``undecided``
            answer counts at gates up to it.
    """

    code: str
    level: str
    statement: str
    keys: Mapping[str, Any] = field(default_factory=dict)
    rule: Mapping[str, Any] = field(default_factory=dict)
    interval_excludes_limit: bool | None = None
    gravest: str = "flag"
