"""The report's sentences: verdict, cautions, what was not tested, methods, glossary.

Each is derived from the tables and the record; where the record is silent the page says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from frbench.formatting import decimal, integer, label_text, one_in
from frbench.page.changes import change_class
from frbench.values import ALL, UNLABELLED, Finding, Threshold

LEVELS = ("flag", "watch", "undecided", "note")
"""Levels of findings in the order of the page."""

LEVEL_WORDS = {
    "flag": ("Flag", "beyond the limit that was set"),
    "watch": ("Watch", "near the limit, or worth following"),
    "undecided": ("Undecided", "too little evidence to answer"),
    "note": ("Note", "for the record"),
}


@dataclass(frozen=True)
class Verdict:
    """The page's answer in a word and a sentence."""

    level: str
    word: str
    sentence: str


def verdict(findings: Sequence[Finding]) -> Verdict:
    """What the findings add up to, without hiding the undecided ones."""
    count = {level: sum(one.level == level for one in findings) for level in LEVELS}
    total = len(findings)
    if not total:
        return Verdict("none", "No judgement", "No rule was applied to these measurements.")
    thin = f" {_things(count['undecided'])} could not be decided: the evidence is too thin."
    thin = thin if count["undecided"] else ""
    if count["flag"]:
        text = f"{count['flag']} of {_things(total)} {_is(count['flag'])} beyond the limit set."
        return Verdict("flag", "Flagged", text + thin)
    if count["undecided"]:
        text = f"Nothing was shown to be beyond its limit, but this is not a clean result.{thin}"
        return Verdict("undecided", "Undecided", text)
    if count["watch"]:
        text = f"Nothing is beyond its limit; {_things(count['watch'])} should be followed."
        return Verdict("watch", "Watch", text)
    text = "No rule found a gap beyond its limit. That is not proof that all groups fare alike."
    return Verdict("note", "Nothing flagged", text)


def _things(count: int) -> str:
    return "1 finding" if count == 1 else f"{count} findings"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def change_sentence(change: pd.DataFrame | None, arms: Sequence[str], groups: Sequence[str]) -> str:
    """The largest rise of a group's FMR that its interval supports, else the largest fall.

    A rise comes first: it is the one that somebody pays for.
    """
    if change is None or change.empty:
        return ""
    first = change["operating_point"] == change["operating_point"].iloc[0]
    rows = change[first & (change["kind"] == "FMR") & change["group"].isin(groups)]
    named = [(change_class(row), row) for row in map(_strings, rows.to_dict("records"))]
    moved = {way: [row for each, row in named if each == way] for way in ("rose", "fell")}
    if not moved["rose"] and not moved["fell"]:
        return "No group's false-match rate changed beyond what chance allows."
    way = "rose" if moved["rose"] else "fell"
    row = max(moved[way], key=lambda one: abs(math.log(max(one["ratio"], 1e-12))))
    return (
        f"From “{label_text(arms[0])}” to “{label_text(arms[1])}”, the false-match rate of "
        f"“{label_text(row['group'])}” {way} from "
        f"{one_in(row['before']) or 'none seen'} to {one_in(row['after']) or 'none seen'} "
        f"(×{decimal(row['ratio'])}; {100 * row['level']:g} % interval {decimal(row['low'])} to "
        f"{decimal(row['high'])}). In all, it clearly rose for {len(moved['rose'])} and clearly "
        f"fell for {len(moved['fell'])} of {_groups(len(named))}."
    )


def _groups(count: int) -> str:
    return "1 group" if count == 1 else f"{count} groups"


def _strings(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(key): value for key, value in row.items()}


def threshold_sentence(threshold: Threshold) -> str:
    """The operating threshold and how it was set."""
    start = f"Scores of {threshold.value:.4g} or more count as a match"
    reached = (
        f"{integer(threshold.errors)} false matches in {integer(threshold.comparisons)} "
        "comparisons of different people"
    )
    own = ""
    if threshold.low is not None and threshold.high is not None and threshold.level is not None:
        own = (
            f" Other persons of the same kind could have put it between {threshold.low:.4g} and "
            f"{threshold.high:.4g} ({threshold.level:.0%} interval)."
        )
    if threshold.source not in ("this set", "stated"):
        whose = "persons kept apart for this, who are in no rate of this page"
        if threshold.source != "calibration split":
            whose = f"the {label_text(threshold.source)}"
        target = threshold.target_fmr
        aim = f" for a false-match rate of {one_in(target)}" if target is not None else ""
        text = f"{start}. The value was set{aim} on {whose}; there it gave {reached}.{own}"
    elif threshold.rule == "stated" and threshold.target_fmr is not None:
        text = (
            f"{start}: the score that {_whoever(threshold)} states for a false-match rate of "
            f"{one_in(threshold.target_fmr)}. On this set it gave {reached}."
        )
    elif threshold.target_fmr is None:
        by = f" by {_whoever(threshold)}" if threshold.stated_by else ""
        text = f"{start}. The value was fixed beforehand{by}; on this set it gave {reached}."
    else:
        text = (
            f"{start}: the lowest score that keeps the false-match rate at or below "
            f"{one_in(threshold.target_fmr)}. It gave {reached}.{own}"
        )
    return f"{text} {threshold.caution}".strip()


def _whoever(threshold: Threshold) -> str:
    return label_text(threshold.stated_by) or "the vendor"


def thin_evidence(rates: pd.DataFrame, findings: Sequence[Finding]) -> str:
    """What to print when groups rest on too little evidence at the headline threshold, or ""."""
    within = rates[
        (rates["probe_group"] == rates["reference_group"])
        & (rates["probe_group"] != ALL)
        & rates["kind"].isin(["FMR", "FNMR"])
    ]
    weak = within[within["status"] != "ok"]
    if weak.empty:
        return ""
    groups, known = weak["probe_group"].nunique(), within["probe_group"].nunique()
    undecided = sum(one.level == "undecided" for one in findings)
    text = (
        f"For {groups} of {known} groups at least one rate rests on fewer than 10 errors or "
        "fewer than 20 persons, or cannot be measured. Read their intervals, not their rates."
    )
    return text + (f" {_things(undecided)} stayed undecided." if undecided else "")


def not_tested(
    rates: pd.DataFrame, counts: pd.DataFrame, benchmark: Mapping[str, Any]
) -> list[str]:
    """Limits of this run, most concrete first."""
    empty = sorted(
        set(
            rates.loc[
                (rates["status"] == "empty") & (rates["probe_group"] == rates["reference_group"]),
                "probe_group",
            ].astype(str)
        )
        - {ALL}
    )
    few = counts.loc[(counts["subjects"] < 20) & ~counts["group"].astype(str).isin(empty), "group"]
    limits = []
    if benchmark.get("synthetic"):
        limits.append(
            "The faces are synthetic. Rates on real people can be higher, lower and "
            "differently ordered; nothing here measures a real person."
        )
    if empty:
        limits.append(f"Groups with a rate that could not be measured: {_listed(empty)}.")
    if len(few):
        limits.append(f"Groups of fewer than 20 persons: {_listed(few.astype(str))}.")
    unlabelled = counts.loc[counts["group"].astype(str) == UNLABELLED, "images"].sum()
    if unlabelled:
        limits.append(
            f"{integer(unlabelled)} images carry no label; they stand as a group of "
            "their own and say nothing about any named group."
        )
    limits.append(_label_provenance(benchmark))
    limits.append(_policy(rates))
    limits += [
        "Only one-to-one comparisons were made. Searches of a watch list or gallery, live "
        "cameras, and the officer who looks at an alert were not tested.",
        "Only the groups listed here were compared. Characteristics without a label in this set, "
        "and combinations that were not asked for, were not tested.",
        "A rate belongs to this set, this matcher and this threshold. Another camera, another "
        "threshold or another mix of people gives other rates.",
    ]
    return limits


def _listed(names: Sequence[str] | pd.Series[str]) -> str:
    shown = [f"“{label_text(name)}”" for name in list(names)[:12]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _label_provenance(benchmark: Mapping[str, Any]) -> str:
    about = benchmark.get("about") or {}
    for key in ("label_provenance", "labels", "label_source"):
        if about.get(key):
            return f"Where the group labels come from: {label_text(about[key])}."
    return (
        "The set does not record who assigned the group labels (the people themselves, an "
        "officer, or a program); wrong labels blur differences between groups."
    )


def _policy(rates: pd.DataFrame) -> str:
    policies = sorted(set(rates["policy"].astype(str)))
    if policies == ["all"]:
        return (
            "False matches were counted over all pairs of different people. Between people of "
            "the same sex, age and origin they are usually far more frequent."
        )
    return f"Different people were compared under the policy: {_listed(policies)}."


METHODS = (
    (
        "One threshold for all",
        "A comparison is a match if its score is at or above one decision "
        "threshold, the same for every group. Separate thresholds per group would hide the very "
        "differences this page looks for.",
    ),
    (
        "Counts first",
        "Errors and comparisons are counted exactly; a rate is their quotient, "
        "computed once. Nothing is sampled or rounded before it is printed.",
    ),
    (
        "The person is the unit",
        "Comparisons that share a person are not independent. Intervals "
        "are computed over persons, which makes them wider, often many times, than a count of "
        "comparisons would suggest.",
    ),
    (
        "Failures are results",
        "An image in which no face was found, or that the matcher refused, "
        "counts as a failure to enrol. It counts as a miss in FNMR and never as a false match.",
    ),
    (
        "No errors is not zero",
        "Where no error was seen, the page prints the upper bound that the "
        "number of persons supports. Where nothing can be divided by, it says not measurable.",
    ),
    (
        "Rules read intervals",
        "A finding is a flag only if its whole interval lies beyond the "
        "limit; where the interval straddles the limit the answer is undecided.",
    ),
)

GLOSSARY = (
    (
        "False-match rate (FMR)",
        "Share of comparisons of two different people that the matcher "
        "calls a match. In live use: the root of a false alert, a person wrongly picked out.",
    ),
    (
        "False non-match rate (FNMR)",
        "Share of comparisons of a person with themselves that the "
        "matcher misses. In live use: a wanted or missing person walks past without an alert.",
    ),
    ("Failure to enrol (FTE)", "Share of images from which no template could be made."),
    (
        "Mated, non-mated",
        "Whether two images show the same person (mated) or not (non-mated): "
        "the truth, as opposed to the matcher's decision.",
    ),
    (
        "Decision threshold",
        "The score from which a comparison counts as a match. Police use: threshold setting.",
    ),
    (
        "True alert, false alert",
        "Police words for a candidate that is, or is not, the person on "
        "the watch list. A false alert rate per face seen needs a search test (FPIR), not an FMR.",
    ),
    (
        "True recognition rate",
        "Police word for the true-positive identification rate (TPIR) of a "
        "watch-list search; not measured on this page.",
    ),
    (
        "Interval",
        "Range of values that the evidence supports; a wide range means little evidence.",
    ),
    ("Demographic differential", "Difference of an error rate between groups at one threshold."),
)
