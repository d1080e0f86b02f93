"""Column contracts of every table that passes between stages or is written to a run folder.

The order of columns here is the order in the files. Other people's scripts read ``rates.csv``:
its columns change only with the schema version and a changelog line.
"""

from __future__ import annotations

SCHEMA_VERSION = 1

FACE_COLUMNS = ("image_id", "subject_id", "path")
"""FaceTable, a row per image. ``image_id`` string, unique; ``subject_id`` string; ``path`` string,
relative to the set's root. Then ``label_<attribute>`` string columns (missing = unlabelled),
any other column (a covariate), and after ``groups.assign_groups``: ``group`` category whose
levels are the groups of the run, absent ones included, ``unlabelled`` last if any."""

RATE_KEYS = (
    "arm",
    "matcher",
    "benchmark",
    "policy",
    "operating_point",
    "threshold",
    "kind",
    "probe_group",
    "reference_group",
)
RATE_COLUMNS = (
    *RATE_KEYS,
    "errors",
    "comparisons",
    "failed",
    "subjects",
    "rate",
    "low",
    "high",
    "level",
    "interval",
    "effective_comparisons",
    "design_effect",
    "rate_completed",
    "rate_worst_case",
    "status",
)
"""RateTable, a row per cell.

kind: ``FMR``, ``FNMR`` or ``FTE``. probe_group = reference_group = ``all`` is the pooled row;
a row (g, g) is the within-group cell; (a, b) with a != b a cross-group cell, each unordered pair
once unless comparisons have roles. For FTE the cell is (g, g) and a comparison is an image.

errors, comparisons, failed, subjects: int64. Failures follow NIST's rule: a comparison with a
failed template is counted in ``comparisons`` and in ``failed``; it is an error for FNMR, never
for FMR. ``subjects``: persons with at least one comparison in the cell.
rate, low, high: float64 fractions; ``level`` 0.95. rate = errors / comparisons.
effective_comparisons: float64, rate (1 - rate) / variance; design_effect: comparisons over that.
rate_completed: without failed comparisons. rate_worst_case: every failure an error.
status: ``ok``; ``few_errors`` (fewer than 10 errors); ``few_subjects`` (fewer than 20 persons);
``empty`` (nothing to divide by: rate NaN, low 0, high 1).
"""

GAP_KEYS = ("arm", "matcher", "benchmark", "policy", "operating_point", "threshold", "kind")
GAP_COLUMNS = (
    *GAP_KEYS,
    "measure",
    "value",
    "low",
    "high",
    "level",
    "unit",
    "worst_group",
    "reference_group",
    "groups_used",
    "groups_left_out",
    "status",
)
"""GapTable, a row per measure and operating point. ``unit``: ratio, log10_ratio, difference,
index. ``groups_left_out``: names joined by ``;``. status: ok, few_errors, undefined."""
